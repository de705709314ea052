//! Why no answer came, in words for the person who runs the endpoint.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use rustls::CertificateError as Certificate;

use super::answer::Verdict;
use super::connector::ConnectTimedOut;
use super::guard::LookupError;

/// Why there is no answer.
pub(super) struct Fault {
    pub(super) verdict: Verdict,
    pub(super) words: String,
}

impl Fault {
    pub(super) fn timed_out(timeout: Duration) -> Self {
        let words = format!("time-out: no answer within {}", seconds(timeout));
        // An endpoint that is slow is under load: it is left alone for longer.
        Self { verdict: Verdict::Throttled, words }
    }

    /// Reads an error of the client, whose own words name its layers, not the cause.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let causes = causes(error);
        if let Some(lookup) = causes.iter().find_map(|it| it.downcast_ref::<LookupError>()) {
            let verdict = match lookup {
                LookupError::Forbidden { .. } => Verdict::Refused,
                LookupError::NoAddress { .. } | LookupError::Failed { .. } => Verdict::Failed,
            };
            return Self { verdict, words: format!("DNS: {lookup}") };
        }
        if let Some(late) = causes.iter().find_map(|it| it.downcast_ref::<ConnectTimedOut>()) {
            return Self { verdict: Verdict::Throttled, words: format!("time-out: {late}") };
        }
        Self { verdict: Verdict::Failed, words: words_of(&causes) }
    }
}

/// Writes a time as people say it.
pub(super) fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

fn words_of(causes: &[&(dyn Error + 'static)]) -> String {
    let tls = causes.iter().find_map(|it| it.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        return format!("TLS: {}", tls_words(tls));
    }
    // The innermost knows most.
    let io = causes.iter().rev().find_map(|it| it.downcast_ref::<io::Error>());
    if let Some(words) = io.and_then(io_words) {
        return words.to_owned();
    }
    let last = causes.last().map(ToString::to_string).unwrap_or_default();
    format!("no valid answer: {last}")
}

fn io_words(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused: nothing listens there",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "connection reset: the endpoint broke it off"
        }
        ErrorKind::UnexpectedEof => "connection closed before an answer",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "no route to the endpoint's address"
        }
        ErrorKind::TimedOut => "time-out: no connection",
        _ => return None,
    })
}

fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(certificate) => certificate_words(certificate),
        rustls::Error::InvalidMessage(_) => "the endpoint does not speak TLS on this port".into(),
        rustls::Error::PeerIncompatible(_) => {
            format!("the endpoint and this program have no version or cipher in common ({error})")
        }
        rustls::Error::AlertReceived(alert) => {
            format!("the endpoint broke the handshake off with the alert {alert:?}")
        }
        other => other.to_string(),
    }
}

fn certificate_words(error: &Certificate) -> String {
    let words = match error {
        Certificate::Expired | Certificate::ExpiredContext { .. } => "has expired: renew it",
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            "is not valid yet: check the clocks"
        }
        // The second is of an authority that has the name of a known one, not its key.
        Certificate::UnknownIssuer | Certificate::BadSignature => {
            "is not trusted: no known authority vouches for it; send the whole chain, or name the \
             authority in outbox.ca_file"
        }
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
            "is for another name than the URL's host"
        }
        Certificate::Revoked => "has been revoked",
        other => return format!("the endpoint's certificate is not valid: {other}"),
    };
    format!("the endpoint's certificate {words}")
}

/// Returns an error and what it was caused by, outermost first.
///
/// An I/O error names the source of what it wraps, not what it wraps, so it is looked into.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut found: Vec<&'a (dyn Error + 'static)> = Vec::new();
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        found.push(cause);
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    found
}
