//! The table of the steps that are done or under way.

use std::collections::BTreeMap;

use super::batch::Progress;
use super::change::Change;
use super::{Migration, MigrationSet, Phase, checksum_of};
use crate::sql::{Dialect, SqlError, SqlRow, TxEngine, Value};

pub(super) type Applied = BTreeMap<(String, u32), Entry>;

pub(super) struct Entry {
    pub(super) stem: String,
    pub(super) checksum: String,
    /// When it was done; of one under way, when it began.
    pub(super) at: String,
    pub(super) by: Option<String>,
    pub(super) mark: Mark,
    /// `None` of one that was done before phases were kept.
    pub(super) phase: Option<Phase>,
    pub(super) progress: Option<Progress>,
    pub(super) down: Option<StoredDown>,
}

/// The text that undoes a step, as the program that did it has left it.
pub(super) struct StoredDown {
    pub(super) text: String,
    /// `None` of one that was stored before there was a checksum.
    pub(super) checksum: Option<String>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Done,
    /// Begun in several transactions or without one, and not finished.
    Doing,
    /// The same on its way down.
    Undoing,
}

/// When and by whom a step is marked.
#[derive(Clone)]
pub(super) struct Signature {
    pub(super) at: String,
    pub(super) by: String,
}

const TABLE: &str = "create table if not exists schema_migrations (
    capability text not null,
    number bigint not null,
    stem text not null,
    checksum text not null,
    applied_at text not null,
    primary key (capability, number)
)";

/// What came later, and so is missing in tables of early programs.
const COLUMNS: [&str; 6] = [
    "state text not null default 'done'",
    "applied_by text",
    "down_sql text",
    "phase text",
    "progress text",
    "down_checksum text",
];

const NAMES_SQLITE: &str = "select name from pragma_table_info('schema_migrations')";
const NAMES_POSTGRES: &str = "select attname::text from pg_attribute
    where attrelid = 'schema_migrations'::regclass and attnum > 0 and not attisdropped";

/// Who runs migrations now; the lock itself is one of the session's.
const TURN_TABLE: &str = "create table if not exists schema_migrations_lock (
    id bigint not null primary key,
    token text not null,
    owner text not null,
    since text not null
)";

pub(super) fn key(set: &MigrationSet, step: &Migration) -> (String, u32) {
    (set.capability.to_owned(), step.number())
}

/// Reads the table, making it when it is not there.
pub(super) fn read_applied(tx: &mut dyn TxEngine) -> Result<Applied, SqlError> {
    tx.lock("schema_migrations")?;
    tx.run_script(TABLE)?;
    if tx.dialect() == Dialect::Postgres {
        tx.run_script(TURN_TABLE)?;
    }
    add_columns(tx)?;
    let sql = "select capability, number, stem, checksum, applied_at, state, applied_by, phase,
        progress, down_sql, down_checksum from schema_migrations";
    let rows = tx.query(sql, &[])?;
    rows.into_iter().map(entry).collect()
}

fn add_columns(tx: &mut dyn TxEngine) -> Result<(), SqlError> {
    let names = match tx.dialect() {
        Dialect::Sqlite => NAMES_SQLITE,
        Dialect::Postgres => NAMES_POSTGRES,
    };
    let rows = tx.query(names, &[])?;
    let has = |name| rows.iter().any(|row| row.first().and_then(Value::as_text) == Some(name));
    for column in COLUMNS.iter().filter(|column| !has(column.split(' ').next().unwrap_or(column))) {
        tx.run_script(&format!("alter table schema_migrations add column {column}"))?;
    }
    Ok(())
}

fn entry(row: SqlRow) -> Result<((String, u32), Entry), SqlError> {
    let damaged = || SqlError::Damaged("schema_migrations has a row of another shape".into());
    let Ok(
        [
            Value::Text(capability),
            Value::Int(number),
            Value::Text(stem),
            Value::Text(checksum),
            Value::Text(at),
            Value::Text(state),
            by,
            phase,
            progress,
            down,
            down_checksum,
        ],
    ) = <[Value; 11]>::try_from(row)
    else {
        return Err(damaged());
    };
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mark = Mark::parse(&state).ok_or_else(damaged)?;
    let by = by.as_text().map(str::to_owned);
    let phase = phase.as_text().and_then(|name| name.parse().ok());
    let progress = progress.as_text().and_then(Progress::parse);
    let checksum_of_down = down_checksum.as_text().map(str::to_owned);
    let down = down.as_text().map(str::to_owned);
    let down = down.map(|text| StoredDown { text, checksum: checksum_of_down });
    Ok(((capability, number), Entry { stem, checksum, at, by, mark, phase, progress, down }))
}

/// Returns how far a step is; `None` when it has not been begun.
pub(super) fn mark_of(tx: &mut dyn TxEngine, change: &Change) -> Result<Option<Mark>, SqlError> {
    let sql = "select state from schema_migrations where capability = $1 and number = $2";
    let rows = tx.query(sql, &identity(change))?;
    let state = rows.first().and_then(|row| row.first()).and_then(Value::as_text);
    Ok(state.and_then(Mark::parse))
}

/// Writes a step's entry.
pub(super) fn enter(
    tx: &mut dyn TxEngine,
    change: &Change,
    mark: Mark,
    progress: Option<&Progress>,
    signature: Signature,
) -> Result<(), SqlError> {
    let sql = "insert into schema_migrations
            (capability, number, stem, checksum, applied_at, state, applied_by, down_sql, phase,
             progress, down_checksum)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (capability, number) do update set stem = excluded.stem,
            checksum = excluded.checksum, applied_at = excluded.applied_at,
            state = excluded.state, applied_by = excluded.applied_by,
            down_sql = excluded.down_sql, phase = excluded.phase,
            progress = excluded.progress, down_checksum = excluded.down_checksum";
    let [capability, number] = identity(change);
    let values = [
        capability,
        number,
        Value::Text(change.stem.clone()),
        Value::Text(change.checksum.clone()),
        Value::Text(signature.at),
        Value::Text(mark.name().to_owned()),
        Value::Text(signature.by),
        Value::Text(change.down.clone()),
        Value::Text(change.phase.to_string()),
        progress.map_or(Ok(Value::Null), |progress| progress.to_text().map(Value::Text))?,
        Value::Text(checksum_of(&[&change.down])),
    ];
    tx.execute(sql, &values).map(drop)
}

/// Returns how far a backfill is, if it was begun in this direction and with this text.
pub(super) fn progress_of(
    tx: &mut dyn TxEngine,
    change: &Change,
    mark: Mark,
) -> Result<Option<Progress>, SqlError> {
    let sql = "select progress from schema_migrations where capability = $1 and number = $2
        and state = $3 and checksum = $4";
    let [capability, number] = identity(change);
    let state = Value::Text(mark.name().to_owned());
    let values = [capability, number, state, Value::Text(change.checksum.clone())];
    let rows = tx.query(sql, &values)?;
    let text = rows.first().and_then(|row| row.first()).and_then(Value::as_text);
    Ok(text.and_then(Progress::parse))
}

/// Writes how far a backfill is.
pub(super) fn note(
    tx: &mut dyn TxEngine,
    change: &Change,
    progress: &Progress,
) -> Result<(), SqlError> {
    let sql = "update schema_migrations set progress = $3 where capability = $1 and number = $2";
    let [capability, number] = identity(change);
    tx.execute(sql, &[capability, number, Value::Text(progress.to_text()?)]).map(drop)
}

/// Removes a step's entry.
pub(super) fn remove(tx: &mut dyn TxEngine, change: &Change) -> Result<(), SqlError> {
    let sql = "delete from schema_migrations where capability = $1 and number = $2";
    tx.execute(sql, &identity(change)).map(drop)
}

/// Returns whether the turn is still that of this token, and keeps it so to the end of the
/// transaction: whoever takes it over waits for this row.
pub(super) fn keeps_turn(tx: &mut dyn TxEngine, token: &str) -> Result<bool, SqlError> {
    let sql = "update schema_migrations_lock set since = since where token = $1";
    tx.execute(sql, &[Value::Text(token.to_owned())]).map(|count| count == 1)
}

fn identity(change: &Change) -> [Value; 2] {
    [Value::Text(change.capability.clone()), Value::Int(i64::from(change.number))]
}

impl Mark {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Doing => "doing",
            Self::Undoing => "undoing",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Done, Self::Doing, Self::Undoing].into_iter().find(|mark| mark.name() == name)
    }
}
