//! How deliveries stand, for people and programs.

use std::collections::BTreeMap;

use headwater::event::{Position, Revision, Tenant};
use headwater::sql::{SqlError, SqlRow, ToValue, TxEngine, Value};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Cells, WaitingPlace, int};

/// How the deliveries of an endpoint stand, as they were stored last: at most a second ago while
/// something happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EndpointDelivery)]
pub(crate) struct Standing {
    /// Everything up to here is delivered, waits for a retry or was given up.
    pub position: u64,
    /// How many positions of the log lie behind that, events of others included.
    pub lag_events: u64,
    /// How many events were delivered.
    pub delivered: u64,
    /// How many attempts have failed.
    pub failed: u64,
    /// How many events wait for a retry, without those behind them.
    pub retrying: u64,
    /// How many events were given up and wait for an operator, without those behind them.
    pub dead: u64,
    /// About how many events wait behind those.
    pub waiting: u64,
    /// When the oldest event was recorded that is neither delivered nor given up.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    pub oldest_at: Option<Timestamp>,
    /// The first failure since the last success.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Whether few requests are made because all have failed.
    pub is_broken: bool,
    /// When the dispatcher stored this.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// An event that waits for a retry or an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WaitingEvent)]
pub(crate) struct WaitingEvent {
    /// The event's position.
    pub position: u64,
    /// Its id; the message's too, unless that held several events.
    pub event_id: String,
    /// Whose event it is: the endpoint's tenant's, unless its filter names others.
    pub tenant: String,
    /// Its category.
    pub category: String,
    /// The id of its stream.
    pub stream: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its revision.
    pub revision: u64,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// How often it was tried; 0 when it goes on behind one that was delivered at last.
    pub attempts: u64,
    /// Its first failure.
    #[schema(value_type = String, format = DateTime)]
    pub first_failed_at: Timestamp,
    /// When it is tried again, or was given up.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The status of the last answer.
    #[schema(required = true)]
    pub last_status: Option<u16>,
    /// What went wrong last.
    #[schema(required = true)]
    pub last_error: Option<String>,
    /// About how many events wait behind it.
    pub waiting: u64,
    /// The replay that it is part of; 0 when it is none.
    pub replay: u64,
}

impl WaitingEvent {
    /// Returns where it is among those that wait.
    pub fn place(&self) -> WaitingPlace {
        WaitingPlace { position: Position::new(self.position), feed: self.replay }
    }
}

/// Which of the waiting events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Retries,
    DeadLetters,
}

/// How many endpoints one statement asks about.
const TOGETHER: usize = 64;

const STANDING: &str = "\
select c.endpoint, c.position, c.delivered, c.failed, c.failing_since, c.oldest_at, c.is_broken, \
c.updated_at, \
(select count(*) from outbox_retries r where r.tenant = c.tenant and r.endpoint = c.endpoint \
and r.feed = 0), \
(select count(*) from outbox_dead_letters d where d.tenant = c.tenant and d.endpoint = c.endpoint \
and d.feed = 0), \
(select cast(coalesce(sum(o.waiting), 0) as bigint) from outbox o where o.tenant = c.tenant \
and o.endpoint = c.endpoint and o.feed = 0) \
from outbox_cursors c where c.tenant = $1 and c.feed = 0 and c.endpoint in";

/// Returns how the deliveries of some of a tenant's endpoints stand.
///
/// They are named one by one: read models go by the bytes of ids, databases by a language's order,
/// so the first and the last of a page are no bounds here.
pub(crate) fn standings(
    tx: &mut dyn TxEngine,
    tenant: &Tenant,
    endpoints: &[String],
    head: Position,
) -> Result<BTreeMap<String, Standing>, SqlError> {
    let mut standings = BTreeMap::new();
    for some in endpoints.chunks(TOGETHER) {
        let slots = if some.len() == 1 { 1 } else { TOGETHER };
        let list: Vec<String> = (0..slots).map(|slot| format!("${}", slot + 2)).collect();
        let sql = format!("{STANDING} ({})", list.join(", "));
        // Filled up with the same again, so that there are two statements and not one a number.
        let names = some.iter().cycle().take(slots);
        let values: Vec<Value> =
            std::iter::once(tenant.to_value()).chain(names.map(ToValue::to_value)).collect();
        for row in tx.query(&sql, &values)? {
            let (endpoint, own) = standing(row, head)?;
            standings.insert(endpoint, own);
        }
    }
    Ok(standings)
}

fn standing(row: SqlRow, head: Position) -> Result<(String, Standing), SqlError> {
    let mut cells = Cells::of(row);
    let (endpoint, position) = (cells.text()?, cells.count()?);
    let (delivered, failed) = (cells.count()?, cells.count()?);
    let (failing_since, oldest_at) = (cells.time_or_none(), cells.time_or_none());
    let (is_broken, updated_at) = (cells.int()? != 0, cells.time()?);
    let (retrying, dead, waiting) = (cells.count()?, cells.count()?, cells.count()?);
    let lag_events = head.get().saturating_sub(position);
    let standing = Standing {
        position,
        lag_events,
        delivered,
        failed,
        retrying,
        dead,
        waiting,
        oldest_at,
        failing_since,
        is_broken,
        updated_at,
    };
    Ok((endpoint, standing))
}

/// Returns how many replays of an endpoint run, and up to which revision its orders are done.
pub(crate) fn replays(
    tx: &mut dyn TxEngine,
    (tenant, endpoint): (&Tenant, &str),
) -> Result<(u64, Revision), SqlError> {
    let sql = "select count(*), (select max(o.orders_revision) from outbox_cursors o \
        where o.tenant = $1 and o.endpoint = $2 and o.feed = 0) \
        from outbox_cursors where tenant = $1 and endpoint = $2 and feed <> 0";
    let row = tx.query(sql, &[tenant.to_value(), endpoint.to_value()])?.into_iter().next();
    let mut cells = Cells::of(row.unwrap_or_default());
    let (running, orders) = (cells.count()?, cells.int_or_none().unwrap_or_default());
    Ok((running, Revision::new(u64::try_from(orders).unwrap_or_default())))
}

/// Returns waiting events of an endpoint behind a place, the oldest first.
pub(crate) fn waiting(
    tx: &mut dyn TxEngine,
    which: Waiting,
    (tenant, endpoint): (&Tenant, &str),
    (after, limit): (WaitingPlace, usize),
) -> Result<Vec<WaitingEvent>, SqlError> {
    let (table, time) = match which {
        Waiting::Retries => ("outbox_retries", "due_at"),
        Waiting::DeadLetters => ("outbox_dead_letters", "died_at"),
    };
    let sql = format!(
        "select position, event_id, event_tenant, category, stream, event_type, revision, recorded_at, \
        attempts, first_failed_at, {time}, last_status, last_error, waiting, feed from {table} \
        where tenant = $1 and endpoint = $2 and (position, feed) > ($3, $4) \
        order by position, feed limit $5"
    );
    let values = [
        tenant.to_value(),
        endpoint.to_value(),
        after.position.to_value(),
        int(after.feed),
        int(limit as u64),
    ];
    tx.query(&sql, &values)?.into_iter().map(waiting_event).collect()
}

fn waiting_event(row: SqlRow) -> Result<WaitingEvent, SqlError> {
    let mut cells = Cells::of(row);
    Ok(WaitingEvent {
        position: cells.count()?,
        event_id: cells.text()?,
        tenant: cells.text()?,
        category: cells.text()?,
        stream: cells.text()?,
        event_type: cells.text()?,
        revision: cells.count()?,
        recorded_at: cells.time()?,
        attempts: cells.count()?,
        first_failed_at: cells.time()?,
        at: cells.time()?,
        last_status: cells.int_or_none().and_then(|status| u16::try_from(status).ok()),
        last_error: cells.text_or_none(),
        waiting: cells.count()?,
        replay: cells.count()?,
    })
}
