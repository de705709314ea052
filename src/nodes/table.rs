//! The rows of nodes and leases. Whoever changes them holds the lock of all of them.

use std::time::Duration;

use jiff::Timestamp;

use super::NodeConfig;
use super::membership::{Tenure, Versions};
use super::roster::{Lease, Node, NodeState, Roster};
use crate::sql::{Dialect, SqlError, SqlRow, ToValue, TxEngine, Value};

/// How long a node that is gone is still shown, and remembered for its versions.
const REMEMBERED_MS: i64 = 600_000;

/// Waits until no other node changes the rows.
pub(super) fn lock(tx: &mut dyn TxEngine) -> Result<(), SqlError> {
    tx.lock("nodes")
}

/// Returns the database's time in milliseconds since 1970.
pub(super) fn now(tx: &mut dyn TxEngine) -> Result<i64, SqlError> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => "select cast(unixepoch('subsec') * 1000 as integer)",
        Dialect::Postgres => "select (extract(epoch from clock_timestamp()) * 1000)::bigint",
    };
    let rows = tx.query(sql, &[])?;
    let time = rows.first().and_then(|row| row.first()).and_then(Value::as_int);
    time.ok_or_else(|| damaged("the clock"))
}

/// Writes that a node lives, and forgets those that are long gone.
pub(super) fn beat(
    tx: &mut dyn TxEngine,
    id: &str,
    config: &NodeConfig,
    [knows, runs]: [&Versions; 2],
) -> Result<(), SqlError> {
    let now = now(tx)?;
    let sql = "insert into nodes (id, name, program_version, address, started_at, heartbeat_at,
            silence_ms, knows, runs)
        values ($1, $2, $3, $4, $5, $5, $6, $7, $8)
        on conflict (id) do update
        set heartbeat_at = excluded.heartbeat_at, silence_ms = excluded.silence_ms,
            runs = excluded.runs";
    let values = [
        id.to_value(),
        config.name.to_value(),
        config.program_version.to_value(),
        config.address.to_value(),
        now.to_value(),
        milliseconds(config.silence).to_value(),
        json(knows).to_value(),
        json(runs).to_value(),
    ];
    tx.execute(sql, &values)?;
    let gone = "delete from nodes where heartbeat_at < $1";
    tx.execute(gone, &[(now - REMEMBERED_MS).to_value()]).map(drop)
}

/// Removes every node but one, whose the database is alone.
pub(super) fn remove_others(tx: &mut dyn TxEngine, id: &str) -> Result<(), SqlError> {
    tx.execute("delete from nodes where id <> $1", &[id.to_value()]).map(drop)
}

/// Removes a node.
pub(super) fn remove(tx: &mut dyn TxEngine, id: &str) -> Result<(), SqlError> {
    tx.execute("delete from nodes where id = $1", &[id.to_value()]).map(drop)
}

/// Writes that a node has gone in order, and gives up what it holds.
pub(super) fn leave(tx: &mut dyn TxEngine, id: &str) -> Result<(), SqlError> {
    tx.execute("update nodes set silence_ms = 0 where id = $1", &[id.to_value()])?;
    tx.execute("update leases set node = null where node = $1", &[id.to_value()]).map(drop)
}

/// Makes sure that there is a lease of a name.
pub(super) fn add_lease(tx: &mut dyn TxEngine, name: &str) -> Result<(), SqlError> {
    let sql = "insert into leases (name, node, token, taken_at) values ($1, null, 0, null)
        on conflict (name) do nothing";
    tx.execute(sql, &[name.to_value()]).map(drop)
}

/// Takes a lease from whoever has it; earlier tokens of it are void.
pub(super) fn take(tx: &mut dyn TxEngine, name: &str, node: &str) -> Result<(), SqlError> {
    let now = now(tx)?;
    let sql = "update leases set node = $2, token = token + 1, taken_at = $3 where name = $1";
    tx.execute(sql, &[name.to_value(), node.to_value(), now.to_value()]).map(drop)
}

/// Gives a lease up, unless it was lost before.
pub(super) fn give_up(tx: &mut dyn TxEngine, tenure: &Tenure) -> Result<(), SqlError> {
    let sql = "update leases set node = null where name = $1 and node = $2 and token = $3";
    tx.execute(sql, &tenure.values()).map(drop)
}

/// Returns whether a lease is still held under its token.
pub(super) fn is_held(tx: &mut dyn TxEngine, tenure: &Tenure) -> Result<bool, SqlError> {
    let sql = "select 1 from leases where name = $1 and node = $2 and token = $3";
    tx.query(sql, &tenure.values()).map(|rows| !rows.is_empty())
}

/// Reads all nodes and leases.
pub(super) fn roster(tx: &mut dyn TxEngine) -> Result<Roster, SqlError> {
    let now = now(tx)?;
    let nodes = "select id, name, program_version, address, started_at, heartbeat_at,
        silence_ms, knows, runs from nodes order by started_at, id";
    let leases = "select name, node, token, taken_at from leases order by name";
    let node = |row| node(row, now).ok_or_else(|| damaged("nodes"));
    let lease = |row| lease(row).ok_or_else(|| damaged("leases"));
    Ok(Roster {
        nodes: tx.query(nodes, &[])?.into_iter().map(node).collect::<Result<_, _>>()?,
        leases: tx.query(leases, &[])?.into_iter().map(lease).collect::<Result<_, _>>()?,
    })
}

fn node(row: SqlRow, now: i64) -> Option<Node> {
    let [id, name, version, address, started_at, heartbeat_at, silence, knows, runs] =
        row.try_into().ok()?;
    let silent_ms = now.saturating_sub(heartbeat_at.as_int()?).max(0);
    let state = match silence.as_int()? {
        0 => NodeState::Left,
        silence if silent_ms > silence => NodeState::Silent,
        _ => NodeState::Alive,
    };
    Some(Node {
        id: id.as_text()?.to_owned(),
        name: name.as_text()?.to_owned(),
        program_version: version.as_text()?.to_owned(),
        address: address.as_text().map(str::to_owned),
        started_at: Timestamp::from_millisecond(started_at.as_int()?).ok()?,
        silent_for: Duration::from_millis(silent_ms.unsigned_abs()),
        state,
        knows: serde_json::from_str(knows.as_text()?).ok()?,
        runs: serde_json::from_str(runs.as_text()?).ok()?,
    })
}

fn lease(row: SqlRow) -> Option<Lease> {
    let [name, node, token, taken_at] = row.try_into().ok()?;
    let taken_at = taken_at.as_int().and_then(|at| Timestamp::from_millisecond(at).ok());
    Some(Lease {
        name: name.as_text()?.to_owned(),
        node: node.as_text().map(str::to_owned),
        token: token.as_int()?,
        taken_at,
    })
}

fn json(map: &Versions) -> String {
    // A map of texts and numbers is always JSON.
    serde_json::to_string(map).unwrap_or_default()
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn damaged(what: &str) -> SqlError {
    SqlError::Damaged(format!("table of {what} is not of this shape"))
}
