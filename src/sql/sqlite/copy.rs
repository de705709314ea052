//! A consistent copy of the file while programs use it.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::SqliteConfig;
use super::connection::{busy_timeout, make_file};
use super::fault::open_error;
use crate::sql::OpenError;

impl SqliteConfig {
    /// Copies the database as it is at one moment into a new file, which opens like any other;
    /// blocks. Other processes may have it open and write to it meanwhile.
    ///
    /// Every transaction that was committed before is in the copy, whole. The copy survives power
    /// loss. Returns its length in bytes.
    ///
    /// # Errors
    /// [`OpenError`]: the file is not there, damaged or no database, or the copy cannot be written.
    /// No part of the copy is left then.
    pub fn copy_to(&self, to: impl AsRef<Path>) -> Result<u64, OpenError> {
        let (from, to) = (self.path.as_path(), to.as_ref());
        let told = |problem: String| OpenError::NotCopied {
            path: from.display().to_string(),
            copy: to.display().to_string(),
            problem,
        };
        let name = to.to_str().ok_or_else(|| told("the name is not UTF-8".to_owned()))?;
        // What is wrong with the file that is there would be told of the database.
        if to.exists() {
            return Err(told("that file is there already".to_owned()));
        }
        make_file(to).map_err(|error| told(error.to_string()))?;
        copy(self, name).map_err(|error| {
            // What is left of the copy cannot be opened, so it matters to nobody.
            let _ = std::fs::remove_file(to);
            match error.sqlite_error_code() {
                Some(
                    ErrorCode::DatabaseBusy | ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt,
                ) => open_error(&error, from),
                _ => told(error.to_string()),
            }
        })?;
        sync(to).map_err(|error| told(error.to_string()))
    }
}

/// The backup interface of SQLite begins anew whenever another process writes, and would not end
/// under load; this reads in one transaction, and what is written meanwhile waits in the
/// write-ahead log.
fn copy(config: &SqliteConfig, to: &str) -> rusqlite::Result<()> {
    // Where the file may not be written, this reads it. None is made.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&config.path, flags)?;
    connection.busy_timeout(busy_timeout(config))?;
    connection.execute("vacuum into $1", [to]).map(drop)
}

/// Makes a new file and its name durable; returns its length.
fn sync(path: &Path) -> std::io::Result<u64> {
    let file = File::open(path)?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file.metadata()?.len())
}
