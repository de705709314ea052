//! Request bodies: bounded in bytes, in time and in depth, and JSON only.

use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::Deserialize;

use super::keys::Caller;
use super::{ApiLimits, ApiState, Problem, ProblemKind};
use crate::json::{self, JsonFault, Rules};

/// Bodies up to this size are not charged.
const FREE: usize = 16 << 10;

/// How often the bytes of a body are in memory, about: as it came, encoded, and in a batch.
const COPIES: usize = 3;

/// Reads the whole body of a JSON request, in which every text is one that all engines can hold.
///
/// The web framework has no deadline for bodies, so it is here: a client that sends a byte now
/// and then does not hold a connection for ever.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    bytes_max: usize,
    limits: &ApiLimits,
) -> Result<Bytes, Problem> {
    let body = read_data(request, payload, bytes_max, limits).await?;
    check(&body, Rules { depth_max: limits.json_depth_max, data: None })?;
    Ok(body)
}

/// Reads the whole body of a JSON request in whose fields `data` is data of events: any JSON.
pub(super) async fn read_events(
    request: &HttpRequest,
    payload: Payload,
    bytes_max: usize,
    limits: &ApiLimits,
) -> Result<Bytes, Problem> {
    let body = read_data(request, payload, bytes_max, limits).await?;
    check(&body, Rules { depth_max: limits.json_depth_max, data: Some("data") })?;
    Ok(body)
}

async fn read_data(
    request: &HttpRequest,
    payload: Payload,
    bytes_max: usize,
    limits: &ApiLimits,
) -> Result<Bytes, Problem> {
    if has_body(request) {
        check_media(request)?;
    }
    let stated = text(request, CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if stated.is_some_and(|len| len > bytes_max) {
        return Err(too_large(bytes_max));
    }
    if has_body(request) {
        hold(request, stated.unwrap_or(bytes_max)).await?;
    }
    let gathering = gather(payload, bytes_max, stated.unwrap_or_default());
    let gathered = tokio::time::timeout(limits.body_timeout, gathering).await;
    gathered.map_err(|_| too_slow(limits.body_timeout))?
}

/// Reads a body that has at most `bytes_max` bytes and no say in the outcome.
pub(super) async fn read_any(
    payload: Payload,
    bytes_max: usize,
    limits: &ApiLimits,
) -> Result<Bytes, Problem> {
    let gathered = tokio::time::timeout(limits.body_timeout, gather(payload, bytes_max, 0)).await;
    gathered.map_err(|_| too_slow(limits.body_timeout))?
}

/// Reads a value from JSON; an error names the field by its JSON pointer.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    Ok(json::read(body)?)
}

fn check(body: &[u8], rules: Rules) -> Result<(), Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Problem::new(ProblemKind::Invalid, "body is not UTF-8, as JSON is"))?;
    Ok(json::check(text, rules)?)
}

/// Returns whether a request comes with a body. One without may leave out its media type.
fn has_body(request: &HttpRequest) -> bool {
    let length = text(request, CONTENT_LENGTH);
    request.headers().contains_key(TRANSFER_ENCODING) || length.is_some_and(|len| len != "0")
}

/// Charges a body to its tenant before it is read, until the request is over.
///
/// Its events are parsed and encoded beside it, so it counts more than once. Small ones are not
/// worth counting.
async fn hold(request: &HttpRequest, len: usize) -> Result<(), Problem> {
    let state = request.app_data::<Data<ApiState>>();
    let Some(state) = state.filter(|_| len > FREE) else { return Ok(()) };
    let caller = request.extensions().get::<Caller>().cloned();
    let tenant = caller.as_ref().map_or(&state.config.operator, Caller::tenant);
    let held = state.budget.take(tenant, len.saturating_mul(COPIES)).await;
    request.extensions_mut().insert(held.map_err(Problem::closing)?);
    Ok(())
}

async fn gather(mut payload: Payload, bytes_max: usize, stated: usize) -> Result<Bytes, Problem> {
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
                // In one piece: a buffer that grows is copied, and is there twice meanwhile.
                parts.reserve(stated.min(bytes_max));
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
    let mut parts = media.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|own| own.eq_ignore_ascii_case("application/json"));
    if !is_json {
        let detail = "content-type must be application/json";
        return Err(Problem::new(ProblemKind::UnsupportedMedia, detail).closing());
    }
    let charset = parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("charset").then(|| value.trim_matches('"'))
    });
    if charset.is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
        let detail = "charset must be utf-8: JSON is always that";
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

impl From<JsonFault> for Problem {
    fn from(fault: JsonFault) -> Self {
        Self::field(fault.pointer, fault.problem)
    }
}
