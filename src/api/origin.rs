//! Where a request comes from: its correlation id and trace context.

use actix_web::http::header::HeaderMap;

use crate::event::Metadata;

pub(super) const CORRELATION_HEADER: &str = "x-correlation-id";
const CORRELATION_LEN_MAX: usize = 64;
const TRACEPARENT_LEN: usize = 55;

/// The thread that a request belongs to; taken from the client only when it is harmless.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub correlation_id: String,
    pub traceparent: Option<String>,
}

impl Origin {
    /// Reads the headers; makes a correlation id when the client gave none that is safe.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let traceparent = text("traceparent").filter(|text| is_traceparent(text));
        let trace_id = || traceparent.and_then(|text| text.get(3..35)).map(str::to_owned);
        let correlation_id = text(CORRELATION_HEADER)
            .filter(|text| is_safe(text))
            .map(str::to_owned)
            .or_else(trace_id)
            .unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        Self { correlation_id, traceparent: traceparent.map(str::to_owned) }
    }

    /// Returns the metadata of what `who` sets off.
    pub fn metadata(&self, who: &str) -> Metadata {
        Metadata {
            correlation_id: Some(self.correlation_id.clone()),
            traceparent: self.traceparent.clone(),
            who: Some(who.to_owned()),
            ..Metadata::default()
        }
    }
}

fn is_safe(text: &str) -> bool {
    let is_safe_byte = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b':');
    (1..=CORRELATION_LEN_MAX).contains(&text.len()) && text.bytes().all(is_safe_byte)
}

/// W3C trace context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, len| {
        part.len() == len && part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_set = |part: &str| part.bytes().any(|c| c != b'0');
    let mut parts = text.split('-');
    let mut next = || parts.next().unwrap_or_default();
    let (version, trace, span, flags) = (next(), next(), next(), next());
    text.len() == TRACEPARENT_LEN
        && version == "00"
        && (is_hex(trace, 32) && is_set(trace))
        && (is_hex(span, 16) && is_set(span))
        && is_hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn origin(name: &'static str, value: &str) -> Origin {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        Origin::of(&headers)
    }

    #[test]
    fn a_safe_correlation_id_is_kept_and_any_other_is_replaced() {
        assert_eq!(origin(CORRELATION_HEADER, "order-7:a.b_c").correlation_id, "order-7:a.b_c");
        for bad in ["", "a b", "<script>", "a\tb", &"x".repeat(65)] {
            assert_ne!(origin(CORRELATION_HEADER, bad).correlation_id, bad);
        }
    }

    #[test]
    fn a_trace_gives_the_correlation_id_when_there_is_no_other() {
        let origin = origin("traceparent", TRACE);
        assert_eq!(origin.correlation_id, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(origin.traceparent.as_deref(), Some(TRACE));
    }

    #[test]
    fn a_malformed_trace_is_dropped() {
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for bad in ["x", zero, &TRACE.to_uppercase(), &TRACE.replace("00-0", "01-0")] {
            assert_eq!(origin("traceparent", bad).traceparent, None, "{bad}");
        }
    }
}
