//! Request bodies: bounded in bytes, in time and in depth, and JSON only.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_path_to_error::Segment;

use super::{ApiLimits, Problem, ProblemKind};

/// Reads the whole body of a JSON request.
///
/// The web framework has no deadline for bodies, so it is here: a client that sends a byte now
/// and then does not hold a connection for ever.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    bytes_max: usize,
    limits: &ApiLimits,
) -> Result<Bytes, Problem> {
    check_media(request)?;
    let stated = text(request, CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if stated.is_some_and(|len| len > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let gathered = tokio::time::timeout(limits.body_timeout, gather(payload, bytes_max)).await;
    let body = gathered.map_err(|_| too_slow(limits.body_timeout))??;
    check_depth(&body, limits.json_depth_max)?;
    Ok(body)
}

/// Reads a body that has at most `bytes_max` bytes and no say in the outcome.
pub(super) async fn read_any(
    payload: Payload,
    bytes_max: usize,
    limits: &ApiLimits,
) -> Result<Bytes, Problem> {
    let gathered = tokio::time::timeout(limits.body_timeout, gather(payload, bytes_max)).await;
    gathered.map_err(|_| too_slow(limits.body_timeout))?
}

/// Reads a value from JSON; an error names the field by its JSON pointer.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::field(pointer, error.into_inner().to_string())
    })?;
    json.end().map_err(|error| Problem::field("", error.to_string()))?;
    Ok(value)
}

async fn gather(mut payload: Payload, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(ProblemKind::Invalid, format!("body could not be read: {error}")).closing()
        })?;
        if whole.len() + parts.len() + chunk.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        match (whole.is_empty(), parts.is_empty()) {
            (true, true) => whole = chunk,
            (false, _) => {
                parts.extend_from_slice(&std::mem::take(&mut whole));
                parts.extend_from_slice(&chunk);
            }
            (true, false) => parts.extend_from_slice(&chunk),
        }
    }
    Ok(if parts.is_empty() { whole } else { parts.freeze() })
}

fn check_media(request: &HttpRequest) -> Result<(), Problem> {
    let media = text(request, CONTENT_TYPE).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "content-type must be application/json";
        return Err(Problem::new(ProblemKind::UnsupportedMedia, detail).closing());
    }
    match text(request, CONTENT_ENCODING) {
        None | Some("identity") => Ok(()),
        Some(_) => {
            let detail = "content-encoding is not supported: send the body as it is";
            Err(Problem::new(ProblemKind::UnsupportedMedia, detail).closing())
        }
    }
}

/// Counts brackets outside of texts; raw event data is otherwise never taken apart.
fn check_depth(body: &[u8], depth_max: usize) -> Result<(), Problem> {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in body {
        match (in_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            let detail = format!("JSON nests deeper than {depth_max} levels");
            return Err(Problem::new(ProblemKind::Invalid, detail));
        }
    }
    Ok(())
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn text(request: &HttpRequest, name: actix_web::http::header::HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("body has more than {bytes_max} bytes: send less at once");
    Problem::new(ProblemKind::TooLarge, detail).with("bytes_max", bytes_max).closing()
}

fn too_slow(bound: Duration) -> Problem {
    let detail = format!("body did not arrive within {} s: send it again", bound.as_secs_f32());
    Problem::new(ProblemKind::BodyTimeout, detail).closing()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Part {
        #[serde(rename = "n")]
        _n: u8,
    }

    #[derive(Debug, Deserialize)]
    struct Whole {
        #[serde(rename = "parts")]
        _parts: Vec<Part>,
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let problem = parse::<Whole>(br#"{"parts":[{"n":1},{"n":"x"}]}"#).unwrap_err();
        assert!(problem.to_string().contains("/parts/1/n"), "{problem}");
    }

    #[test]
    fn text_behind_the_value_is_refused() {
        assert!(parse::<u8>(b"1 2").is_err());
    }

    #[test]
    fn brackets_in_texts_do_not_count_as_depth() {
        assert!(check_depth(br#"{"a":"[[[[\"[[[["}"#, 1).is_ok());
        assert!(check_depth(b"[[1]]", 1).is_err());
        assert!(check_depth(b"[1],[2]", 1).is_ok());
    }

    proptest! {
        #[test]
        fn depth_is_refused_exactly_beyond_the_bound(depth in 1_usize..200, max in 1_usize..200) {
            let body = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            prop_assert_eq!(check_depth(body.as_bytes(), max).is_ok(), depth <= max);
        }
    }
}
