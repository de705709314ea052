//! What an attempt came to.

use std::time::Duration;

use headwater::clock::{Clock, SystemClock};
use headwater::reexport::jiff::Timestamp;
use http::StatusCode;
use http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::secret::Mask;

/// How much of an answer is shown, in bytes.
const KEPT_MAX: usize = 1 << 10;
/// The longest time to be left alone that is understood; what is meant by more is "long".
const RETRY_AFTER_MAX: Duration = Duration::from_hours(366 * 24);

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Answered 200 to 299.
    Delivered,
    /// Answered 410: the endpoint wants nothing any more and is to be disabled.
    Gone,
    /// Under load (429, 502, 504, or no answer in time): to be tried again, later than usual.
    Throttled,
    /// Everything else, redirects included: to be tried again.
    Failed,
    /// Not attempted, because the URL or the address is not allowed: it is of no use to try
    /// again before one of them or the settings change.
    Refused,
}

/// One attempt, as the log of attempts keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// What follows from it.
    pub verdict: Verdict,
    /// The status of the answer; `None` when none came.
    pub status: Option<u16>,
    /// What went wrong, in words; `None` when nothing did.
    pub error: Option<String>,
    /// The beginning of the answer's body, at most 1 KiB, control characters escaped; `None`
    /// when it was empty.
    pub response: Option<String>,
    /// How long the endpoint asked to be left alone, at most 366 days; `None` when it did not.
    pub retry_after: Option<Duration>,
    /// From the start of the attempt, lookup and connection included, to the end of the answer.
    pub took: Duration,
}

/// An answer, as far as it was read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body, up to the bound of what is read.
    pub(super) kept: Vec<u8>,
    /// Why the body was not read to its end.
    pub(super) broken: Option<String>,
}

impl Answer {
    /// Judges the answer by its status alone: once it is there, the endpoint has decided, and
    /// what becomes of the body behind it changes nothing.
    pub(super) fn judged(self, took: Duration, mask: &Mask) -> Attempted {
        let verdict = match self.status.as_u16() {
            200..=299 => Verdict::Delivered,
            410 => Verdict::Gone,
            429 | 502 | 504 => Verdict::Throttled,
            _ => Verdict::Failed,
        };
        Attempted {
            verdict,
            status: Some(self.status.as_u16()),
            error: self.error(verdict, mask),
            response: Some(readable(&self.kept, mask)).filter(|text| !text.is_empty()),
            retry_after: self.retry_after(),
            took,
        }
    }

    fn error(&self, verdict: Verdict, mask: &Mask) -> Option<String> {
        let broken = self.broken.as_deref().map(|words| format!("the answer's body: {words}"));
        let status = match verdict {
            Verdict::Delivered => return broken,
            _ if self.status.is_redirection() => self.redirect(mask),
            _ => format!("the endpoint answered {}", self.status),
        };
        Some(broken.map_or(status.clone(), |broken| format!("{status}; {broken}")))
    }

    fn redirect(&self, mask: &Mask) -> String {
        let place = self.headers.get(LOCATION).map(|value| readable(value.as_bytes(), mask));
        let to = place.map(|place| format!(" to {place}")).unwrap_or_default();
        format!(
            "the endpoint answered {}{to}: redirects are not followed, change the url",
            self.status
        )
    }

    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry_after(text, || SystemClock.now())
    }
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date in one of the three forms of
/// section 5.6.7, which may be past.
fn retry_after(text: &str, now: impl Fn() -> Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let date = Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()?;
    let left = date.duration_since(now());
    Some(Duration::try_from(left).unwrap_or_default().min(RETRY_AFTER_MAX))
}

/// Makes bytes of others fit for a log and a page: text, no secrets, no control characters, at
/// most 1 KiB.
pub(super) fn readable(bytes: &[u8], mask: &Mask) -> String {
    let mut out = String::new();
    for c in String::from_utf8_lossy(&mask.hide(bytes, KEPT_MAX)).chars() {
        let before = out.len();
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
        if out.len() > KEPT_MAX {
            out.truncate(before);
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16) -> Attempted {
        let status = StatusCode::from_u16(status).unwrap();
        let (headers, kept) = (HeaderMap::new(), Vec::new());
        Answer { status, headers, kept, broken: None }.judged(Duration::ZERO, &Mask::default())
    }

    #[test]
    fn the_status_decides() {
        for (statuses, verdict) in [
            (vec![200, 201, 202, 204, 299], Verdict::Delivered),
            (vec![410], Verdict::Gone),
            (vec![429, 502, 504], Verdict::Throttled),
            (vec![300, 301, 302, 307, 308, 400, 404, 500, 503], Verdict::Failed),
        ] {
            for status in statuses {
                let attempted = judged(status);
                assert_eq!((attempted.verdict, attempted.status), (verdict, Some(status)));
                assert_eq!(attempted.error.is_none(), verdict == Verdict::Delivered);
            }
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_in_the_three_forms_of_a_date() {
        let now = || Timestamp::from_second(784_111_777).unwrap();
        let read = |text| retry_after(text, now);
        let (seconds, year) = (Duration::from_secs, Duration::from_hours(366 * 24));
        assert_eq!(read("120"), Some(seconds(120)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(year));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(seconds(60)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("Thu, 30 Dec 9999 12:00:00 GMT"), Some(year));
        assert_eq!(read("Sunday, 06-Nov-94 08:50:37 GMT"), Some(seconds(60)));
        assert_eq!(read("Sun Nov  6 08:50:37 1994"), Some(seconds(60)));
        for bad in ["", "-1", "1.5", "soon", "+5"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_an_endpoint_says_is_made_harmless() {
        let readable = |bytes: &[u8]| readable(bytes, &Mask::default());
        assert_eq!(readable(b"a\r\n\x1b[31mb\0\xff"), "a\\r\\n\\u{1b}[31mb\\u{0}\u{fffd}");
        assert_eq!(readable(&[b'a'; 5_000]).len(), KEPT_MAX);
        let many = "é\n".repeat(1_000);
        assert!(readable(many.as_bytes()).len() <= KEPT_MAX);
    }
}
