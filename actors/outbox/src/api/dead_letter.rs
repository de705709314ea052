//! What an endpoint did not take: what is tried again, and what was given up.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Caller, Reader};
use headwater::api::{Call, Problem};
use headwater::sql::TxEngine;
use serde::Serialize;
use utoipa::ToSchema;

use super::command::key;
use super::{after, known};
use crate::plugin::Shared;
use crate::table::{self, Waiting, WaitingEvent};

/// Events that wait.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingEventPage)]
pub(super) struct WaitingPageDocument {
    /// The events, by position.
    events: Vec<WaitingEvent>,
    /// What to pass as `after` for the next page; null when this is the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Lists dead letters: events that were given up, and hold back what is behind them.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/dead-letters",
    tag = "endpoints",
    operation_id = "listDeadLetters",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("limit" = Option<u32>, Query, description = "The most events", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "Only what follows the page that gave this as `next`"),
    ),
    responses(
        (status = 200, description = "A page", body = WaitingPageDocument),
        (status = 404, description = "No such endpoint"),
    ),
    security(("key" = ["read"])),
)]
pub(super) async fn list(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    page(Waiting::DeadLetters, &caller, &shared, &call).await
}

/// Lists events that are tried again, and hold back what is behind them.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/retries",
    tag = "endpoints",
    operation_id = "listRetries",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("limit" = Option<u32>, Query, description = "The most events", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "Only what follows the page that gave this as `next`"),
    ),
    responses(
        (status = 200, description = "A page", body = WaitingPageDocument),
        (status = 404, description = "No such endpoint"),
    ),
    security(("key" = ["read"])),
)]
pub(super) async fn retries(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    page(Waiting::Retries, &caller, &shared, &call).await
}

async fn page(
    which: Waiting,
    caller: &Caller,
    shared: &Shared,
    call: &Call,
) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&["limit", "after"])?;
    let limit = parameters.limit(call.limits())?;
    let after = after(&parameters)?.unwrap_or_default();
    let key = key(caller, call);
    known::check(shared, &key).await?;
    let work = move |tx: &mut dyn TxEngine| {
        table::waiting(tx, which, (&key.tenant, &key.id), (after, limit))
    };
    let events = shared.database().inspect(work).await?;
    let next = events.last().filter(|_| events.len() == limit);
    let next = next.map(|event| event.place().to_string());
    call.reply(200, &WaitingPageDocument { events, next })
}
