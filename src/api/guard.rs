//! The layer before every closed route: a good key, and its turn.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, AUTHORIZATION, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use super::keys::KeyText;
use super::{ApiState, Problem, ProblemKind};

/// Lets one request pass, or says why not.
pub(super) async fn guard<B: MessageBody + 'static>(
    state: Arc<ApiState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admit(&state, &request).await {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(problem) => Ok(request.error_response(problem)),
    }
}

async fn admit(state: &ApiState, request: &ServiceRequest) -> Result<(), Problem> {
    let key = bearer(request.headers())?;
    let_in(state, request, &key).await?;
    check_accept(request)
}

/// Checks a key and takes its turn.
pub(super) async fn let_in(
    state: &ApiState,
    request: &ServiceRequest,
    key: &KeyText,
) -> Result<(), Problem> {
    let caller = state.keys.authenticate(key).await?;
    let turn = caller.take_turn();
    let mut extensions = request.extensions_mut();
    extensions.insert(caller);
    match turn {
        None => Ok(()),
        Some(turn) => {
            extensions.insert(turn.clone());
            turn.granted()
        }
    }
}

/// Reads the key of the one `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<KeyText, Problem> {
    let refused = |detail| Problem::new(ProblemKind::Unauthenticated, detail).closing();
    let mut values = headers.get_all(AUTHORIZATION);
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => return Err(refused("send one header: authorization: Bearer hw_…")),
    };
    let (scheme, key) = value.to_str().ok().and_then(|text| text.split_once(' ')).unzip();
    if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")) {
        return Err(refused("authorization must be Bearer and a key"));
    }
    let key = key.and_then(|text| KeyText::parse(text.trim()));
    key.ok_or_else(|| refused("key is mistyped or cut: its checksum does not hold"))
}

/// Refuses a client that does not take what the address sends: JSON, but for a few.
fn check_accept(request: &ServiceRequest) -> Result<(), Problem> {
    let mut accepted = request.headers().get_all(ACCEPT).peekable();
    if accepted.peek().is_none() {
        return Ok(());
    }
    let wanted = match request.path() {
        "/v1/events/subscribe" => ["text/event-stream", "text/*", "*/*"],
        "/metrics" => ["text/plain", "text/*", "*/*"],
        _ => ["application/json", "application/*", "*/*"],
    };
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let is_excluded = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !is_excluded && wanted.iter().any(|own| own.eq_ignore_ascii_case(media))
    };
    let is_taken =
        accepted.filter_map(|value| value.to_str().ok()).any(|value| value.split(',').any(takes));
    let [best, ..] = wanted;
    match is_taken {
        true => Ok(()),
        false => Err(Problem::new(ProblemKind::NotAcceptable, format!("accept {best}"))),
    }
}
