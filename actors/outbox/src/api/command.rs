//! Commands to endpoints, sent with what the request says of them.

use headwater::aggregate::{Command, Decide, Receipt};
use headwater::api::http::HttpResponse;
use headwater::api::keys::Caller;
use headwater::api::{Call, Problem, ProblemKind};
use headwater::event::Tenant;
use headwater::runtime::{SendError, SendOptions, System};

use super::document::{ReceiptDocument, invalid};
use crate::endpoint::{Endpoint, EndpointRejection};
use crate::table::EndpointKey;

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
    let (revision, position) = (receipt.revision.get(), receipt.position.get());
    call.reply(200, &ReceiptDocument { revision, position })
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
        SendError::Rejected(EndpointRejection::NotRegistered) => unknown(),
        SendError::Rejected(rejection @ EndpointRejection::Invalid { .. }) => invalid(&rejection),
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
