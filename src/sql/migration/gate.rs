//! Who still needs what a step takes away: the programs that run, by their rows in `nodes`.

use serde_json::{Map, Value as Json};

use super::Phase;
use super::change::Change;
use crate::sql::{Dialect, SqlError, SqlRow, TxEngine, Value};

/// By the clock of the database, which is the one that wrote the heartbeats.
const LIVE_SQLITE: &str = "select name, program_version, knows from nodes
    where heartbeat_at + silence_ms
        >= cast((julianday('now') - 2440587.5) * 86400000 as integer)
    order by name, id";
const LIVE_POSTGRES: &str = "select name, program_version, knows from nodes
    where heartbeat_at + silence_ms
        >= cast(extract(epoch from clock_timestamp()) * 1000 as bigint)
    order by name, id";
const TABLE_SQLITE: &str = "select 1 from sqlite_master where type = 'table' and name = 'nodes'";
const TABLE_POSTGRES: &str = "select 1 from pg_class
    where relname = 'nodes' and relnamespace = current_schema()::regnamespace";

/// Returns the running programs that need what the change takes away, in words; none is empty.
///
/// A contract step takes the old shape from who does not know the step. A program without the
/// capability never looks at its tables. Undoing any other step takes the new shape from who
/// knows the step, because that one may use it.
pub(super) fn users(tx: &mut dyn TxEngine, change: &Change) -> Result<String, SqlError> {
    let needs = match (change.is_up, change.phase) {
        (true, Phase::Contract) => |known: u64, number: u64| known < number,
        (false, Phase::Expand | Phase::Backfill) => |known: u64, number: u64| known >= number,
        _ => return Ok(String::new()),
    };
    let (table, live) = match tx.dialect() {
        Dialect::Sqlite => (TABLE_SQLITE, LIVE_SQLITE),
        Dialect::Postgres => (TABLE_POSTGRES, LIVE_POSTGRES),
    };
    if tx.query(table, &[])?.is_empty() {
        return Ok(String::new());
    }
    let mut users = Vec::new();
    for row in tx.query(live, &[])? {
        let [name, version, knows] = texts(&row)?;
        let known = known(knows, &change.capability);
        if !matches!(known, Knows::Nothing)
            && !matches!(known, Knows::UpTo(known) if !needs(known, u64::from(change.number)))
        {
            users.push(format!("{name} (program {version}, {})", words(&known, change)));
        }
    }
    Ok(users.join(", "))
}

/// What a program says that it knows of a capability.
enum Knows {
    /// It has no such capability.
    Nothing,
    UpTo(u64),
    /// It cannot be read, so the worst is taken for true.
    Unclear,
}

fn known(knows: &str, capability: &str) -> Knows {
    let Ok(all) = serde_json::from_str::<Map<String, Json>>(knows) else { return Knows::Unclear };
    match all.get(capability).map(Json::as_u64) {
        None => Knows::Nothing,
        Some(Some(number)) => Knows::UpTo(number),
        Some(None) => Knows::Unclear,
    }
}

fn words(known: &Knows, change: &Change) -> String {
    let capability = &change.capability;
    match known {
        Knows::UpTo(number) => format!("knows {capability} up to {number}"),
        _ => format!("what it knows of {capability} cannot be read"),
    }
}

fn texts(row: &SqlRow) -> Result<[&str; 3], SqlError> {
    match row.as_slice() {
        [Value::Text(name), Value::Text(version), Value::Text(knows)] => Ok([name, version, knows]),
        _ => Err(SqlError::Damaged("nodes has a row of another shape".into())),
    }
}
