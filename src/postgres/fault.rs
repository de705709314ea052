//! What errors of PostgreSQL mean: who acts, and whether the connection can still be used.

use std::error::Error as _;
use std::io;

use deadpool_postgres::{HookError, PoolError};
use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use super::Address;

/// Says what went wrong with a connection or a statement, without secrets and without values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    kind: FaultKind,
    message: String,
    code: Option<String>,
    constraint: Option<String>,
}

/// Says who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The server cannot be reached, or the connection has ended: whether a commit under way was
    /// done is unknown. Nobody: connected again.
    Lost,
    /// The server is there and takes no work now: it starts, stops, is a standby, or has too many
    /// connections. Nobody: retried on a new connection.
    Unavailable,
    /// Another transaction was in the way: serialization, deadlock, lock or statement time-out;
    /// this one was rolled back. Nobody: the transaction is run again.
    Contended,
    /// The server has no room on its disk. Operator: make room; retried meanwhile.
    DiskFull,
    /// Credentials, rights, database, schema, certificates or settings are wrong. Operator.
    Misconfigured,
    /// The server's data is damaged. Operator: restore it.
    Damaged,
    /// A constraint, or a rule that the schema raises, says no. Caller.
    Refused,
    /// The statement or its values are wrong. Developer.
    Statement,
}

impl Fault {
    /// Makes a fault that the driver did not report.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, constraint: None }
    }

    /// Says what an error of the driver means.
    #[must_use]
    pub fn of(error: &Error, address: &Address) -> Self {
        match error.as_db_error() {
            Some(said) => Self::said(said, address),
            None => Self::unsaid(error, address),
        }
    }

    /// Says what an error of a pool means.
    #[must_use]
    pub fn of_pool(error: &PoolError, address: &Address) -> Self {
        let server = address.server();
        match error {
            PoolError::Backend(error) => Self::of(error, address),
            PoolError::Timeout(_) => Self::new(
                FaultKind::Unavailable,
                format!("no connection to PostgreSQL at {server} became free in time: try again"),
            ),
            PoolError::Closed => {
                Self::new(FaultKind::Lost, format!("connections to {server} are closed"))
            }
            PoolError::PostCreateHook(HookError::Backend(error)) => Self::of(error, address),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::new(FaultKind::Misconfigured, "pool of connections is not set up")
            }
        }
    }

    /// Returns who acts.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Returns the five characters of SQLSTATE; `None` when the server did not say it.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the constraint that said no, if one did.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    /// Returns whether the same work may succeed later without anybody changing it.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        use FaultKind::{Contended, DiskFull, Lost, Unavailable};
        matches!(self.kind, Lost | Unavailable | Contended | DiskFull)
    }

    /// Returns whether work goes on with a new connection only; a standby's is one too, because
    /// the address may lead to the new primary.
    #[must_use]
    pub const fn ends_connection(&self) -> bool {
        matches!(self.kind, FaultKind::Lost | FaultKind::Unavailable)
    }

    /// What the server has said; the detail is left out, because it quotes rows.
    fn said(error: &DbError, address: &Address) -> Self {
        let code = error.code().code();
        let kind = match code {
            "08P01" => kind_of_protocol(error.message()),
            _ => kind_of(code),
        };
        let said = without_values(code, error.message());
        let (server, database) = (address.server(), address.database());
        let message = match (kind, code) {
            (FaultKind::Misconfigured, "3D000") => {
                format!("PostgreSQL at {server} has no database {database:?}: create it")
            }
            (FaultKind::Misconfigured, "3F000") => {
                let schema = address.schema();
                format!("database {database:?} has no schema {schema:?}: migrate it first")
            }
            (FaultKind::Misconfigured, "26000" | "42P05" | "08P01") => format!(
                "PostgreSQL at {server}: {said}; say in the address that a pooler is there: \
                 pooler=session or pooler=transaction, as it is set"
            ),
            (FaultKind::Misconfigured, "28P01") => {
                format!("PostgreSQL at {server} refuses: {said}; correct the address")
            }
            (FaultKind::Misconfigured, "28000") => format!(
                "PostgreSQL at {server} refuses: {said}; correct the address, or its pg_hba.conf"
            ),
            (FaultKind::Misconfigured, "42501") => {
                let (role, schema) = (address.user(), address.schema());
                format!(
                    "PostgreSQL at {server} refuses: {said}; grant role {role:?} its rights on \
                     schema {schema:?}"
                )
            }
            (FaultKind::Misconfigured, _) => format!("PostgreSQL at {server} refuses: {said}"),
            (FaultKind::Unavailable, "25006") => format!(
                "PostgreSQL at {server} is read-only or a standby: {said}; promote it, or let the \
                 address name the primary"
            ),
            (FaultKind::Unavailable, "53300") => format!(
                "PostgreSQL at {server} has no free connection: {said}; raise its max_connections"
            ),
            (FaultKind::DiskFull, _) => format!("PostgreSQL at {server} has no room: {said}"),
            (FaultKind::Refused | FaultKind::Statement, _) => said,
            _ => format!("PostgreSQL at {server}: {said}"),
        };
        let constraint = error.constraint().map(str::to_owned);
        Self { kind, message, code: Some(code.to_owned()), constraint }
    }

    /// What the driver noticed by itself.
    fn unsaid(error: &Error, address: &Address) -> Self {
        let server = address.server();
        let cause = error.source();
        let is_io = cause.is_some_and(|cause| cause.is::<io::Error>());
        let reason = cause.map_or_else(|| error.to_string(), ToString::to_string);
        let text = error.to_string();
        if text.contains("TLS") {
            return Self::new(
                FaultKind::Misconfigured,
                format!(
                    "no encrypted connection to PostgreSQL at {server}: {reason}{}",
                    encryption_fix(&reason)
                ),
            );
        }
        if text.starts_with("error connecting") || text.starts_with("timeout") {
            return Self::unreachable(address, &reason);
        }
        if error.is_closed() || is_io {
            let message = format!("connection to PostgreSQL at {server} was lost: {reason}");
            return Self::new(FaultKind::Lost, message);
        }
        let wrong_login = ["authentication", "invalid configuration", "invalid connection"];
        if wrong_login.iter().any(|part| text.starts_with(part)) {
            let message = format!("no login to PostgreSQL at {server}: {reason}");
            return Self::new(FaultKind::Misconfigured, message);
        }
        Self::new(FaultKind::Statement, format!("{text}: {reason}"))
    }

    /// Says that nobody answers.
    pub(super) fn unreachable(address: &Address, reason: &str) -> Self {
        let server = address.server();
        let message = format!(
            "PostgreSQL at {server} cannot be reached: {reason}; start it or correct its address"
        );
        Self::new(FaultKind::Lost, message)
    }
}

/// Says what to do about a connection that could not be encrypted, where that is known.
fn encryption_fix(reason: &str) -> &'static str {
    let fixes = [
        ("UnknownIssuer", "; name the file of its authority's certificate as sslrootcert"),
        ("not valid for name", "; name the server in the address as its certificate does"),
        ("does not support TLS", "; set ssl = on there, or sslmode=disable in the address"),
    ];
    fixes.iter().find(|(part, _)| reason.contains(part)).map_or("", |(_, fix)| fix)
}

/// Sorts the codes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn kind_of(code: &str) -> FaultKind {
    match code {
        // Ended by the server: administrator, crash, idle for too long.
        "57P01" | "57P02" | "57P05" | "25P03" | "57P04" => FaultKind::Lost,
        "57P03" | "53300" | "25006" | "53200" => FaultKind::Unavailable,
        "40001" | "40P01" | "55P03" | "57014" | "40003" | "55006" => FaultKind::Contended,
        "53100" => FaultKind::DiskFull,
        "3D000" | "3F000" | "42501" | "0LP01" | "53400" => FaultKind::Misconfigured,
        // A prepared statement is not where it was made: somebody swaps the sessions.
        "26000" | "42P05" => FaultKind::Misconfigured,
        "58030" | "58P01" | "58P02" => FaultKind::Damaged,
        _ => match code.get(..2).unwrap_or_default() {
            "08" => FaultKind::Lost,
            "28" | "F0" => FaultKind::Misconfigured,
            "53" => FaultKind::Unavailable,
            "XX" => FaultKind::Damaged,
            // P0: raised by a function or a trigger of the schema.
            "23" | "P0" => FaultKind::Refused,
            _ => FaultKind::Statement,
        },
    }
}

/// Poolers report with this code what they do not pass on, and that they lost their server: in
/// the middle of a commit perhaps.
fn kind_of_protocol(said: &str) -> FaultKind {
    let is_wrong = ["startup parameter", "bind message", "prepared statement"];
    match is_wrong.iter().any(|part| said.contains(part)) {
        true => FaultKind::Misconfigured,
        false => FaultKind::Lost,
    }
}

/// Cuts the value that a complaint about data quotes at its end.
fn without_values(code: &str, said: &str) -> String {
    let said = match code.starts_with("22") {
        true => said.split_once(": \"").map_or(said, |(before, _)| before),
        false => said,
    };
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_code_says_who_acts() {
        let cases = [
            ("57P01", FaultKind::Lost),
            ("08006", FaultKind::Lost),
            ("53300", FaultKind::Unavailable),
            ("25006", FaultKind::Unavailable),
            ("40001", FaultKind::Contended),
            ("40P01", FaultKind::Contended),
            ("55P03", FaultKind::Contended),
            ("53100", FaultKind::DiskFull),
            ("28P01", FaultKind::Misconfigured),
            ("3D000", FaultKind::Misconfigured),
            ("XX001", FaultKind::Damaged),
            ("23505", FaultKind::Refused),
            ("42601", FaultKind::Statement),
            ("", FaultKind::Statement),
        ];
        for (code, kind) in cases {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }

    #[test]
    fn a_pooler_that_lost_its_server_leaves_the_outcome_open() {
        let cases = [
            ("server conn crashed?", FaultKind::Lost),
            ("query_wait_timeout", FaultKind::Lost),
            ("unsupported startup parameter: options", FaultKind::Misconfigured),
        ];
        for (said, kind) in cases {
            assert_eq!(kind_of_protocol(said), kind, "{said}");
        }
    }

    #[test]
    fn values_are_cut_from_complaints_about_data() {
        let said = "invalid input syntax for type bigint: \"4711 Main Street\"";
        assert_eq!(without_values("22P02", said), "invalid input syntax for type bigint");
    }
}
