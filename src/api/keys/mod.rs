//! API keys: made, listed and revoked by the program and by a tenant's admins.
//!
//! A key belongs to one tenant, has scopes of which none implies another, and may expire. Only
//! its hash is stored. The server keeps what it has seen in a bounded `KeyRing`.

mod caller;
mod ring;
mod row;
mod scope;
mod secret;
mod trial;

use jiff::Timestamp;
use serde::Serialize;

pub(super) use caller::Turn;
pub use caller::{Admin, Caller, Reader, Writer};
pub(super) use ring::KeyRing;
pub use scope::{Scope, ScopeError};
pub use secret::{KeyHash, KeyText};
pub(super) use trial::{Patience, Trials};

use crate::event::Tenant;
use crate::sql::{Database, SqlError, ToValue, Value};

/// The most bytes of a key's name.
pub const NAME_LEN_MAX: usize = 64;
/// The most keys of a tenant that are not revoked.
pub const KEYS_PER_TENANT_MAX: i64 = 1_000;

/// What a new key is to be like.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    /// Whose data it opens.
    pub tenant: Tenant,
    /// What people call it; also `who` in the metadata of what it sets off.
    pub name: String,
    /// What it allows; at least one.
    pub scopes: Vec<Scope>,
    /// When it stops working; `None` means never.
    pub expires_at: Option<Timestamp>,
}

/// What is known of a key; never the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeyInfo {
    /// Its public part, by which it is revoked.
    pub id: String,
    /// Whose data it opens.
    #[schema(value_type = String)]
    pub tenant: Tenant,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it stops working; `None` means never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked; `None` while it works.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute or so; `None` before the first use.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// A key that was just made: the only time at which its text is known.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The text to send as `Authorization: Bearer <text>`.
    pub text: KeyText,
    /// What is stored of it.
    pub info: KeyInfo,
}

/// Says why a key was not made, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The request is not valid. Caller.
    #[error("{field} {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The tenant has as many keys as it may. Caller: revoke some.
    #[error("tenant has {KEYS_PER_TENANT_MAX} keys already: revoke some first")]
    TooMany,
    /// The system has no randomness to give. Operator.
    #[error("system has no randomness to give: {0}")]
    Random(#[from] getrandom::Error),
    /// The read side failed; its error says who acts.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Makes a key. Its text is returned once and cannot be found out later.
///
/// # Errors
/// [`KeyError`] when the request is not valid, the tenant has too many keys or it could not be
/// stored.
pub async fn create(
    database: &Database,
    request: KeyRequest,
    now: Timestamp,
) -> Result<NewKey, KeyError> {
    let key = fresh(request, now)?;
    let (info, hash) = (key.info.clone(), key.text.hash());
    let is_stored =
        database.write_durably(move |tx| row::insert_within_bound(tx, &info, hash)).await?;
    if is_stored { Ok(key) } else { Err(KeyError::TooMany) }
}

/// Makes an admin's key with every scope, if there is no key at all yet; `None` if there is.
///
/// A program calls it at each start and prints what it gets, once.
///
/// # Errors
/// [`KeyError`] when it could not be stored.
pub async fn create_first(
    database: &Database,
    tenant: Tenant,
    now: Timestamp,
) -> Result<Option<NewKey>, KeyError> {
    let scopes = Scope::ALL.to_vec();
    let key = fresh(KeyRequest { tenant, name: "first".into(), scopes, expires_at: None }, now)?;
    let (info, hash) = (key.info.clone(), key.text.hash());
    let is_first = database.write_durably(move |tx| row::insert_if_first(tx, &info, hash)).await?;
    Ok(is_first.then_some(key))
}

/// Lists the keys of a tenant, revoked ones too, the oldest first.
///
/// # Errors
/// [`KeyError::Sql`].
pub async fn list(database: &Database, tenant: &Tenant) -> Result<Vec<KeyInfo>, KeyError> {
    let values: Vec<Value> = vec![tenant.as_str().to_value()];
    let rows = database.read(row::SELECT_OF_TENANT, values).await?;
    rows.rows.iter().map(|row| row::info(row).map_err(KeyError::from)).collect()
}

/// Revokes a key of a tenant for good; false when the tenant has no such key that works.
///
/// A server that runs in another process notices within
/// [`keys_cached_for`](super::ApiLimits::keys_cached_for).
///
/// # Errors
/// [`KeyError::Sql`].
pub async fn revoke(
    database: &Database,
    tenant: &Tenant,
    id: &str,
    now: Timestamp,
) -> Result<bool, KeyError> {
    let values = [now.to_value(), tenant.as_str().to_value(), id.to_value()];
    let changed = database.write_durably(move |tx| tx.execute(row::REVOKE, &values)).await?;
    Ok(changed > 0)
}

fn fresh(request: KeyRequest, now: Timestamp) -> Result<NewKey, KeyError> {
    let KeyRequest { tenant, name, mut scopes, expires_at } = request;
    let refused = |field, problem: &str| KeyError::Invalid { field, problem: problem.to_owned() };
    if name.is_empty() || name.len() > NAME_LEN_MAX || name.chars().any(char::is_control) {
        return Err(refused("name", "must have 1 to 64 bytes and no control character"));
    }
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(refused("scopes", "must name at least one of read, write, admin"));
    }
    if expires_at.is_some_and(|at| at <= now) {
        return Err(refused("expires_at", "lies in the past"));
    }
    let text = KeyText::fresh()?;
    let info = KeyInfo {
        id: text.id().to_owned(),
        tenant,
        name,
        scopes,
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    Ok(NewKey { text, info })
}
