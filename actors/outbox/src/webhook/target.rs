//! Which URLs deliveries may go to, as far as the URL itself tells.

use std::sync::Arc;

use url::Url;

use super::guard::{AddressGuard, Forbidden};

/// Says why a URL is no place for deliveries, never with the URL, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Is no URL. The caller acts.
    #[error("url is not a URL ({problem}): write it whole, like https://example.com/hook")]
    Malformed {
        /// What is wrong with it.
        problem: url::ParseError,
    },
    /// Is too long. The caller acts.
    #[error("url has {len} bytes: give it at most {}", TargetRules::LEN_MAX)]
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// Has a scheme that is not allowed. The caller acts, or the operator allows it.
    #[error(
        "url has the scheme {scheme}: use https, or set outbox.allow_http for a receiver without it"
    )]
    Scheme {
        /// Which scheme.
        scheme: String,
    },
    /// Has a user or a password. The caller acts.
    #[error("url holds a user or a password, which ends up in logs: put it into a header")]
    UserInfo,
    /// Has a part behind `#`. The caller acts.
    #[error("url has a fragment (behind #), which is never sent: leave it out")]
    Fragment,
    /// Has the port 0. The caller acts.
    #[error("url has the port 0: leave it out, or give the receiver's")]
    Port,
    /// Has an address where no delivery goes. The caller or the operator acts.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// The rules for URLs: `https` (and `http` when allowed), at most 2,000 bytes, no user or
/// password, no fragment, no forbidden address.
#[derive(Clone, Debug)]
pub struct TargetRules {
    guard: Arc<AddressGuard>,
    allow_http: bool,
}

impl TargetRules {
    /// The most bytes a URL may have.
    pub const LEN_MAX: usize = 2_000;

    /// Makes the rules.
    #[must_use]
    pub const fn new(guard: Arc<AddressGuard>, allow_http: bool) -> Self {
        Self { guard, allow_http }
    }

    /// Reads a URL and checks it.
    ///
    /// # Errors
    /// [`TargetError`] when it is none, or none for deliveries.
    pub fn parse(&self, text: &str) -> Result<Url, TargetError> {
        if text.len() > Self::LEN_MAX {
            return Err(TargetError::TooLong { len: text.len() });
        }
        let url = Url::parse(text).map_err(|problem| TargetError::Malformed { problem })?;
        self.check(&url).map(|()| url)
    }

    /// Checks a URL. Names are looked up when a delivery connects, not here.
    ///
    /// # Errors
    /// [`TargetError`] when it is none for deliveries.
    pub fn check(&self, url: &Url) -> Result<(), TargetError> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            scheme => return Err(TargetError::Scheme { scheme: scheme.to_owned() }),
        }
        // What is escaped in reading makes a URL longer.
        if url.as_str().len() > Self::LEN_MAX {
            return Err(TargetError::TooLong { len: url.as_str().len() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        if url.port() == Some(0) {
            return Err(TargetError::Port);
        }
        Ok(self.guard.check_host(url)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> TargetError {
        TargetRules::new(Arc::default(), true).parse(text).unwrap_err()
    }

    #[test]
    fn a_public_https_url_is_accepted_and_http_only_when_allowed() {
        let rules = |allow_http| TargetRules::new(Arc::default(), allow_http);
        for text in ["https://example.com/a?b=c", "https://1.1.1.1:8443", "https://[2606:4700::1]"]
        {
            assert!(rules(false).parse(text).is_ok(), "{text}");
        }
        let said = rules(false).parse("http://example.com").unwrap_err().to_string();
        assert!(said.contains("outbox.allow_http"), "{said}");
        assert!(rules(true).parse("http://example.com").is_ok());
    }

    #[test]
    fn each_rule_refuses_with_its_own_reason() {
        let long = format!("https://example.com/{}", "a".repeat(2_000));
        let escaped = format!("https://example.com/{}", " a".repeat(600));
        assert_eq!(refused(&long), TargetError::TooLong { len: 2_020 });
        assert!(matches!(refused(&escaped), TargetError::TooLong { .. }));
        assert!(matches!(refused("example.com"), TargetError::Malformed { .. }));
        assert!(matches!(refused("https://"), TargetError::Malformed { .. }));
        assert_eq!(refused("ftp://example.com"), TargetError::Scheme { scheme: "ftp".into() });
        assert!(matches!(refused("file:///etc/passwd"), TargetError::Scheme { .. }));
        for text in ["https://a@example.com", "https://:b@example.com", "https://1.1.1.1@127.0.0.1"]
        {
            assert_eq!(refused(text), TargetError::UserInfo, "{text}");
        }
        assert_eq!(refused("https://example.com/#"), TargetError::Fragment);
        assert_eq!(refused("https://example.com:0"), TargetError::Port);
    }

    #[test]
    fn a_refusal_does_not_show_the_url() {
        let said = refused("https://example.com:99999/token=hunter2").to_string();
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    fn every_way_to_write_a_forbidden_address_is_seen_through() {
        let forms = [
            "https://127.0.0.1",
            "https://127.1",
            "https://0x7f.1",
            "https://2130706433",
            "https://017700000001",
            "https://0x7f000001",
            "https://127.0.0.1.",
            "https://0",
            "https://127.0.0.1:443",
            "https://①②⑦.0.0.1",
            "https://[::1]",
            "https://[::]",
            "https://[::ffff:127.0.0.1]",
            "https://[::ffff:7f00:1]",
            "https://[::127.0.0.1]",
            "https://[0:0:0:0:0:0:0:1]",
            "https://[64:ff9b::127.0.0.1]",
            "https://[fe80::1]",
            "https://localhost",
            "https://LOCALHOST.",
            "https://a.localhost",
            "https:127.0.0.1",
            "https:\\\\127.0.0.1",
            "https://169.254.169.254/latest/meta-data",
            "https://%31%32%37.0.0.1",
            "https://127。0。0。1",
        ];
        for text in forms {
            assert!(matches!(refused(text), TargetError::Forbidden(_)), "{text}");
        }
    }
}
