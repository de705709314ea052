//! What operators order about dead letters and history; each order is an event.

use headwater::aggregate::Receipt;
use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Admin, Caller};
use headwater::api::{Call, Problem, ProblemKind};
use headwater::event::Position;
use headwater::runtime::{SendOptions, System};
use headwater::sql::TxEngine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::command::{CommandHeaders, CommandProblems, key, receipt_reply, send_with};
use super::document::ReceiptDocument;
use super::known;
use super::selection::{Selected, count_selected};
use crate::endpoint::{Discard, Order, OrderKind, Redrive, Replay, Selection, Skip};
use crate::plugin::Shared;
use crate::table::{self, EndpointKey};

/// The most replays of an endpoint at the same time.
const REPLAYS_MAX: u64 = 8;

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

/// What became of an order about dead letters.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OrderReply)]
enum OrderReply {
    /// It was given.
    Given(ReceiptDocument),
    /// It was not given: what it would do.
    Trial(TrialDocument),
}

/// What an order would do.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderTrial)]
struct TrialDocument {
    /// How many dead letters are selected.
    selected: u64,
    /// About how many events wait behind them.
    waiting: u64,
}

macro_rules! orders {
    ($( $(#[$doc:meta])* $name:ident, $id:literal => $kind:expr; )+) => { $(
        $(#[$doc])*
        #[utoipa::path(
            post,
            path = concat!("/v1/endpoints/{id}/", stringify!($name)),
            tag = "endpoints",
            operation_id = $id,
            params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
            request_body(content = OrderBody),
            responses(
                (status = 200, description = "Ordered; or, as a trial, what it would do", body = OrderReply, headers(("ETag" = String, description = "Revision, in quotes; not of a trial"))),
                CommandProblems,
            ),
            security(("key" = ["admin"])),
        )]
        pub(super) async fn $name(
            Admin(caller): Admin,
            shared: Data<Shared>,
            mut call: Call,
        ) -> Result<HttpResponse, Problem> {
            let body: OrderBody = call.body().await?;
            order(&call, &caller, &shared, $kind, body).await
        }
    )+ };
}

orders! {
    /// Sends dead letters again, and then what waits behind them.
    redrive, "redriveDeadLetters" => OrderKind::Redrive;
    /// Leaves dead letters out and goes on with what waits behind them.
    skip, "skipDeadLetters" => OrderKind::Skip;
    /// Leaves dead letters out, and what waits behind them now.
    discard, "discardDeadLetters" => OrderKind::Discard;
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
    let key = key(&caller, &call);
    check_replays(&shared, &key).await?;
    let ReplayBody { from, to, rate_per_second } = call.body().await?;
    call.check_place("/from", Position::new(from)).await?;
    let (from, to) = (Some(Position::new(from)), Some(Position::new(to)));
    let selection = Selection { from, to, ..Selection::default() };
    let order = Order { kind: OrderKind::Replay, selection, rate_per_second };
    let receipt = give(call.system(), &key, order, call.send_options(&caller)?).await?;
    receipt_reply(&call, &receipt)
}

/// Gives an order to an endpoint.
pub(crate) async fn give(
    system: &System,
    key: &EndpointKey,
    order: Order,
    options: SendOptions,
) -> Result<Receipt, Problem> {
    let at = (&key.tenant, &*key.id);
    check_rate(&order)?;
    let Order { kind, selection, rate_per_second } = order;
    match kind {
        OrderKind::Redrive => {
            send_with(system, at, Redrive { selection, rate_per_second }, options).await
        }
        OrderKind::Skip => send_with(system, at, Skip { selection }, options).await,
        OrderKind::Discard => send_with(system, at, Discard { selection }, options).await,
        OrderKind::Replay => {
            let from = selection.from.unwrap_or(Position::ZERO);
            let to = selection.to.unwrap_or(Position::new(u64::MAX));
            send_with(system, at, Replay { from, to, rate_per_second }, options).await
        }
    }
}

async fn order(
    call: &Call,
    caller: &Caller,
    shared: &Shared,
    kind: OrderKind,
    body: OrderBody,
) -> Result<HttpResponse, Problem> {
    let (key, OrderBody { selection, rate_per_second, dry_run }) = (key(caller, call), body);
    let order = Order { kind, selection, rate_per_second };
    if !dry_run {
        let receipt = give(call.system(), &key, order, call.send_options(caller)?).await?;
        let reply = OrderReply::Given(ReceiptDocument::new(&receipt));
        return Ok(call.at_revision(call.reply(200, &reply)?, receipt.revision));
    }
    check_rate(&order)?;
    known::check(shared, &key).await?;
    let Selected { count, waiting, .. } = count_selected(shared, &key, &order.selection, 0).await?;
    call.reply(200, &OrderReply::Trial(TrialDocument { selected: count, waiting }))
}

/// Refuses a rate where nothing is sent.
fn check_rate(order: &Order) -> Result<(), Problem> {
    let sends = matches!(order.kind, OrderKind::Redrive | OrderKind::Replay);
    if sends || order.rate_per_second.is_none() {
        return Ok(());
    }
    let detail = format!("is not for {}, which sends nothing: leave it out", order.kind.name());
    Err(Problem::field("/rate_per_second", detail))
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
