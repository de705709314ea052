//! The table of the steps that are done or under way.

use std::collections::BTreeMap;

use super::batch::Progress;
use super::change::Change;
use super::{Migration, MigrationSet, Phase, checksum_of};
use crate::sql::{Dialect, SqlError, SqlRow, ToValue, TxEngine, Value};

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
    /// The last step of the first run that began this one; `None` of one begun later.
    pub(super) first_run_to: Option<i64>,
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

/// What came later, and so is missing in tables of early programs; and what stands for it there.
const COLUMNS: [(&str, &str, &str); 7] = [
    ("state", "text not null default 'done'", "'done'"),
    ("applied_by", "text", "null"),
    ("down_sql", "text", "null"),
    ("phase", "text", "null"),
    ("progress", "text", "null"),
    ("down_checksum", "text", "null"),
    ("first_run_to", "bigint", "null"),
];

/// The names of the columns; none when there is no table.
const NAMES_SQLITE: &str = "select name from pragma_table_info('schema_migrations')";
const NAMES_POSTGRES: &str = "select attname::text from pg_attribute
    where attrelid = to_regclass('schema_migrations') and attnum > 0 and not attisdropped";

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

/// Makes the tables of a run, or brings those of an early program up.
pub(super) fn make(tx: &mut dyn TxEngine) -> Result<(), SqlError> {
    tx.lock("schema_migrations")?;
    tx.run_script(TABLE)?;
    if tx.dialect() == Dialect::Postgres {
        tx.run_script(TURN_TABLE)?;
    }
    let names = names(tx)?;
    for (name, kind, _) in COLUMNS.iter().filter(|(name, ..)| !has(&names, name)) {
        tx.run_script(&format!("alter table schema_migrations add column {name} {kind}"))?;
    }
    Ok(())
}

/// Reads the table, as it is and although there may be none: whoever only looks may have no
/// right to make it.
pub(super) fn read_applied(tx: &mut dyn TxEngine) -> Result<Applied, SqlError> {
    let names = names(tx)?;
    if names.is_empty() {
        return Ok(Applied::new());
    }
    let later: Vec<&str> = COLUMNS
        .iter()
        .map(|(name, _, instead)| if has(&names, name) { *name } else { *instead })
        .collect();
    let sql = format!(
        "select capability, number, stem, checksum, applied_at, {} from schema_migrations",
        later.join(", ")
    );
    let rows = tx.query(&sql, &[])?;
    rows.into_iter().map(entry).collect()
}

fn names(tx: &mut dyn TxEngine) -> Result<Vec<SqlRow>, SqlError> {
    let names = match tx.dialect() {
        Dialect::Sqlite => NAMES_SQLITE,
        Dialect::Postgres => NAMES_POSTGRES,
    };
    tx.query(names, &[])
}

fn has(names: &[SqlRow], name: &str) -> bool {
    names.iter().any(|row| row.first().and_then(Value::as_text) == Some(name))
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
            down,
            phase,
            progress,
            down_checksum,
            first_run_to,
        ],
    ) = <[Value; 12]>::try_from(row)
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
    let first_run_to = first_run_to.as_int();
    let key = (capability, number);
    Ok((key, Entry { stem, checksum, at, by, mark, phase, progress, down, first_run_to }))
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
             progress, down_checksum, first_run_to)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (capability, number) do update set stem = excluded.stem,
            checksum = excluded.checksum, applied_at = excluded.applied_at,
            state = excluded.state, applied_by = excluded.applied_by,
            down_sql = excluded.down_sql, phase = excluded.phase,
            progress = excluded.progress, down_checksum = excluded.down_checksum,
            first_run_to = excluded.first_run_to";
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
        change.first_run_to.to_value(),
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

/// Removes a step's entry; what is undone has been in use, so the first run is over.
pub(super) fn remove(tx: &mut dyn TxEngine, change: &Change) -> Result<(), SqlError> {
    let sql = "delete from schema_migrations where capability = $1 and number = $2";
    tx.execute(sql, &identity(change))?;
    let sql = "update schema_migrations set first_run_to = null where capability = $1";
    tx.execute(sql, &[Value::Text(change.capability.clone())]).map(drop)
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
