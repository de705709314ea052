//! Who works for a shard of the endpoints.

use headwater::event::{Position, Tenant};
use headwater::nodes::Tenure;
use headwater::sql::{SqlError, ToValue, TxEngine, Value};
use jiff::Timestamp;

use super::{Cells, EndpointKey, damaged};
use crate::dispatch::SHARDS;

/// Makes the holder of a lease the one who may write for a shard; `None` when the lease is lost.
/// Returns up to where the log was searched for endpoints.
pub(crate) fn enter(
    tx: &mut dyn TxEngine,
    shard: u32,
    tenure: &Tenure,
    now: Timestamp,
) -> Result<Option<Position>, SqlError> {
    let make = "insert into outbox_shards (shard, owner, position, beat_at) values ($1, 0, 0, $2) \
        on conflict (shard) do nothing";
    tx.execute(make, &[shard.to_value(), now.to_value()])?;
    // Whoever wrote for the shard before waits for this row, and finds another owner in it.
    let take = "update outbox_shards set owner = $2, beat_at = $3 where shard = $1 and owner <= $2";
    let owner = Value::Int(tenure.token());
    let taken = tx.execute(take, &[shard.to_value(), owner, now.to_value()])?;
    if taken == 0 || !tenure.is_held(tx)? {
        return Ok(None);
    }
    let rows =
        tx.query("select position from outbox_shards where shard = $1", &[shard.to_value()])?;
    let row = rows.into_iter().next().unwrap_or_default();
    Cells::of(row).position().map(Some)
}

/// Says that the owner of a shard is at work; false when it is not the owner any more, so that
/// nothing of this transaction may count.
pub(crate) fn beat(
    tx: &mut dyn TxEngine,
    shard: u32,
    owner: i64,
    (position, now): (Position, Timestamp),
) -> Result<bool, SqlError> {
    let sql =
        "update outbox_shards set position = $3, beat_at = $4 where shard = $1 and owner = $2";
    let values = [shard.to_value(), owner.to_value(), position.to_value(), now.to_value()];
    tx.execute(sql, &values).map(|changed| changed == 1)
}

/// Returns when each shard was last at work.
pub(crate) fn beats(tx: &mut dyn TxEngine) -> Result<Vec<(u64, Timestamp)>, SqlError> {
    let beat = |row| {
        let mut cells = Cells::of(row);
        Ok((cells.count()?, cells.time()?))
    };
    let sql = "select shard, beat_at from outbox_shards order by shard";
    tx.query(sql, &[])?.into_iter().map(beat).collect()
}

/// Returns the endpoints that have a cursor, and up to where every shard was searched for more.
pub(crate) fn known(tx: &mut dyn TxEngine) -> Result<(Vec<EndpointKey>, Position), SqlError> {
    let sql = "select tenant, endpoint from outbox_cursors where feed = 0";
    let key = |row| {
        let mut cells = Cells::of(row);
        let tenant = Tenant::new(cells.text()?).map_err(|error| damaged(&error.to_string()))?;
        Ok(EndpointKey { tenant, id: cells.text()?.into() })
    };
    let keys = tx.query(sql, &[])?.into_iter().map(key).collect::<Result<_, SqlError>>()?;
    let sql = "select position from outbox_shards";
    let places = tx.query(sql, &[])?.into_iter().map(|row| Cells::of(row).position());
    let places = places.collect::<Result<Vec<_>, _>>()?;
    // A shard that nobody has worked for yet was never searched.
    let is_whole = places.len() >= SHARDS as usize;
    let position = places.into_iter().min().filter(|_| is_whole).unwrap_or_default();
    Ok((keys, position))
}
