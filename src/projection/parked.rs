//! Records of events that were not applied: skipped for good, or parked for an operator.

use jiff::Timestamp;
use rustc_hash::FxHashSet;
use serde::Serialize;

use super::checkpoint::{Ticket, int};
use crate::event::{Position, RecordedEvent};
use crate::sql::{SqlError, SqlRow, ToValue, TxEngine, Value, ValueRef};

/// How many events of a set of tables are recorded as not applied.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) skipped: u64,
    pub(crate) parked: u64,
}

/// An event that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedEvent {
    /// Where it lies.
    pub position: Position,
    /// Its id.
    pub event_id: String,
    /// Whose it is.
    pub tenant: String,
    /// The category of its stream.
    pub category: String,
    /// The id of its stream.
    pub stream: String,
    /// What kind of event it is.
    pub event_type: String,
    /// Why it was passed over; `None` when it only waits behind a parked one.
    pub reason: Option<String>,
    /// When.
    pub at: String,
}

/// A stream whose events wait for an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedStream {
    /// The event that cannot be applied.
    pub first: SkippedEvent,
    /// How many events wait, with the first.
    pub events: u64,
}

/// Records events as parked, those without a reason behind the one with it.
pub(crate) fn park<'e>(
    tx: &mut dyn TxEngine,
    ticket: &Ticket,
    events: impl Iterator<Item = (&'e RecordedEvent, Option<&'e str>)>,
    at: Timestamp,
) -> Result<(), SqlError> {
    let mut values =
        events.flat_map(|(event, reason)| record(ticket, event, reason, at)).peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    tx.execute_many(&insert("projection_parked", "parked_at"), 10, &mut values).map(drop)
}

/// Records an event as skipped.
pub(crate) fn skip(
    tx: &mut dyn TxEngine,
    ticket: &Ticket,
    event: &RecordedEvent,
    (reason, at): (&str, Timestamp),
) -> Result<(), SqlError> {
    let mut values = record(ticket, event, Some(reason), at).into_iter();
    tx.execute_many(&insert("projection_skipped", "skipped_at"), 10, &mut values).map(drop)
}

/// Removes a parked event.
pub(crate) fn unpark(
    tx: &mut dyn TxEngine,
    ticket: &Ticket,
    position: Position,
) -> Result<(), SqlError> {
    let sql = "delete from projection_parked where name = $1 and generation = $2 and position = $3";
    let values = [ticket.name.to_value(), int(ticket.generation), position.to_value()];
    tx.execute(sql, &values).map(drop)
}

/// Writes why a parked event still cannot be applied.
pub(crate) fn explain(
    tx: &mut dyn TxEngine,
    ticket: &Ticket,
    position: Position,
    reason: &str,
) -> Result<(), SqlError> {
    let sql = "update projection_parked set reason = $4
        where name = $1 and generation = $2 and position = $3";
    let key = [ticket.name.to_value(), int(ticket.generation), position.to_value()];
    let values: Vec<Value> = key.into_iter().chain([reason.to_value()]).collect();
    tx.execute(sql, &values).map(drop)
}

/// Counts the records of a generation.
pub(crate) fn count(
    tx: &mut dyn TxEngine,
    name: &str,
    generation: u64,
) -> Result<Counts, SqlError> {
    let sql = "select
        (select count(*) from projection_skipped where name = $1 and generation = $2),
        (select count(*) from projection_parked where name = $1 and generation = $2)";
    let rows = tx.query(sql, &[name.to_value(), int(generation)])?;
    let count = |at: usize| {
        let count = rows.first().and_then(|row| row.get(at)).and_then(Value::as_int);
        count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
    };
    Ok(Counts { skipped: count(0), parked: count(1) })
}

/// Lists the parked streams of a generation.
pub(crate) fn streams(
    tx: &mut dyn TxEngine,
    name: &str,
    generation: u64,
) -> Result<FxHashSet<[String; 3]>, SqlError> {
    let sql = "select distinct tenant, category, stream from projection_parked
        where name = $1 and generation = $2";
    let rows = tx.query(sql, &[name.to_value(), int(generation)])?;
    let streams = rows.into_iter().filter_map(|row| {
        let texts: Vec<String> =
            row.iter().filter_map(|value| value.as_text().map(str::to_owned)).collect();
        texts.try_into().ok()
    });
    Ok(streams.collect())
}

/// Lists where the parked events of a stream lie, in order.
pub(crate) fn positions(
    tx: &mut dyn TxEngine,
    ticket: &Ticket,
    stream: &[String; 3],
    limit: u64,
) -> Result<Vec<Position>, SqlError> {
    let sql = "select position from projection_parked where name = $1 and generation = $2
        and tenant = $3 and category = $4 and stream = $5 order by position limit $6";
    let key = [ticket.name.to_value(), int(ticket.generation)];
    let values: Vec<Value> =
        key.into_iter().chain(stream.iter().map(ToValue::to_value)).chain([int(limit)]).collect();
    let rows = tx.query(sql, &values)?;
    Ok(rows.iter().filter_map(|row| position_of(row.first()?)).collect())
}

/// Lists skipped events of the live tables after a position.
pub(crate) fn list_skipped(
    tx: &mut dyn TxEngine,
    name: &str,
    (after, limit): (Position, u64),
) -> Result<Vec<SkippedEvent>, SqlError> {
    let sql = "select r.position, r.event_id, r.tenant, r.category, r.stream, r.event_type,
            r.reason, r.skipped_at
        from projection_skipped r join projection_checkpoints c
            on c.name = r.name and c.generation = r.generation and c.is_live = 1
        where r.name = $1 and r.position > $2 order by r.position limit $3";
    let rows = tx.query(sql, &[name.to_value(), after.to_value(), int(limit)])?;
    Ok(rows.into_iter().filter_map(read_record).collect())
}

/// Lists parked streams of the live tables whose first event lies after a position.
pub(crate) fn list_parked(
    tx: &mut dyn TxEngine,
    name: &str,
    (after, limit): (Position, u64),
) -> Result<Vec<ParkedStream>, SqlError> {
    let sql = "select r.position, r.event_id, r.tenant, r.category, r.stream, r.event_type,
            r.reason, r.parked_at, f.events
        from (select p.name, p.generation, min(p.position) as first, count(*) as events
            from projection_parked p join projection_checkpoints c
                on c.name = p.name and c.generation = p.generation and c.is_live = 1
            where p.name = $1 group by p.name, p.generation, p.tenant, p.category, p.stream) f
        join projection_parked r
            on r.name = f.name and r.generation = f.generation and r.position = f.first
        where r.position > $2 order by r.position limit $3";
    let rows = tx.query(sql, &[name.to_value(), after.to_value(), int(limit)])?;
    let read = |mut row: SqlRow| {
        let events = u64::try_from(row.pop()?.as_int()?).ok()?;
        Some(ParkedStream { first: read_record(row)?, events })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

fn insert(table: &str, time: &str) -> String {
    format!(
        "insert into {table} (name, generation, position, event_id, tenant, category, stream, \
         event_type, reason, {time}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    )
}

fn record<'e>(
    ticket: &Ticket,
    event: &'e RecordedEvent,
    reason: Option<&'e str>,
    at: Timestamp,
) -> [ValueRef<'e>; 10] {
    [
        ticket.name.into(),
        int(ticket.generation).into(),
        event.position().into(),
        event.id().into(),
        event.tenant().into(),
        event.category().into(),
        event.stream_id().into(),
        event.event_type().into(),
        reason.into(),
        at.into(),
    ]
}

fn read_record(row: SqlRow) -> Option<SkippedEvent> {
    let [position, event_id, tenant, category, stream, event_type, reason, at] =
        row.try_into().ok()?;
    let text = |value: &Value| value.as_text().map(str::to_owned);
    Some(SkippedEvent {
        position: position_of(&position)?,
        event_id: text(&event_id)?,
        tenant: text(&tenant)?,
        category: text(&category)?,
        stream: text(&stream)?,
        event_type: text(&event_type)?,
        reason: text(&reason),
        at: text(&at)?,
    })
}

fn position_of(value: &Value) -> Option<Position> {
    value.as_int().and_then(|at| u64::try_from(at).ok()).map(Position::new)
}
