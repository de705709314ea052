//! What SQLite's errors mean to the caller, the operator and the developer.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::sql::{OpenError, SqlError};

/// Says what an error of a statement means.
pub(super) fn sql_error(error: &rusqlite::Error, statement: &str, path: &str) -> SqlError {
    let problem = error.to_string();
    if let rusqlite::Error::ToSqlConversionFailure(_) = error {
        return SqlError::Misfit { problem, statement: statement.to_owned() };
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            SqlError::Unavailable(format!("{path} is locked by another process: stop it"))
        }
        Some(ErrorCode::DiskFull) => SqlError::DiskFull { path: path.to_owned() },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            SqlError::Damaged(format!("{path}: {problem}"))
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed,
        ) => SqlError::Unavailable(format!("{path}: {problem}")),
        _ => SqlError::Statement { problem, statement: statement.to_owned() },
    }
}

/// Says what an error while opening means.
pub(super) fn open_error(error: &rusqlite::Error, path: &Path) -> OpenError {
    let problem = error.to_string();
    let path = path.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, problem },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OpenError::ReadOnly { path },
        _ => OpenError::Unusable { path, problem },
    }
}
