//! How far each endpoint is.

use std::sync::Arc;

use headwater::event::{Position, Revision, Tenant};
use headwater::sql::{SqlError, SqlRow, ToValue, TxEngine, Value};
use jiff::Timestamp;

use super::{Cells, EndpointKey, damaged, int};

/// One run of events to an endpoint: what comes, or a replay.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Feed {
    pub endpoint: EndpointKey,
    /// 0 for what comes; the revision of the order for a replay.
    pub number: u64,
}

/// How far a feed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub position: Position,
    pub until: Option<Position>,
    pub orders: Revision,
    pub delivered: u64,
    pub failed: u64,
    pub failing_since: Option<Timestamp>,
    pub oldest_at: Option<Timestamp>,
    pub is_broken: bool,
}

const COLUMNS: &str = "tenant, endpoint, feed, position, until_position, orders_revision, \
    delivered, failed, failing_since, oldest_at, is_broken";

const SAVE: &str = "\
insert into outbox_cursors (tenant, endpoint, feed, shard, position, until_position, \
orders_revision, delivered, failed, failing_since, oldest_at, is_broken, updated_at) \
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
on conflict (tenant, endpoint, feed) do update set position = excluded.position, \
orders_revision = excluded.orders_revision, delivered = excluded.delivered, \
failed = excluded.failed, failing_since = excluded.failing_since, \
oldest_at = excluded.oldest_at, is_broken = excluded.is_broken, updated_at = excluded.updated_at";

impl Feed {
    pub(super) fn values(&self) -> [Value; 3] {
        let [tenant, endpoint] = self.endpoint.values();
        [tenant, endpoint, int(self.number)]
    }
}

/// Reads the cursors of a shard.
pub(crate) fn load(tx: &mut dyn TxEngine, shard: u32) -> Result<Vec<(Feed, Cursor)>, SqlError> {
    let sql = format!("select {COLUMNS} from outbox_cursors where shard = $1");
    tx.query(&sql, &[shard.to_value()])?.into_iter().map(parse).collect()
}

/// Writes a cursor.
pub(crate) fn save(
    tx: &mut dyn TxEngine,
    shard: u32,
    (feed, cursor): (&Feed, &Cursor),
    now: Timestamp,
) -> Result<(), SqlError> {
    let [tenant, endpoint, number] = feed.values();
    let values = [
        tenant,
        endpoint,
        number,
        shard.to_value(),
        cursor.position.to_value(),
        cursor.until.to_value(),
        cursor.orders.to_value(),
        int(cursor.delivered),
        int(cursor.failed),
        cursor.failing_since.to_value(),
        cursor.oldest_at.to_value(),
        Value::Int(cursor.is_broken.into()),
        now.to_value(),
    ];
    tx.execute(SAVE, &values).map(drop)
}

/// Removes a feed with all that it owes.
pub(crate) fn remove(tx: &mut dyn TxEngine, feed: &Feed) -> Result<(), SqlError> {
    for table in ["outbox_cursors", "outbox_retries", "outbox_dead_letters", "outbox_left_out"] {
        let sql = format!("delete from {table} where tenant = $1 and endpoint = $2 and feed = $3");
        tx.execute(&sql, &feed.values())?;
    }
    Ok(())
}

fn parse(row: SqlRow) -> Result<(Feed, Cursor), SqlError> {
    let mut cells = Cells::of(row);
    let tenant = Tenant::new(cells.text()?).map_err(|error| damaged(&error.to_string()))?;
    let id = Arc::from(cells.text()?);
    let feed = Feed { endpoint: EndpointKey { tenant, id }, number: cells.count()? };
    let cursor = Cursor {
        position: cells.position()?,
        until: cells.int_or_none().and_then(|at| u64::try_from(at).ok()).map(Position::new),
        orders: cells.revision()?,
        delivered: cells.count()?,
        failed: cells.count()?,
        failing_since: cells.time_or_none(),
        oldest_at: cells.time_or_none(),
        is_broken: cells.int()? != 0,
    };
    Ok((feed, cursor))
}
