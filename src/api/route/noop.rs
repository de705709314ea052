//! `POST /v1/noop`: reads a body and does nothing; benches measure against it.

use actix_web::HttpResponse;
use actix_web::web::{Data, Payload};

use crate::api::keys::Writer;
use crate::api::{ApiState, Problem, body};

/// Reads a body and replies with nothing.
pub(in crate::api) async fn noop(
    _: Writer,
    state: Data<ApiState>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let limits = &state.config.limits;
    body::read_any(payload, limits.command_bytes_max, limits).await?;
    Ok(HttpResponse::NoContent().finish())
}
