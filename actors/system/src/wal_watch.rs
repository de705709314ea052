//! Notices that the write-ahead log of the read side was lost, with what was written last.
//!
//! SQLite keeps what was written last in `read.sqlite-wal` and folds it into the file when the last
//! program closes it. A file that is in use, or was when its program was killed, has one. So a mark
//! is kept while a server has the file, and a mark without a write-ahead log tells of a loss.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::Failure;
use crate::node::{make_data_dir, read_file};
use crate::private_file;

/// The mark in the data folder.
const MARK: &str = "read.open";

/// The mark of a server that has the file.
pub struct WalWatch {
    mark: PathBuf,
    wal: PathBuf,
}

impl WalWatch {
    /// Says loudly what is lost, if it is, and sets the mark: the file is about to be opened. `None`
    /// when the read side is in PostgreSQL.
    ///
    /// # Errors
    /// A [`Failure`] when the mark cannot be written.
    pub fn begin(config: &Config) -> Result<Option<Self>, Failure> {
        let Some(watch) = Self::of(config) else { return Ok(None) };
        if watch.is_lost() {
            tracing::error!(
                file = %watch.wal.display(),
                "write-ahead log of the read side is gone: API keys made or revoked last, and places \
                 of endpoints, are as they were before; put the file back if it was left behind, or \
                 restore a backup"
            );
        }
        make_data_dir(&config.data_dir)?;
        let begun = private_file::write_whole(&watch.mark, b"");
        begun.map_err(|error| failed(&watch.mark, &error)).map(|()| Some(watch))
    }

    /// Takes the mark away; the file is about to be closed.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be removed.
    pub fn end(&self) -> Result<(), Failure> {
        private_file::remove(&self.mark).map_err(|error| failed(&self.mark, &error))
    }

    /// Takes the mark away if a command has just folded what a killed server had left.
    ///
    /// # Errors
    /// As [`WalWatch::end`].
    pub fn settle(config: &Config) -> Result<(), Failure> {
        match Self::of(config).filter(Self::is_lost) {
            Some(watch) => watch.end(),
            None => Ok(()),
        }
    }

    fn of(config: &Config) -> Option<Self> {
        if config.read.is_some() {
            return None;
        }
        let mut wal = read_file(config).into_os_string();
        wal.push("-wal");
        Some(Self { mark: config.data_dir.join(MARK), wal: wal.into() })
    }

    fn is_lost(&self) -> bool {
        self.mark.exists() && !self.wal.exists()
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
