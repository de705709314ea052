//! What PostgreSQL's faults mean to those who use the read side.

use crate::postgres::{Address, Fault, FaultKind};
use crate::sql::SqlError;

/// Says what a fault of a statement means.
pub(in crate::sql) fn sql_error(fault: &Fault, statement: &str, address: &Address) -> SqlError {
    let problem = fault.to_string();
    match fault.kind() {
        FaultKind::Lost | FaultKind::Unavailable | FaultKind::Contended => {
            SqlError::Unavailable(problem)
        }
        // Rights and settings are an operator's; projections wait and then halt with the reason.
        FaultKind::Misconfigured if !is_of_statement(fault) => SqlError::Unavailable(problem),
        FaultKind::DiskFull => SqlError::DiskFull { path: address.server() },
        FaultKind::Damaged => SqlError::Damaged(problem),
        FaultKind::Statement if is_of_value(fault) => {
            SqlError::Misfit { problem, statement: statement.to_owned() }
        }
        FaultKind::Misconfigured | FaultKind::Refused | FaultKind::Statement => {
            SqlError::Statement { problem, statement: statement.to_owned() }
        }
    }
}

/// Whether the right or the schema that is missing belongs to one statement.
fn is_of_statement(fault: &Fault) -> bool {
    matches!(fault.code(), Some("42501" | "3F000"))
}

/// Whether a text is not what its type is written as.
fn is_of_value(fault: &Fault) -> bool {
    matches!(fault.code(), Some("22P02" | "22007" | "22008" | "22003"))
}
