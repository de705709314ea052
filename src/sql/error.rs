//! What can go wrong on the read side; each variant says who acts.

/// Says why a statement or a transaction failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SqlError {
    /// The engine is busy or gone for a while. Nobody: retried.
    #[error("read side is not available: {0}")]
    Unavailable(String),
    /// The connection was lost while a transaction committed. Nobody: whoever retries finds out
    /// first what was done, as projections do by their checkpoint.
    #[error("read side is not available, and whether the last write was done is unknown: {0}")]
    Unknown(String),
    /// Too many transactions or reads wait already. Nobody: try again later.
    #[error("read side refused: {waiting} requests are waiting already, try again later")]
    Overloaded {
        /// How many may wait.
        waiting: usize,
    },
    /// The disk has no room; nothing of the transaction was written. Operator: make room.
    #[error("read side has no space left on the device that holds {path}")]
    DiskFull {
        /// The database file.
        path: String,
    },
    /// The statement or its values are wrong. Developer: correct the statement.
    #[error("statement failed: {problem}; statement: {statement}")]
    Statement {
        /// What the engine says.
        problem: String,
        /// The statement, without its values.
        statement: String,
    },
    /// A value does not fit the column that it is compared with or written to. Caller, where
    /// the value is theirs, else developer.
    #[error("value does not fit: {problem}; statement: {statement}")]
    Misfit {
        /// What the engine says.
        problem: String,
        /// The statement, without its values.
        statement: String,
    },
    /// The work inside the transaction panicked; it was rolled back. Developer.
    #[error("work in a transaction panicked: {0}")]
    Panicked(String),
    /// The stored rows or the schema are not what they should be. Operator.
    #[error("read side is damaged: {0}")]
    Damaged(String),
    /// The database was closed. Nobody.
    #[error("read side is closed")]
    Closed,
}

impl SqlError {
    /// Returns whether the same work may succeed later without anybody changing it.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_)
                | Self::Unknown(_)
                | Self::Overloaded { .. }
                | Self::DiskFull { .. }
        )
    }
}

/// Says why a database could not be opened. Operator acts on all of them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file cannot be used. Operator: correct path or rights.
    #[error("database {path} cannot be opened: {problem}")]
    Unusable {
        /// The file.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// The file or its folder may not be written. Operator: give the rights or move it.
    #[error("database {path} is read-only: give this user the right to write it and its folder")]
    ReadOnly {
        /// The file.
        path: String,
    },
    /// The file was made by another program. Operator: name another file.
    #[error("{path} is a file of another program: choose another path")]
    Foreign {
        /// The file.
        path: String,
    },
    /// Another process is writing. Operator: stop it first.
    #[error("database {path} is in use by another process: stop it first")]
    Locked {
        /// The file.
        path: String,
    },
    /// The server or the address is wrong. Operator.
    #[error(transparent)]
    Server(#[from] crate::postgres::Fault),
    /// The file is damaged. Operator: restore it, or set it aside: projections make their rows
    /// again from the log, and nobody makes what is in no log, such as keys.
    #[error(
        "database {path} is damaged: {problem}; restore it, or set it aside: rows are made anew, \
         keys and all else in it are not"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What the engine says.
        problem: String,
    },
    /// The file could not be copied. Operator: correct the rights, or make room for the copy.
    #[error("database {path} cannot be copied into {copy}: {problem}")]
    NotCopied {
        /// The file.
        path: String,
        /// Where the copy was to lie.
        copy: String,
        /// What the engine or the system says.
        problem: String,
    },
}
