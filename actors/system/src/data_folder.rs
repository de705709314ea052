//! Keeps a second program out of a data folder that has read models and no log.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::Failure;
use crate::node::make_data_dir;
use crate::private_file;

/// The file that is locked.
const LOCK: &str = "read.lock";

/// A lock on the folder that the system lifts when this process ends, however it does.
pub struct DataFolder {
    _lock: File,
}

impl DataFolder {
    /// Makes sure that no other process has the folder now; makes nothing.
    ///
    /// # Errors
    /// [`Failure::InUse`] when another process has it.
    pub fn expect_free(dir: &Path) -> Result<(), Failure> {
        // None is there as long as no program was: then nobody has it.
        let Ok(lock) = File::open(dir.join(LOCK)) else { return Ok(()) };
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Failure::InUse { dir: dir.display().to_string() }),
            _ => Ok(()),
        }
    }

    /// Takes the folder, making it when it is not there.
    ///
    /// # Errors
    /// [`Failure::InUse`] when another process has it, others when it cannot be used.
    pub fn take(dir: &Path) -> Result<Self, Failure> {
        make_data_dir(dir)?;
        let path = dir.join(LOCK);
        let told = |problem: String| Failure::new(format!("{}: {problem}", path.display()));
        let lock = private_file::lock_file(&path).map_err(|error| told(error.to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::InUse { dir: dir.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(told(error.to_string())),
        }
    }
}
