//! Up to where lines were left out by operators' orders.

use std::sync::Arc;

use headwater::event::Position;
use headwater::sql::{SqlError, ToValue, TxEngine, Value};

use super::Cells;
use super::cursor::Feed;
use crate::dispatch::Line;

/// Reads what was left out of a feed.
pub(crate) fn load(tx: &mut dyn TxEngine, feed: &Feed) -> Result<Vec<(Line, Position)>, SqlError> {
    let sql = "select line, position from outbox_left_out \
        where tenant = $1 and endpoint = $2 and feed = $3";
    let read = |row| {
        let mut cells = Cells::of(row);
        Ok((Arc::from(cells.text()?), cells.position()?))
    };
    tx.query(sql, &feed.values())?.into_iter().map(read).collect()
}

/// Writes up to where a line was left out; `None` forgets it.
pub(crate) fn save(
    tx: &mut dyn TxEngine,
    feed: &Feed,
    line: &Line,
    to: Option<Position>,
) -> Result<(), SqlError> {
    let mut values = feed.values().to_vec();
    values.push(Value::Text(line.to_string()));
    let sql = match to {
        Some(to) => {
            values.push(to.to_value());
            "insert into outbox_left_out (tenant, endpoint, feed, line, position) \
            values ($1, $2, $3, $4, $5) on conflict (tenant, endpoint, feed, line) \
            do update set position = excluded.position"
        }
        None => {
            "delete from outbox_left_out \
            where tenant = $1 and endpoint = $2 and feed = $3 and line = $4"
        }
    };
    tx.execute(sql, &values).map(drop)
}
