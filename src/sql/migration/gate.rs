//! Who still needs what a step takes away: the programs that run, by their rows in `nodes`.

use serde_json::{Map, Value as Json};

use super::Phase;
use super::change::Change;
use crate::sql::{Dialect, SqlError, SqlRow, TxEngine, Value};

/// Why a transaction of a step was rolled back.
#[derive(Debug)]
pub(super) enum Stop {
    Sql(SqlError),
    /// Another runner has taken over.
    Superseded,
    /// These programs need what would be taken away.
    InUse(String),
}

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

/// Refuses a change that takes something away from programs that run.
///
/// A contract step takes the old shape from who does not know the step. A program without the
/// capability never looks at its tables. Undoing any other step takes the new shape from who
/// knows the step, because that one may use it.
pub(super) fn check(tx: &mut dyn TxEngine, change: &Change) -> Result<(), Stop> {
    let Some(is_needed) = need(change) else { return Ok(()) };
    let users = users(tx, change, is_needed)?;
    if users.is_empty() { Ok(()) } else { Err(Stop::InUse(users)) }
}

/// The same as the last thing before the commit, which programs that come now wait for: they are
/// seen here, or see the step themselves when they look at the schema after they were entered.
pub(super) fn check_last(tx: &mut dyn TxEngine, change: &Change) -> Result<(), Stop> {
    if need(change).is_some() && tx.dialect() == Dialect::Postgres && has_nodes(tx)? {
        // Not sooner: as long as it is held, nobody can say that he lives.
        tx.run_script("lock table nodes in share mode")?;
    }
    check(tx, change)
}

/// Returns which programs need what a change takes away, by the last step that they know;
/// `None` when it takes nothing.
fn need(change: &Change) -> Option<fn(u64, u64) -> bool> {
    match (change.is_up, change.phase) {
        (true, Phase::Contract) => Some(|known, number| known < number),
        (false, Phase::Expand | Phase::Backfill) => Some(|known, number| known >= number),
        _ => None,
    }
}

fn has_nodes(tx: &mut dyn TxEngine) -> Result<bool, SqlError> {
    let table = match tx.dialect() {
        Dialect::Sqlite => TABLE_SQLITE,
        Dialect::Postgres => TABLE_POSTGRES,
    };
    Ok(!tx.query(table, &[])?.is_empty())
}

/// Returns the programs that need what the change takes away, in words.
fn users(
    tx: &mut dyn TxEngine,
    change: &Change,
    is_needed: fn(u64, u64) -> bool,
) -> Result<String, SqlError> {
    if !has_nodes(tx)? {
        return Ok(String::new());
    }
    let live = match tx.dialect() {
        Dialect::Sqlite => LIVE_SQLITE,
        Dialect::Postgres => LIVE_POSTGRES,
    };
    let mut users = Vec::new();
    for row in tx.query(live, &[])? {
        let [name, version, knows] = texts(&row)?;
        let known = known(knows, &change.capability);
        let is_user = match known {
            Knows::Nothing => false,
            Knows::UpTo(known) => is_needed(known, u64::from(change.number)),
            Knows::Unclear => true,
        };
        if is_user {
            users.push(format!("{name} (program {version}, {})", words(&known, change)));
        }
    }
    Ok(users.join(", "))
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
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
