//! Keeps a second program out of a data folder that has read models and no log.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::Failure;
use crate::node::make_data_dir;
use crate::private_file;

/// A lock on the folder that the system lifts when this process ends, however it does.
pub struct DataFolder {
    _lock: File,
}

impl DataFolder {
    /// Takes the folder, making it when it is not there.
    ///
    /// # Errors
    /// [`Failure::InUse`] when another process has it, others when it cannot be used.
    pub fn take(dir: &Path) -> Result<Self, Failure> {
        make_data_dir(dir)?;
        let path = dir.join("read.lock");
        let told = |problem: String| Failure::new(format!("{}: {problem}", path.display()));
        let lock = private_file::lock_file(&path).map_err(|error| told(error.to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::InUse { dir: dir.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(told(error.to_string())),
        }
    }
}
