//! The log of attempts: bounded, in parts that are emptied as a whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::event::RecordedEvent;
use headwater::sql::{Database, Dialect, SqlError, TxEngine, Value, ValueRef};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::cursor::Feed;
use super::{Cells, int, verdict_name};
use crate::webhook::Attempted;

/// How many parts there are.
const PARTS: u64 = 4;
const WIDTH: usize = 15;
/// How long a part that somebody reads is left alone.
const REST: Duration = Duration::from_secs(5);

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRow {
    pub feed: Feed,
    /// What was sent: its bytes are shared, its texts are made when the row is written.
    pub event: RecordedEvent,
    pub at: Timestamp,
    pub attempt: u32,
    pub attempted: Attempted,
}

/// Writes attempts, of which about so many are kept.
#[derive(Clone, Debug)]
pub(crate) struct AttemptLog {
    rows_kept: u64,
    /// Until when no part is emptied, because somebody reads it.
    rests_until: Arc<Mutex<Option<Instant>>>,
}

impl AttemptLog {
    /// Makes a log that keeps about so many attempts.
    pub fn new(rows_kept: u64) -> Self {
        Self { rows_kept, rests_until: Arc::default() }
    }

    /// Adds attempts to the part in use. Nothing is added while the part is overfull because an
    /// older one, which somebody reads, cannot be emptied.
    pub fn add(&self, tx: &mut dyn TxEngine, rows: &[AttemptRow]) -> Result<(), SqlError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (part, written) = part_in_use(tx, false)?;
        if written >= self.rows_kept {
            return Ok(());
        }
        let slots: Vec<String> = (1..=WIDTH).map(|slot| format!("${slot}")).collect();
        let sql = format!(
            "insert into outbox_attempts_{part} (tenant, endpoint, at_us, position, feed, \
            category, stream, event_type, event_id, attempt, verdict, status, error, response, \
            took_us) values ({}) on conflict do nothing",
            slots.join(", ")
        );
        let mut values = rows.iter().flat_map(AttemptRow::values);
        tx.execute_many(&sql, WIDTH, &mut values).map(drop)
    }

    /// Notes how many attempts were added, and goes on to the next part when one is full.
    pub async fn note(&self, database: &Database, count: u64) -> Result<(), SqlError> {
        let written = database.write(move |tx| count_rows(tx, count)).await?;
        if written < self.rows_kept / PARTS || self.rests() {
            return Ok(());
        }
        let full = self.rows_kept / PARTS;
        // Apart from the count, because it fails while somebody reads the oldest part.
        let switched = database.write(move |tx| switch(tx, full)).await;
        if switched.is_err() {
            *self.rests_until.lock() = Some(Instant::now() + REST);
        }
        switched
    }

    fn rests(&self) -> bool {
        self.rests_until.lock().is_some_and(|until| Instant::now() < until)
    }
}

/// Adds to the count of the part in use and returns it.
fn count_rows(tx: &mut dyn TxEngine, count: u64) -> Result<u64, SqlError> {
    let sql = "update outbox_attempts_part set rows_written = rows_written + $1 where id = 1";
    tx.execute(sql, &[int(count)])?;
    part_in_use(tx, false).map(|(_, written)| written)
}

/// Empties the next part and makes it the one in use.
fn switch(tx: &mut dyn TxEngine, full: u64) -> Result<(), SqlError> {
    let (part, written) = part_in_use(tx, true)?;
    if written < full {
        // Another node was faster.
        return Ok(());
    }
    let next = (part + 1) % PARTS;
    empty(tx, next)?;
    let sql = "update outbox_attempts_part set part = $1, rows_written = 0 where id = 1";
    tx.execute(sql, &[int(next)]).map(drop)
}

fn part_in_use(tx: &mut dyn TxEngine, is_locked: bool) -> Result<(u64, u64), SqlError> {
    let lock = match (is_locked, tx.dialect()) {
        (true, Dialect::Postgres) => " for update",
        _ => "",
    };
    let sql = format!("select part, rows_written from outbox_attempts_part where id = 1{lock}");
    let row = tx.query(&sql, &[])?.into_iter().next().unwrap_or_default();
    let mut cells = Cells::of(row);
    Ok((cells.count()?, cells.count()?))
}

/// Empties a part without leaving dead rows behind; fails soon when somebody reads it.
fn empty(tx: &mut dyn TxEngine, part: u64) -> Result<(), SqlError> {
    match tx.dialect() {
        Dialect::Postgres => tx.run_script(&format!(
            "set local lock_timeout = '200ms'; truncate outbox_attempts_{part}"
        )),
        Dialect::Sqlite => tx.run_script(&format!("delete from outbox_attempts_{part}")),
    }
}

impl AttemptRow {
    fn values(&self) -> [ValueRef<'_>; WIDTH] {
        let (event, attempted) = (&self.event, &self.attempted);
        [
            self.feed.endpoint.tenant.as_str().into(),
            (&*self.feed.endpoint.id).into(),
            self.at.as_microsecond().into(),
            event.position().into(),
            ValueRef::from(int(self.feed.number)),
            event.category().into(),
            event.stream_id().into(),
            event.event_type().into(),
            ValueRef::from(Value::Text(event.id().to_string())),
            self.attempt.into(),
            verdict_name(attempted.verdict).into(),
            ValueRef::from(
                attempted.status.map_or(Value::Null, |status| Value::Int(status.into())),
            ),
            attempted.error.as_deref().into(),
            attempted.response.as_deref().into(),
            i64::try_from(attempted.took.as_micros()).unwrap_or(i64::MAX).into(),
        ]
    }
}
