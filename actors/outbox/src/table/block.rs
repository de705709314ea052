//! What waits for a retry or an operator.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use headwater::event::Revision;
use headwater::sql::{SqlError, SqlRow, ToValue, TxEngine, Value};
use jiff::Timestamp;

use super::cursor::Feed;
use super::{Cells, int};
use crate::dispatch::{Block, BlockPhase, Head, LastFailure, Line, Now};

/// The longest wait that is believed when rows are read: beyond it somebody moved the clock.
const WAIT_MAX: Duration = Duration::from_secs(8 * 24 * 3600);

const COLUMNS: &str = "line, event_tenant, category, stream, event_type, event_id, position, \
    revision, after_revision, recorded_at, attempts, first_failed_at, last_status, last_error, waiting";

/// Where a block is kept: the table and the column of its time.
const RETRIES: (&str, &str) = ("outbox_retries", "due_at");
const DEAD: (&str, &str) = ("outbox_dead_letters", "died_at");

/// Reads the blocks of a feed.
pub(crate) fn load(
    tx: &mut dyn TxEngine,
    feed: &Feed,
    now: Now,
) -> Result<Vec<(Line, Block)>, SqlError> {
    let mut blocks = Vec::new();
    for (table, time) in [RETRIES, DEAD] {
        let sql = format!(
            "select {COLUMNS}, {time} from {table} where tenant = $1 and endpoint = $2 and feed = $3"
        );
        for row in tx.query(&sql, &feed.values())? {
            blocks.push(parse(row, now, table == DEAD.0)?);
        }
    }
    Ok(blocks)
}

/// Writes a block where it belongs now, and removes it from where it was; `None` removes it.
pub(crate) fn save(
    tx: &mut dyn TxEngine,
    feed: &Feed,
    line: &Line,
    block: Option<&Block>,
) -> Result<(), SqlError> {
    let is_kept_in = |table: &str| block.is_some_and(|own| own.is_dead() == (table == DEAD.0));
    let mut key = feed.values().to_vec();
    key.push(Value::Text(line.to_string()));
    for (table, _) in [RETRIES, DEAD].iter().filter(|(table, _)| !is_kept_in(table)) {
        let sql = format!(
            "delete from {table} where tenant = $1 and endpoint = $2 and feed = $3 and line = $4"
        );
        tx.execute(&sql, &key)?;
    }
    let Some(block) = block else { return Ok(()) };
    let kept = if block.is_dead() { DEAD } else { RETRIES };
    insert(tx, kept, feed, (line, block))
}

fn insert(
    tx: &mut dyn TxEngine,
    (table, time): (&str, &str),
    feed: &Feed,
    (line, block): (&Line, &Block),
) -> Result<(), SqlError> {
    let columns = format!("{COLUMNS}, {time}");
    let changed: Vec<String> = columns
        .split(", ")
        .filter(|name| *name != "line")
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    let sql = format!(
        "insert into {table} (tenant, endpoint, feed, {columns}) values \
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
        on conflict (tenant, endpoint, feed, line) do update set {}",
        changed.join(", ")
    );
    let (head, BlockPhase::Due(_, at) | BlockPhase::Busy(_, at) | BlockPhase::Dead(at)) =
        (&block.head, block.phase);
    let mut values = feed.values().to_vec();
    values.extend([
        Value::Text(line.to_string()),
        head.tenant.to_value(),
        head.category.to_value(),
        head.stream.to_value(),
        head.event_type.to_value(),
        head.event_id.to_value(),
        head.position.to_value(),
        head.revision.to_value(),
        block.after.to_value(),
        head.recorded_at.to_value(),
        block.attempts.to_value(),
        block.first_failed_at.to_value(),
        block.last.status.to_value(),
        block.last.error.to_value(),
        int(block.waiting),
        at.to_value(),
    ]);
    tx.execute(&sql, &values).map(drop)
}

fn parse(row: SqlRow, now: Now, is_dead: bool) -> Result<(Line, Block), SqlError> {
    let mut cells = Cells::of(row);
    let line = Arc::from(cells.text()?);
    let (tenant, category, stream) = (cells.text()?, cells.text()?, cells.text()?);
    let (event_type, event_id) = (cells.text()?, cells.text()?);
    let (position, revision, after) = (cells.position()?, cells.revision()?, cells.revision()?);
    let recorded_at = cells.time()?;
    let block = Block {
        head: Head {
            position,
            revision,
            tenant,
            category,
            stream,
            event_type,
            event_id,
            recorded_at,
        },
        after,
        seen: Revision::ZERO,
        attempts: u32::try_from(cells.int()?).unwrap_or(u32::MAX),
        first_failed_at: cells.time()?,
        last: LastFailure {
            status: cells.int_or_none().and_then(|status| u16::try_from(status).ok()),
            error: cells.text_or_none(),
        },
        waiting: cells.count()?,
        told: 0,
        pace: None,
        phase: phase(cells.time()?, now, is_dead),
        queue: VecDeque::new(),
    };
    let told = block.waiting;
    Ok((line, Block { told, ..block }))
}

/// Turns a stored time into one that does not jump.
fn phase(at: Timestamp, now: Now, is_dead: bool) -> BlockPhase {
    if is_dead {
        return BlockPhase::Dead(at);
    }
    let wait = Duration::try_from(at.duration_since(now.wall)).unwrap_or_default();
    BlockPhase::Due(now.tick + wait.min(WAIT_MAX), at)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_time_that_a_moved_clock_made_is_believed_within_bounds() {
        let wall: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let now = Now { wall, tick: Instant::now() };
        let wait = |hours| match phase(wall + SignedDuration::from_hours(hours), now, false) {
            BlockPhase::Due(at, _) => at - now.tick,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(24), Duration::from_hours(24));
        assert_eq!(wait(24 * 365), WAIT_MAX, "the clock was set back since");
        assert_eq!(wait(-24 * 365), Duration::ZERO, "it was set forward");
    }
}
