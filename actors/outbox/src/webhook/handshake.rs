//! Asking an endpoint whether it wants deliveries at all: the validation handshake of the
//! CloudEvents specification "HTTP 1.1 Web Hooks for Event Delivery" 1.0.2, section 4.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::answer::{Answer, Verdict};
use super::client::{WebhookClient, WebhookRequest};
use crate::secret::Mask;

/// Goes with the handshake, and with every delivery after it.
pub const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
const TIMEOUT: Duration = Duration::from_secs(15);

/// What an endpoint allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandshakeAllowed {
    /// How many deliveries a minute; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub per_minute: Option<NonZeroU32>,
}

/// Says why an endpoint does not get deliveries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The origin cannot stand in a header. The operator acts.
    #[error("the origin {origin:?} is not a DNS name: set outbox.origin to this system's")]
    Origin {
        /// The origin.
        origin: String,
    },
    /// The URL or its address is not allowed. The caller acts.
    #[error("{problem}")]
    Refused {
        /// Why, and what to do.
        problem: String,
    },
    /// No answer came. The endpoint's owner acts; it may be tried again.
    #[error("the endpoint did not answer the handshake: {problem}")]
    NoAnswer {
        /// Why.
        problem: String,
    },
    /// The endpoint answered without permission. The endpoint's owner acts.
    #[error(
        "the endpoint answered {status} without webhook-allowed-origin: let it answer OPTIONS with \
         that header and this system's origin or *"
    )]
    Withheld {
        /// The status, which by itself means nothing here.
        status: u16,
    },
    /// The endpoint allows another sender. The endpoint's owner acts.
    #[error("the endpoint allows the origin {allowed:?}: let it allow this system's or *")]
    OtherOrigin {
        /// Whom it allows.
        allowed: String,
    },
    /// The endpoint's rate is no number. The endpoint's owner acts.
    #[error("the endpoint's webhook-allowed-rate {rate:?} is neither a number from 1 nor *")]
    Rate {
        /// What it said.
        rate: String,
    },
}

impl WebhookClient {
    /// Asks an endpoint whether deliveries of `origin`, a DNS name for this whole system, may be
    /// sent to it, and how many a minute (`per_minute`; `None` asks for no rate).
    ///
    /// # Errors
    /// [`HandshakeError`] when it does not answer within 15 s, or does not allow it.
    pub async fn handshake(
        &self,
        url: Url,
        origin: &str,
        per_minute: Option<NonZeroU32>,
    ) -> Result<HandshakeAllowed, HandshakeError> {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ORIGIN, origin_value(origin)?);
        if let Some(rate) = per_minute {
            headers.insert(REQUEST_RATE, HeaderValue::from(rate.get()));
        }
        let (body, mask) = (Bytes::new(), Mask::default());
        let request = WebhookRequest { url, headers, body, timeout: TIMEOUT, mask };
        let answer = self.exchange(Method::OPTIONS, request).await;
        let answer = answer.map_err(|fault| match fault.verdict {
            Verdict::Refused => HandshakeError::Refused { problem: fault.words },
            _ => HandshakeError::NoAnswer { problem: fault.words },
        })?;
        allowed(&answer, origin)
    }
}

/// Makes what goes with the handshake and every delivery: this system's name.
///
/// # Errors
/// [`HandshakeError::Origin`] when it is not a DNS name.
pub fn origin_value(origin: &str) -> Result<HeaderValue, HandshakeError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let wrong = || HandshakeError::Origin { origin: origin.to_owned() };
    match !origin.is_empty() && origin.bytes().all(is_name) {
        true => HeaderValue::from_str(origin).map_err(|_| wrong()),
        false => Err(wrong()),
    }
}

/// Reads the permission: the headers alone count, whatever the status.
fn allowed(answer: &Answer, origin: &str) -> Result<HandshakeAllowed, HandshakeError> {
    let text = |name: HeaderName| {
        let value = answer.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    };
    let Some(allowed) = text(ALLOWED_ORIGIN) else {
        return Err(HandshakeError::Withheld { status: answer.status.as_u16() });
    };
    if allowed != "*" && !allowed.eq_ignore_ascii_case(origin) {
        return Err(HandshakeError::OtherOrigin { allowed });
    }
    let per_minute = match text(ALLOWED_RATE) {
        None => None,
        Some(rate) if rate == "*" => None,
        Some(rate) => Some(rate.parse().map_err(|_| HandshakeError::Rate { rate })?),
    };
    Ok(HandshakeAllowed { per_minute })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(HeaderName, &str)]) -> Result<HandshakeAllowed, HandshakeError> {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let headers = headers.iter().map(|(name, text)| (name.clone(), value(text))).collect();
        let status = http::StatusCode::OK;
        let answer = Answer { status, headers, kept: Vec::new(), broken: None };
        allowed(&answer, "a.example.com")
    }

    #[test]
    fn permission_is_in_the_headers_alone() {
        let rate = |per_minute| Ok(HandshakeAllowed { per_minute: NonZeroU32::new(per_minute) });
        assert_eq!(read(&[]), Err(HandshakeError::Withheld { status: 200 }));
        assert_eq!(read(&[(ALLOWED_ORIGIN, "*")]), rate(0));
        assert_eq!(read(&[(ALLOWED_ORIGIN, "A.example.com"), (ALLOWED_RATE, "*")]), rate(0));
        assert_eq!(read(&[(ALLOWED_ORIGIN, "*"), (ALLOWED_RATE, "120")]), rate(120));
        let other = read(&[(ALLOWED_ORIGIN, "b.example.com")]).unwrap_err();
        assert!(other.to_string().contains("b.example.com"), "{other}");
        for bad in ["0", "-1", "", "fast"] {
            let error = read(&[(ALLOWED_ORIGIN, "*"), (ALLOWED_RATE, bad)]).unwrap_err();
            assert_eq!(error, HandshakeError::Rate { rate: bad.into() });
        }
    }

    #[test]
    fn an_origin_is_a_name_that_fits_into_a_header() {
        assert!(origin_value("events.example.com").is_ok());
        for bad in ["", "a b", "a\r\nb", "https://a"] {
            assert!(matches!(origin_value(bad), Err(HandshakeError::Origin { .. })), "{bad}");
        }
    }
}
