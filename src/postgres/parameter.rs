//! The parameters behind `?`: those of this program, and those left to the driver.

use std::path::PathBuf;

use tokio_postgres::config::SslMode;

use super::address::{AddressError, DEFAULT_SCHEMA};
use super::tls::Trust;

/// What the driver understands; others are refused by name.
const OF_THE_DRIVER: [&str; 18] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

/// PostgreSQL cuts names at 63 bytes; tables and indexes need room too.
const SCHEMA_CHARS_MAX: usize = 48;

/// What stands between this program and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// Nothing that matters: start-up options arrive.
    Absent,
    /// A pooler that keeps a session for each connection.
    Session,
    /// A pooler that gives every transaction whatever session is free: nothing of a session
    /// lasts, no setting, no prepared statement, no lock and no notification.
    Transaction,
}

/// The parameters, sorted by who understands them.
pub(super) struct Parameters {
    pub(super) schema: String,
    pub(super) pooler: Pooler,
    pub(super) trust: Trust,
    pub(super) mode: SslMode,
    /// Left to the driver, as they were written.
    pub(super) others: String,
}

/// Sorts the parameters.
pub(super) fn parse(query: &str) -> Result<Parameters, AddressError> {
    let (mut name, mut mode, mut root) = (DEFAULT_SCHEMA.to_owned(), "prefer".to_owned(), None);
    let (mut others, mut pooler) = (Vec::new(), Pooler::Absent);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default();
        match key.as_ref() {
            "schema" => name = schema(&value)?,
            "pooler" => pooler = self::pooler(&value)?,
            "sslmode" => mode = value.into_owned(),
            "sslrootcert" => root = Some(PathBuf::from(value.as_ref())),
            key if OF_THE_DRIVER.contains(&key) => others.push(pair),
            key => return Err(wrong(shown(key), "is not known: remove it")),
        }
    }
    if pooler != Pooler::Absent && others.iter().any(|pair| pair.starts_with("options=")) {
        return Err(wrong("options", "does not pass a pooler: set it for the role instead"));
    }
    let (mode, trust) = trust(&mode, root)?;
    Ok(Parameters { schema: name, pooler, trust, mode, others: others.join("&") })
}

fn pooler(mode: &str) -> Result<Pooler, AddressError> {
    match mode {
        "session" => Ok(Pooler::Session),
        "transaction" => Ok(Pooler::Transaction),
        _ => Err(wrong("pooler", "must be session or transaction, as the pooler is set")),
    }
}

/// Checks the name of a schema, so that it can stand in a statement as it is.
pub(super) fn schema(name: &str) -> Result<String, AddressError> {
    let is_first = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_plain = name.starts_with(is_first)
        && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
        && name.len() <= SCHEMA_CHARS_MAX;
    if !is_plain || name.starts_with("pg_") {
        let rule = "must be lower case letters, digits and _, at most 48, not beginning with pg_";
        return Err(wrong("schema", rule));
    }
    Ok(name.to_owned())
}

fn trust(mode: &str, root: Option<PathBuf>) -> Result<(SslMode, Trust), AddressError> {
    if root.is_some() && mode != "verify-full" {
        return Err(wrong("sslrootcert", "is only used with sslmode=verify-full: add that"));
    }
    match mode {
        "disable" => Ok((SslMode::Disable, Trust::Anyone)),
        "prefer" => Ok((SslMode::Prefer, Trust::Anyone)),
        "require" => Ok((SslMode::Require, Trust::Anyone)),
        "verify-full" => Ok((SslMode::Require, root.map_or(Trust::Machine, Trust::File))),
        _ => Err(wrong("sslmode", "must be disable, prefer, require or verify-full")),
    }
}

/// Returns a name that can be shown: what looks like no name may be part of a password.
fn shown(key: &str) -> &str {
    let is_name = key.len() <= 32 && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if is_name && !key.is_empty() { key } else { "without a name" }
}

fn wrong(name: &str, problem: &str) -> AddressError {
    AddressError::Parameter { name: name.to_owned(), problem: problem.to_owned() }
}
