//! The bundled engine: SQLite in WAL mode, one writer thread, a few reader threads.
//!
//! Checkpoints commit with the rows they belong to, so `synchronous=NORMAL` is enough: what
//! power loss takes away is written again from the log. Writes that are not in the log ask for
//! [`Durability::Power`](super::Durability::Power).

mod connection;
mod copy;
mod fault;
mod transaction;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::line::{Line, Request, Requests};
use super::{Database, Dialect, Durability, OpenError, SqlEngine, TxJob};

/// Where the database lies and how much it may use.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// The file; made when it is not there, its folder too.
    pub path: PathBuf,
    /// How many reads run at once; at least 1.
    pub readers: usize,
    /// The most write transactions that wait.
    pub waiting_writes_max: usize,
    /// The most reads that wait.
    pub waiting_reads_max: usize,
    /// Page cache of the writer in KiB; each reader gets a quarter of it.
    pub cache_kib: u32,
    /// How long to wait for another process that holds the file, in milliseconds.
    pub busy_timeout_ms: u32,
}

impl SqliteConfig {
    /// Makes a configuration with bounds that suit one program on one machine.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            readers: 2,
            waiting_writes_max: 1_024,
            waiting_reads_max: 1_024,
            cache_kib: 16 * 1_024,
            busy_timeout_ms: 2_000,
        }
    }

    /// Opens the database, making the file if need be.
    ///
    /// # Errors
    /// [`OpenError`] naming the file and what to do about it.
    pub fn open(self) -> Result<Database, OpenError> {
        Ok(Database::new(Arc::new(SqliteEngine::open(&self)?)))
    }
}

impl SqliteConfig {
    /// Opens a database that is there, for reading alone: nothing is made or changed, and a write
    /// fails. Another process may have it open.
    ///
    /// # Errors
    /// [`OpenError`]: the file is not there, or not this framework's.
    pub fn open_to_read(self) -> Result<Database, OpenError> {
        Ok(Database::new(Arc::new(SqliteEngine::open_to_read(&self)?)))
    }
}

struct SqliteEngine {
    writer: Line,
    readers: Line,
}

impl SqliteEngine {
    fn open(config: &SqliteConfig) -> Result<Self, OpenError> {
        let path = config.path.display().to_string();
        let writer = connection::open_writer(config)?;
        let readers = (0..config.readers.max(1)).map(|_| connection::open_reader(config));
        let readers = readers.collect::<Result<Vec<_>, _>>()?;
        Self::start(config, &path, writer, readers)
    }

    fn open_to_read(config: &SqliteConfig) -> Result<Self, OpenError> {
        let path = config.path.display().to_string();
        // Its transactions begin as writes do, which this connection refuses.
        let writer = connection::open_still(config)?;
        let readers = vec![connection::open_still(config)?];
        Self::start(config, &path, writer, readers)
    }

    fn start(
        config: &SqliteConfig,
        path: &str,
        writer: Connection,
        readers: Vec<Connection>,
    ) -> Result<Self, OpenError> {
        let writer = vec![writer];
        let writer = start("sql-writer", config.waiting_writes_max, path, writer)?;
        let readers = start("sql-reader", config.waiting_reads_max, path, readers)?;
        Ok(Self { writer, readers })
    }
}

fn start(
    name: &str,
    waiting_max: usize,
    path: &str,
    connections: Vec<Connection>,
) -> Result<Line, OpenError> {
    let workers = connections.into_iter().map(|connection| {
        let path = path.to_owned();
        move |requests: Requests| worker::work(&connection, &path, &requests)
    });
    Line::start(name, waiting_max, workers).map_err(|error| OpenError::Unusable {
        path: path.to_owned(),
        problem: format!("no thread for it: {error}"),
    })
}

impl SqlEngine for SqliteEngine {
    fn write(&self, job: Box<dyn TxJob>, durability: Durability) {
        self.writer.send(Request { job, is_write: true, durability });
    }

    fn read(&self, job: Box<dyn TxJob>) {
        self.readers.send(Request { job, is_write: false, durability: Durability::Process });
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }
}

impl Drop for SqliteEngine {
    fn drop(&mut self) {
        // The writer closes last: the last connection folds the write-ahead log into the file.
        self.readers.close();
        self.writer.close();
    }
}
