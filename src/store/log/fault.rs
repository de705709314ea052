//! How the log's inner parts fail, and the sentences they fail with.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::store::StoreError;

/// Whether a read may wait for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Only what lies in memory.
    Never,
    /// As long as it takes.
    Allowed,
}

/// Says why an inner read gave nothing.
#[derive(Debug)]
pub enum ReadFault {
    /// The bytes are not in memory: ask again with [`Wait::Allowed`].
    WouldWait,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for ReadFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl ReadFault {
    /// Returns the store's error; to be used after a read that was allowed to wait.
    pub fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::WouldWait => io_error("read", Path::new("log"), io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Says that the system refused an operation on a file.
pub fn io_error(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { action, path: path.display().to_string(), source: Arc::new(source) }
}

/// Says that a file's bytes are not what was written.
pub fn damaged(path: &Path, offset: u64, problem: impl Into<String>) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), offset, problem: problem.into() }
}
