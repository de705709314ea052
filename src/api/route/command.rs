//! `POST /v1/{category}/{id}/{command}`: asks an aggregate to decide.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::{RESERVED, origin_of};
use crate::aggregate::Receipt;
use crate::api::keys::Writer;
use crate::api::query::Parameters;
use crate::api::reply::{json, with_location, with_revision};
use crate::api::{ApiState, Problem, ProblemKind, body, idempotency, precondition};
use crate::event::NameError;
use crate::page::path_part;
use crate::runtime::{JsonCommand, SendOptions};

/// Where a command's events came to lie; they are durable.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Receipt)]
pub(in crate::api) struct ReceiptDocument {
    /// The aggregate's revision after the command.
    revision: u64,
    /// Position of the command's last event; pass it as `at_least` to read your own write.
    position: u64,
    /// How many events the command led to; 0 when there was nothing to do.
    events: u32,
    /// Whether this is the receipt of an earlier command with the same idempotency key.
    replayed: bool,
}

/// Sends one command.
///
/// 201 when it led to events, 200 when there was nothing to do or it had been done already.
#[utoipa::path(
    post,
    path = "/v1/{category}/{id}/{command}",
    tag = "commands",
    operation_id = "sendCommand",
    params(
        ("category" = String, Path, description = "Kind of aggregate", max_length = 64),
        ("id" = String, Path, description = "Which one", max_length = 256),
        ("command" = String, Path, description = "What it is asked to do", max_length = 64),
        ("Idempotency-Key" = Option<String>, Header, description = "Name of the intent: sent again it is done once", min_length = 1, max_length = 128),
        ("If-Match" = Option<String>, Header, description = "Revision, in quotes, at which it is to be decided", pattern = r#"^"[0-9]+"$"#),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if it does not exist yet"),
    ),
    request_body(content = serde_json::Value, description = "The command's fields"),
    responses(
        (status = 200, description = "Nothing to do, or done before", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        (status = 201, description = "Done", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"), ("Location" = String, description = "The aggregate's stream"))),
        (status = 404, description = "No such category or command"),
        (status = 409, description = "Others changed the stream each time"),
        (status = 412, description = "The revision is another"),
        (status = 422, description = "The rules said no, or the idempotency key is taken"),
    ),
    security(("key" = ["write"])),
)]
pub(in crate::api) async fn send(
    Writer(caller): Writer,
    state: Data<ApiState>,
    path: Path<(String, String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (category, id, command) = path.into_inner();
    if RESERVED.contains(&category.as_str()) {
        return Err(Problem::new(ProblemKind::NotFound, "no such address: see /v1/openapi.json"));
    }
    Parameters::of(request.query_string(), &[])?;
    if matches!(id.as_str(), "." | "..") {
        return Err(NameError::Dots { what: "stream id" }.into());
    }
    let options = SendOptions {
        metadata: origin_of(&request).metadata(caller.name()),
        idempotency_key: idempotency::key(request.headers())?,
        expected: precondition::revision_of(request.headers())?,
    };
    let limits = &state.config.limits;
    let body = body::read(&request, payload, limits.command_bytes_max, limits).await?;
    let stream = format!("/v1/streams/{}/{}", path_part(&category), path_part(&id));
    let tenant = caller.tenant().clone();
    let command = JsonCommand { tenant, category, id, command, body, options };
    let receipt = state.system.send_json(command).await?;
    reply(receipt, &stream)
}

fn reply(receipt: Receipt, stream: &str) -> Result<HttpResponse, Problem> {
    let is_new = receipt.events > 0 && !receipt.replayed;
    let document = ReceiptDocument {
        revision: receipt.revision.get(),
        position: receipt.position.get(),
        events: receipt.events,
        replayed: receipt.replayed,
    };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let reply = with_revision(json(status, &document)?, receipt.revision);
    Ok(if is_new { with_location(reply, stream) } else { reply })
}
