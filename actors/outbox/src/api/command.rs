//! Commands to endpoints, sent with what the request says of them.

use headwater::aggregate::{Command, Decide, Receipt};
use headwater::api::http::HttpResponse;
use headwater::api::keys::Caller;
use headwater::api::{Call, Problem, ProblemKind};
use headwater::event::Tenant;
use headwater::runtime::{SendError, SendOptions, System};
use utoipa::{IntoParams, IntoResponses};

use super::document::{ReceiptDocument, invalid};
use crate::endpoint::{Endpoint, EndpointRejection};
use crate::table::EndpointKey;

/// What the headers of a command to an endpoint say, for the OpenAPI document; [`Call`] reads
/// them itself.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what `Call::send_options` reads")]
pub(super) struct CommandHeaders {
    /// Name of the intent: sent again it is done once.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 128)]
    idempotency_key: Option<String>,
    /// Revision, in quotes, at which it is to be decided: the `ETag` of a reply.
    #[param(rename = "If-Match", pattern = r#"^"[0-9]+"$"#)]
    if_match: Option<String>,
}

/// The problems of a command to an endpoint, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes what commands are refused with")]
pub(super) enum CommandProblems {
    /// The tenant has no such endpoint
    #[response(status = 404)]
    Unknown,
    /// The endpoint's revision is another than `If-Match` says
    #[response(status = 412)]
    OtherRevision,
    /// The rules said no: `code` says which; or the idempotency key is taken
    #[response(status = 422)]
    Rejected,
}

/// Sends a command to the endpoint of the address and replies with its receipt.
pub(super) async fn command<C: Command>(
    call: &Call,
    caller: &Caller,
    command: C,
) -> Result<HttpResponse, Problem>
where
    Endpoint: Decide<C>,
{
    let receipt = send(call, caller, &call.variable("id"), command).await?;
    receipt_reply(call, &receipt)
}

/// Replies with a receipt.
pub(super) fn receipt_reply(call: &Call, receipt: &Receipt) -> Result<HttpResponse, Problem> {
    let reply = call.reply(200, &ReceiptDocument::new(receipt))?;
    Ok(call.at_revision(reply, receipt.revision))
}

/// Sends a command to an endpoint of the caller's tenant.
pub(super) async fn send<C: Command>(
    call: &Call,
    caller: &Caller,
    id: &str,
    command: C,
) -> Result<Receipt, Problem>
where
    Endpoint: Decide<C>,
{
    let address = (caller.tenant(), id);
    send_with(call.system(), address, command, call.send_options(caller)?).await
}

/// Sends a command to an endpoint of a tenant.
pub(crate) async fn send_with<C: Command>(
    system: &System,
    (tenant, id): (&Tenant, &str),
    command: C,
    options: SendOptions,
) -> Result<Receipt, Problem>
where
    Endpoint: Decide<C>,
{
    let handle = system.at::<Endpoint>(tenant, id);
    let handle = handle.map_err(|error| Problem::field("/id", error.to_string()))?;
    let sent = handle.send_with(command, options).await;
    sent.map_err(|error| match error {
        SendError::Rejected { rejection: EndpointRejection::NotRegistered, .. } => unknown(),
        SendError::Rejected {
            rejection: rejection @ EndpointRejection::Invalid { .. }, ..
        } => invalid(&rejection),
        error => error.into(),
    })
}

/// Returns the endpoint of the address.
pub(crate) fn key(caller: &Caller, call: &Call) -> EndpointKey {
    EndpointKey { tenant: caller.tenant().clone(), id: (&*call.variable("id")).into() }
}

pub(crate) fn unknown() -> Problem {
    Problem::new(ProblemKind::NotFound, "the tenant has no such endpoint")
}
