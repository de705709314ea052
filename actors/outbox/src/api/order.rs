//! What operators order about dead letters and history; each order is an event.

use headwater::aggregate::{Command, Decide};
use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Admin, Caller};
use headwater::api::{Call, Problem, ProblemKind};
use headwater::event::Position;
use headwater::sql::TxEngine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::command::{CommandHeaders, CommandProblems, command, key};
use super::document::{ReceiptDocument, invalid};
use crate::endpoint::{Discard, Endpoint, OrderKind, Redrive, Replay, Selectable, Selection, Skip};
use crate::plugin::Shared;
use crate::table::{self, EndpointKey, Waiting, WaitingEvent, WaitingPlace};

/// The most replays of an endpoint at the same time.
const REPLAYS_MAX: u64 = 8;
/// The most dead letters that a trial looks at; more than an endpoint can have.
const TRIAL_MAX: usize = 20_000;

/// What is to be done with which dead letters.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeadLetterOrder)]
pub(super) struct OrderBody {
    /// Which dead letters.
    selection: Selection,
    /// At most so many a second; only for redrive.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100_000)]
    rate_per_second: Option<u32>,
    /// Whether nothing is done but counting.
    #[serde(default)]
    dry_run: bool,
}

/// Which part of history is sent again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayOrder)]
pub(super) struct ReplayBody {
    /// The first position.
    from: u64,
    /// The last position.
    to: u64,
    /// At most so many messages a second; the endpoint's own bound when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100_000)]
    rate_per_second: Option<u32>,
}

/// What an order would do.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderTrial)]
pub(super) struct TrialDocument {
    /// How many dead letters are selected.
    selected: u64,
    /// About how many events wait behind them.
    waiting: u64,
}

macro_rules! orders {
    ($( $(#[$doc:meta])* $name:ident, $id:literal => $make:expr; )+) => { $(
        $(#[$doc])*
        #[utoipa::path(
            post,
            path = concat!("/v1/endpoints/{id}/", stringify!($name)),
            tag = "endpoints",
            operation_id = $id,
            params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
            request_body(content = OrderBody),
            responses((status = 200, description = "Ordered; or, as a trial, what it would do", body = serde_json::Value)),
            security(("key" = ["admin"])),
        )]
        pub(super) async fn $name(
            Admin(caller): Admin,
            shared: Data<Shared>,
            mut call: Call,
        ) -> Result<HttpResponse, Problem> {
            let body: OrderBody = call.body().await?;
            order(&call, &caller, &shared, body, $make).await
        }
    )+ };
}

orders! {
    /// Sends dead letters again, and then what waits behind them.
    redrive, "redriveDeadLetters" => |selection, rate_per_second| {
        Redrive { selection, rate_per_second }
    };
    /// Leaves dead letters out and goes on with what waits behind them.
    skip, "skipDeadLetters" => |selection, _| Skip { selection };
    /// Leaves dead letters out, and what waits behind them now.
    discard, "discardDeadLetters" => |selection, _| Discard { selection };
}

/// Sends a part of history again, beside what comes.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/replay",
    tag = "endpoints",
    operation_id = "replayEvents",
    params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
    request_body(content = ReplayBody),
    responses(
        (status = 200, description = "Ordered", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        CommandProblems,
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn replay(
    Admin(caller): Admin,
    shared: Data<Shared>,
    mut call: Call,
) -> Result<HttpResponse, Problem> {
    check_replays(&shared, &key(&caller, &call)).await?;
    let ReplayBody { from, to, rate_per_second } = call.body().await?;
    let (from, to) = (Position::new(from), Position::new(to));
    command(&call, &caller, Replay { from, to, rate_per_second }).await
}

/// Refuses one replay too many: each reads the log by itself.
async fn check_replays(shared: &Shared, key: &EndpointKey) -> Result<(), Problem> {
    let (tenant, id) = (key.tenant.clone(), key.id.clone());
    let work = move |tx: &mut dyn TxEngine| table::replays(tx, (&tenant, &id));
    let (running, done) = shared.database().inspect(work).await?;
    let registered = shared.directory.get(key);
    // What was ordered just now is in no table yet.
    let orders = registered.iter().flat_map(|own| &own.orders).filter(|own| own.revision > done);
    let ordered = orders.filter(|own| own.order.kind == OrderKind::Replay).count() as u64;
    if running + ordered < REPLAYS_MAX {
        return Ok(());
    }
    let detail =
        format!("endpoint has {REPLAYS_MAX} replays already: wait until one of them is over");
    Err(Problem::new(ProblemKind::Rejected, detail).with("code", "too-many-replays"))
}

async fn order<C: Command>(
    call: &Call,
    caller: &Caller,
    shared: &Shared,
    body: OrderBody,
    make: impl FnOnce(Selection, Option<u32>) -> C,
) -> Result<HttpResponse, Problem>
where
    Endpoint: Decide<C>,
{
    let OrderBody { selection, rate_per_second, dry_run } = body;
    if !dry_run {
        return command(call, caller, make(selection, rate_per_second)).await;
    }
    let selected = selected(shared, &key(caller, call), &selection).await?;
    let waiting = selected.iter().map(|event| event.waiting).sum();
    call.reply(200, &TrialDocument { selected: selected.len() as u64, waiting })
}

/// Returns the dead letters that an order would be about, by position.
pub(crate) async fn selected(
    shared: &Shared,
    key: &EndpointKey,
    selection: &Selection,
) -> Result<Vec<WaitingEvent>, Problem> {
    selection.check().map_err(|error| invalid(&error))?;
    let key = key.clone();
    let work = move |tx: &mut dyn TxEngine| {
        let page = (WaitingPlace::default(), TRIAL_MAX);
        table::waiting(tx, Waiting::DeadLetters, (&key.tenant, &key.id), page)
    };
    let mut dead = shared.database().inspect(work).await?;
    dead.retain(|event| selection.matches(selectable(event)));
    Ok(dead)
}

fn selectable(event: &WaitingEvent) -> Selectable<'_> {
    Selectable {
        position: Position::new(event.position),
        category: &event.category,
        stream: &event.stream,
        event_type: &event.event_type,
    }
}
