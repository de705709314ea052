//! Signing in: the key in a cookie, where to go on, and whether a form came from our own pages.
//!
//! The cookie holds the key itself, so every node can check it and a revoked key ends at once;
//! `docs/decisions/0011-pages-sign-in-with-a-key.md` says what that costs.

use maud::{Markup, html};

use super::form::hidden;
use super::text::{Tone, notice};

/// Where the form to sign in is.
pub const SIGN_IN: &str = "/ui/sign-in";
/// Where a form to sign out is sent.
pub const SIGN_OUT: &str = "/ui/sign-out";
/// How long a browser keeps the key: 12 hours.
pub const SESSION_S: u32 = 12 * 3600;

const NAME: &str = "headwater-key";

/// Returns the form that takes a key, with what was wrong with the one before.
#[must_use]
pub fn sign_in(next: &str, fault: Option<&str>) -> Markup {
    html! {
        form method="post" action=(SIGN_IN) class="panel sign-in" {
            @if let Some(fault) = fault { (notice(Tone::Bad, fault)) }
            (hidden("next", next))
            div class="field" {
                label for="key" { "API key" }
                input type="password" id="key" name="key" autocomplete="current-password"
                    required autofocus spellcheck="false" aria-describedby="key-hint";
                small id="key-hint" {
                    "The text that begins with " code { "hw_" } ". This browser keeps it for 12 "
                    "hours at most; it opens what the key allows, of the key's tenant."
                }
            }
            div class="buttons" { button class="button main" type="submit" { "Sign in" } }
        }
    }
}

/// Returns the cookie that keeps a key; `is_secure` when the browser came by https.
#[must_use]
pub fn cookie(key: &str, is_secure: bool) -> String {
    written(key, SESSION_S, is_secure)
}

/// Returns the cookie that takes the place of one with a key, and ends.
#[must_use]
pub fn no_cookie(is_secure: bool) -> String {
    written("", 0, is_secure)
}

fn written(value: &str, age_s: u32, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{NAME}={value}; Path=/ui; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}")
}

/// Finds the key in a `Cookie` header; `None` when there is none or it is empty.
#[must_use]
pub fn of_cookies(header: &str) -> Option<&str> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, value)| *name == NAME && !value.is_empty()).map(|(_, value)| value).next()
}

/// Returns where to go on after signing in: a page of ours, and nothing else.
#[must_use]
pub fn safe_next(wanted: Option<&str>) -> &str {
    wanted.filter(|path| is_ours(path)).unwrap_or("/ui")
}

fn is_ours(wanted: &str) -> bool {
    let path = wanted.split(['?', '#']).next().unwrap_or_default();
    let is_under = path == "/ui" || path.starts_with("/ui/");
    // What a browser may read as another place: `//host`, `\`, and steps up in any spelling.
    let steps_up = path.contains("..") || path.to_ascii_lowercase().contains("%2e");
    let is_plain = wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_under && is_plain && !steps_up && !path.contains("//")
}

/// Returns whether a form came from a page of ours.
///
/// Browsers say so in `Sec-Fetch-Site`, but only to addresses they trust; to others they say the
/// page's `Origin`, which must name the same host. Whoever says neither is refused.
#[must_use]
pub fn came_from_here(site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> bool {
    match (site, origin, host) {
        (Some(site), _, _) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            let own = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            own.is_some_and(|own| own.eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_are_gone_on_to() {
        for good in ["/ui", "/ui/", "/ui?a=..", "/ui/outbox?q=a//b", "/ui/outbox/a.b"] {
            assert_eq!(safe_next(Some(good)), good);
        }
        for bad in [
            "",
            "/",
            "/uix",
            "/v1/events",
            "//evil.example/ui",
            "/ui//evil.example",
            "https://evil.example/ui",
            "/ui/../v1/events",
            "/ui/%2E%2e/v1",
            "/ui\\..\\x",
            "/ui/\r\nset-cookie: a=b",
            "javascript:alert(1)",
        ] {
            assert_eq!(safe_next(Some(bad)), "/ui", "{bad}");
        }
        assert_eq!(safe_next(None), "/ui");
    }

    #[test]
    fn a_form_of_another_site_is_told_apart() {
        let host = Some("hw.example:8080");
        let cases = [
            ((Some("same-origin"), None), true),
            ((Some("same-origin"), Some("null")), true),
            ((Some("same-site"), Some("https://hw.example:8080")), false),
            ((Some("cross-site"), Some("http://hw.example:8080")), false),
            ((Some("none"), None), false),
            ((None, Some("http://hw.example:8080")), true),
            ((None, Some("https://HW.example:8080")), true),
            ((None, Some("https://hw.example")), false),
            ((None, Some("https://evil.example")), false),
            ((None, Some("null")), false),
            ((None, None), false),
        ];
        for ((site, origin), is_ours) in cases {
            assert_eq!(came_from_here(site, origin, host), is_ours, "{site:?} {origin:?}");
        }
        assert!(!came_from_here(None, Some("http://hw.example:8080"), None));
    }

    #[test]
    fn the_cookie_is_strict_bounded_and_read_back() {
        let set = cookie("hw_a_b", true);
        assert_eq!(
            set,
            "headwater-key=hw_a_b; Path=/ui; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(!cookie("hw_a_b", false).contains("Secure"));
        assert_eq!(of_cookies("a=b; headwater-key=hw_a_b; c=d"), Some("hw_a_b"));
        assert_eq!(of_cookies("headwater-key="), None);
        assert!(no_cookie(false).contains("Max-Age=0"));
    }

    #[test]
    fn the_form_says_what_was_wrong_and_escapes_where_to_go_on() {
        let text = sign_in("/ui/\"<x>", Some("No.")).into_string();
        assert!(text.contains("value=\"/ui/&quot;&lt;x&gt;\"") && text.contains("No."), "{text}");
    }
}
