//! How keys lie in the table `api_keys`.

use jiff::Timestamp;

use super::{KEYS_PER_TENANT_MAX, KeyHash, KeyInfo, Scope};
use crate::event::Tenant;
use crate::sql::{SqlError, SqlRow, ToValue, TxEngine, Value};

/// Held while keys are counted and one is added.
const LOCK: &str = "api_keys";
const INSERT: &str = "insert into api_keys (id, tenant, name, hash, scopes, created_at, expires_at) \
     values ($1, $2, $3, $4, $5, $6, $7)";
const COUNT: &str = "select count(*) from api_keys where tenant = $1 and revoked_at is null";
const ANY: &str = "select id from api_keys limit 1";
pub(super) const SELECT_OF_TENANT: &str = "select id, tenant, name, hash, scopes, created_at, \
     expires_at, revoked_at, last_used_at from api_keys where tenant = $1 order by created_at, id";
pub(super) const SELECT: &str = "select id, tenant, name, hash, scopes, created_at, \
     expires_at, revoked_at, last_used_at from api_keys where id = $1";
pub(super) const REVOKE: &str = "update api_keys set revoked_at = $1 \
     where tenant = $2 and id = $3 and revoked_at is null";
pub(super) const NOTE_USE: &str = "update api_keys set last_used_at = $1 where id = $2";

/// Stores a key unless its tenant has too many; returns whether it did.
pub(super) fn insert_within_bound(
    tx: &mut dyn TxEngine,
    info: &KeyInfo,
    hash: KeyHash,
) -> Result<bool, SqlError> {
    tx.lock(LOCK)?;
    let rows = tx.query(COUNT, &[info.tenant.as_str().to_value()])?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(count)) if *count < KEYS_PER_TENANT_MAX => insert(tx, info, hash),
        _ => Ok(false),
    }
}

/// Stores a key if there is none at all; returns whether it did.
pub(super) fn insert_if_first(
    tx: &mut dyn TxEngine,
    info: &KeyInfo,
    hash: KeyHash,
) -> Result<bool, SqlError> {
    tx.lock(LOCK)?;
    if tx.query(ANY, &[])?.is_empty() { insert(tx, info, hash) } else { Ok(false) }
}

/// Reads what is known of a key.
pub(super) fn info(row: &SqlRow) -> Result<KeyInfo, SqlError> {
    let tenant = Tenant::new(text(row, 1)?).map_err(|_| damaged("tenant"))?;
    let scopes = text(row, 4)?.split_whitespace().map(str::parse::<Scope>);
    Ok(KeyInfo {
        id: text(row, 0)?.to_owned(),
        tenant,
        name: text(row, 2)?.to_owned(),
        scopes: scopes.collect::<Result<_, _>>().map_err(|_| damaged("scopes"))?,
        created_at: time(row, 5)?.ok_or_else(|| damaged("created_at"))?,
        expires_at: time(row, 6)?,
        revoked_at: time(row, 7)?,
        last_used_at: time(row, 8)?,
    })
}

/// Reads the stored hash of a key.
pub(super) fn hash(row: &SqlRow) -> Result<KeyHash, SqlError> {
    KeyHash::from_hex(text(row, 3)?).ok_or_else(|| damaged("hash"))
}

fn insert(tx: &mut dyn TxEngine, info: &KeyInfo, hash: KeyHash) -> Result<bool, SqlError> {
    let scopes: Vec<&str> = info.scopes.iter().map(|scope| scope.as_str()).collect();
    let values = [
        info.id.to_value(),
        info.tenant.as_str().to_value(),
        info.name.to_value(),
        hash.to_hex().to_value(),
        scopes.join(" ").to_value(),
        info.created_at.to_value(),
        info.expires_at.to_value(),
    ];
    tx.execute(INSERT, &values).map(|changed| changed == 1)
}

fn text(row: &SqlRow, at: usize) -> Result<&str, SqlError> {
    match row.get(at) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(damaged("a text")),
    }
}

fn time(row: &SqlRow, at: usize) -> Result<Option<Timestamp>, SqlError> {
    match row.get(at) {
        Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => text.parse().map(Some).map_err(|_| damaged("a time")),
        _ => Err(damaged("a time")),
    }
}

fn damaged(what: &str) -> SqlError {
    SqlError::Damaged(format!("api_keys: {what} cannot be read"))
}
