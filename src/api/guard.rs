//! The layer before every closed route: a good key, and its turn.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, AUTHORIZATION, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use super::keys::KeyText;
use super::{ApiState, PluginRoutes, Problem, ProblemKind};

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
    check_accept(state, request)
}

/// Checks a key and takes its turn.
pub(super) async fn let_in(
    state: &ApiState,
    request: &ServiceRequest,
    key: &KeyText,
) -> Result<(), Problem> {
    let address = request.peer_addr().map(|peer| peer.ip());
    let caller = state.keys.authenticate(key, address).await?;
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

const JSON: [&str; 3] = ["application/json", "application/*", "*/*"];
const EVENT_STREAM: [&str; 3] = ["text/event-stream", "text/*", "*/*"];
const PLAIN: [&str; 3] = ["text/plain", "text/*", "*/*"];

/// Refuses a client that does not take what the address sends: JSON, but for a few.
fn check_accept(state: &ApiState, request: &ServiceRequest) -> Result<(), Problem> {
    let headers = request.headers();
    if !headers.contains_key(ACCEPT) {
        return Ok(());
    }
    let wanted = match request.path() {
        "/v1/events/subscribe" => EVENT_STREAM,
        "/metrics" => PLAIN,
        _ => JSON,
    };
    let pushes = || {
        let routes = state.system.routes::<PluginRoutes>();
        routes.iter().any(|own| own.pushes(request.path()))
    };
    let [best, ..] = wanted;
    match takes(headers, &wanted) || (takes_event_stream(headers) && pushes()) {
        true => Ok(()),
        false => Err(Problem::new(ProblemKind::NotAcceptable, format!("accept {best}"))),
    }
}

/// Returns whether a client takes one of these media types.
fn takes(headers: &HeaderMap, wanted: &[&str]) -> bool {
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let is_excluded = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !is_excluded && wanted.iter().any(|own| own.eq_ignore_ascii_case(media))
    };
    let mut accepted = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.split(',').any(takes))
}

/// Returns whether a client asks for a page by name, as browsers do.
pub(super) fn takes_html(headers: &HeaderMap) -> bool {
    takes(headers, &["text/html"])
}

/// Returns whether a client asks for server-sent events by name.
pub(super) fn takes_event_stream(headers: &HeaderMap) -> bool {
    takes(headers, &["text/event-stream"])
}
