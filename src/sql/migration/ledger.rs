//! The table of the steps that are done or under way.

use std::collections::BTreeMap;

use super::{Migration, MigrationSet};
use crate::sql::{Dialect, SqlError, SqlRow, TxEngine, Value};

pub(super) type Applied = BTreeMap<(String, u32), Entry>;

pub(super) struct Entry {
    pub(super) stem: String,
    pub(super) checksum: String,
    /// When it was done; of one under way, when it began.
    pub(super) at: String,
    pub(super) by: Option<String>,
    pub(super) mark: Mark,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Done,
    /// Begun without a transaction, and not finished.
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
    state text not null default 'done',
    applied_by text,
    down_sql text,
    primary key (capability, number)
)";

/// For tables that were made before there was a state.
const NEW_COLUMNS: &str = "
    alter table schema_migrations add column state text not null default 'done';
    alter table schema_migrations add column applied_by text;
    alter table schema_migrations add column down_sql text";

const HAS_STATE_SQLITE: &str =
    "select 1 from pragma_table_info('schema_migrations') where name = 'state'";
const HAS_STATE_POSTGRES: &str = "select 1 from pg_attribute
    where attrelid = 'schema_migrations'::regclass and attname = 'state'";

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
    let has_state = match tx.dialect() {
        Dialect::Sqlite => HAS_STATE_SQLITE,
        Dialect::Postgres => HAS_STATE_POSTGRES,
    };
    if tx.query(has_state, &[])?.is_empty() {
        tx.run_script(NEW_COLUMNS)?;
    }
    let sql = "select capability, number, stem, checksum, applied_at, state, applied_by
        from schema_migrations";
    let rows = tx.query(sql, &[])?;
    rows.into_iter().map(entry).collect()
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
        ],
    ) = <[Value; 7]>::try_from(row)
    else {
        return Err(damaged());
    };
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mark = Mark::parse(&state).ok_or_else(damaged)?;
    let by = by.as_text().map(str::to_owned);
    Ok(((capability, number), Entry { stem, checksum, at, by, mark }))
}

/// Returns how far a step is; `None` when it has not been begun.
pub(super) fn mark_of(
    tx: &mut dyn TxEngine,
    capability: &str,
    step: &Migration,
) -> Result<Option<Mark>, SqlError> {
    let sql = "select state from schema_migrations where capability = $1 and number = $2";
    let rows = tx.query(sql, &identity(capability, step))?;
    let state = rows.first().and_then(|row| row.first()).and_then(Value::as_text);
    Ok(state.and_then(Mark::parse))
}

/// Writes a step's entry.
pub(super) fn enter(
    tx: &mut dyn TxEngine,
    capability: &str,
    step: &Migration,
    mark: Mark,
    signature: Signature,
) -> Result<(), SqlError> {
    let dialect = tx.dialect();
    let sql = "insert into schema_migrations
            (capability, number, stem, checksum, applied_at, state, applied_by, down_sql)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (capability, number) do update set stem = excluded.stem,
            checksum = excluded.checksum, applied_at = excluded.applied_at,
            state = excluded.state, applied_by = excluded.applied_by,
            down_sql = excluded.down_sql";
    let [capability, number] = identity(capability, step);
    let values = [
        capability,
        number,
        Value::Text(step.stem.to_owned()),
        Value::Text(step.checksum(dialect)),
        Value::Text(signature.at),
        Value::Text(mark.name().to_owned()),
        Value::Text(signature.by),
        Value::Text(step.text(dialect, false).to_owned()),
    ];
    tx.execute(sql, &values).map(drop)
}

/// Removes a step's entry.
pub(super) fn remove(
    tx: &mut dyn TxEngine,
    capability: &str,
    step: &Migration,
) -> Result<(), SqlError> {
    let sql = "delete from schema_migrations where capability = $1 and number = $2";
    tx.execute(sql, &identity(capability, step)).map(drop)
}

/// Returns whether the turn is still that of this token, and keeps it so to the end of the
/// transaction: whoever takes it over waits for this row.
pub(super) fn keeps_turn(tx: &mut dyn TxEngine, token: &str) -> Result<bool, SqlError> {
    let sql = "update schema_migrations_lock set since = since where token = $1";
    tx.execute(sql, &[Value::Text(token.to_owned())]).map(|count| count == 1)
}

fn identity(capability: &str, step: &Migration) -> [Value; 2] {
    [Value::Text(capability.to_owned()), Value::Int(i64::from(step.number()))]
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
