//! Endpoints set up: registered, and changed.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Admin, Caller};
use headwater::api::{Call, Problem, ProblemKind};
use headwater::event::EventId;
use headwater::page::path_part;

use super::command::{CommandHeaders, CommandProblems, command, key, send};
use super::document::{EndpointBody, NewEndpointDocument, ReceiptDocument};
use super::handshake::ask;
use super::known::{check_room, met};
use super::secret::Made;
use crate::endpoint::{Change, EndpointConfig, Register, Start};
use crate::plugin::Shared;
use crate::table::EndpointKey;

/// Registers an endpoint, which gets events from then on. Its secret is shown this once.
#[utoipa::path(
    post,
    path = "/v1/endpoints",
    tag = "endpoints",
    operation_id = "registerEndpoint",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Name of the intent: sent again it makes the same endpoint, with the same secret", min_length = 1, max_length = 128),
    ),
    request_body(content = EndpointBody),
    responses(
        (status = 201, description = "Registered", body = NewEndpointDocument, headers(("ETag" = String, description = "Revision, in quotes"), ("Location" = String, description = "The endpoint"))),
        (status = 403, description = "A broker is the target, and the key is not of the operator's tenant"),
        (status = 422, description = "The id is taken, or the tenant has as many endpoints as it may"),
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn register(
    Admin(caller): Admin,
    shared: Data<Shared>,
    mut call: Call,
) -> Result<HttpResponse, Problem> {
    let mut body: EndpointBody = call.body().await?;
    // Sent again under its key, the same request makes the same endpoint with the same secret.
    let intent = call.send_options(&caller)?.idempotency_key;
    let id = match body.id.take() {
        Some(id) => id,
        None => fresh_id(&shared, &caller, intent.as_deref())?,
    };
    check_id(&id)?;
    let key = EndpointKey { tenant: caller.tenant().clone(), id: id.as_str().into() };
    let made = Made { shared: &shared, key: &key, intent: intent.as_deref() };
    let (text, kind) = (body.secret.take(), body.secret_kind.take());
    let (start, asks) = (body.start.take().unwrap_or_default(), body.target.asks());
    if let Start::After(after) = start {
        call.check_place("/start/after", after).await?;
    }
    let mut config = body.config(&shared, &key, None)?;
    check_operator(&call, &caller, &config)?;
    let secret = made.of_target(&config.target, text, kind)?;
    let sealed = secret.as_ref().map(|secret| made.sealed(secret)).transpose()?;
    if asks {
        ask(&shared, &mut config, None).await?;
    }
    let command = Register { config, secret: sealed, start };
    let _registering = shared.registering.lock().await;
    check_room(&shared, &key).await?;
    let receipt = send(&call, &caller, &id, command).await?;
    let document = NewEndpointDocument::new(id, secret.as_ref(), &receipt);
    let place = format!("/v1/endpoints/{}", path_part(&document.id));
    Ok(call.at_revision(call.created(&place, &document)?, receipt.revision))
}

/// Sets an endpoint up anew; what it got and owes stays.
#[utoipa::path(
    put,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    operation_id = "changeEndpoint",
    params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
    request_body(content = EndpointBody),
    responses(
        (status = 200, description = "Changed", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        (status = 403, description = "A broker is the target, and the key is not of the operator's tenant"),
        CommandProblems,
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn change(
    Admin(caller): Admin,
    shared: Data<Shared>,
    mut call: Call,
) -> Result<HttpResponse, Problem> {
    let body: EndpointBody = call.body().await?;
    body.check_change()?;
    let key = key(&caller, &call);
    // What is kept of it must be known, although it was registered a moment ago.
    let before = met(&shared, &key).await?.endpoint.config.clone();
    let (asks, kept_headers) = (body.target.asks(), body.target.kept_headers());
    let mut config = body.config(&shared, &key, before.as_ref())?;
    check_operator(&call, &caller, &config)?;
    if asks {
        ask(&shared, &mut config, before.as_ref()).await?;
    }
    command(&call, &caller, Change { config, kept_headers }).await
}

/// Refuses what only the operator's endpoints may have, as the server knows the operator; the
/// outbox checks its own setting.
fn check_operator(call: &Call, caller: &Caller, config: &EndpointConfig) -> Result<(), Problem> {
    let of_operator = config.target.is_published() || config.filter.names_others(caller.tenant());
    if of_operator && caller.tenant() != call.operator() {
        let detail = "brokers and filter.tenants are only for endpoints of the operator's tenant";
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    Ok(())
}

/// Refuses an id that no client can ask for: as parts of an address these lead to another one.
fn check_id(id: &str) -> Result<(), Problem> {
    match id {
        "." | ".." => Err(Problem::field("/id", "cannot be part of an address: choose another")),
        _ => Ok(()),
    }
}

fn fresh_id(shared: &Shared, caller: &Caller, intent: Option<&str>) -> Result<String, Problem> {
    let Some(intent) = intent else { return Ok(EventId::fresh().to_string()) };
    let bytes = shared.seal()?.derive(&format!("endpoint of {} by {intent}", caller.tenant()));
    Ok(bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}
