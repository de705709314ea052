//! The bundled engine: SQLite in WAL mode, one writer thread, a few reader threads.
//!
//! Checkpoints commit with the rows they belong to, so `synchronous=NORMAL` is enough: what
//! power loss takes away is written again from the log. Writes that are not in the log ask for
//! [`Durability::Power`](super::Durability::Power).

mod connection;
mod fault;
mod transaction;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{JoinHandle, current};

use parking_lot::Mutex;
use rusqlite::Connection;

use self::worker::Request;
use super::{Database, Dialect, Durability, OpenError, SqlEngine, SqlError, TxJob};

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

struct SqliteEngine {
    writer: Line,
    readers: Line,
}

/// A bounded queue and the threads at its end.
struct Line {
    queue: Option<SyncSender<Request>>,
    waiting_max: usize,
    threads: Vec<JoinHandle<()>>,
}

impl SqliteEngine {
    fn open(config: &SqliteConfig) -> Result<Self, OpenError> {
        let path = config.path.display().to_string();
        let writer = vec![connection::open_writer(config)?];
        let readers = (0..config.readers.max(1)).map(|_| connection::open_reader(config));
        let readers = readers.collect::<Result<Vec<_>, _>>()?;
        let writer = Line::start("sql-writer", &path, writer, config.waiting_writes_max)?;
        let readers = Line::start("sql-reader", &path, readers, config.waiting_reads_max)?;
        Ok(Self { writer, readers })
    }
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

impl Line {
    fn start(
        name: &str,
        path: &str,
        connections: Vec<Connection>,
        waiting_max: usize,
    ) -> Result<Self, OpenError> {
        let (queue, requests) = sync_channel(waiting_max.max(1));
        let requests = Arc::new(Mutex::new(requests));
        let mut line = Self { queue: Some(queue), waiting_max, threads: Vec::new() };
        for connection in connections {
            let thread = spawn(name, path, connection, &requests);
            line.threads.push(thread.map_err(|error| OpenError::Unusable {
                path: path.to_owned(),
                problem: format!("no thread for it: {error}"),
            })?);
        }
        Ok(line)
    }

    fn send(&self, request: Request) {
        let Some(queue) = &self.queue else {
            return request.job.finish(Err(SqlError::Closed));
        };
        match queue.try_send(request) {
            Ok(()) => {}
            Err(TrySendError::Full(request)) => {
                let waiting = self.waiting_max;
                request.job.finish(Err(SqlError::Overloaded { waiting }));
            }
            Err(TrySendError::Disconnected(request)) => {
                request.job.finish(Err(SqlError::Closed));
            }
        }
    }

    fn close(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // The last handle may be dropped by a job; its thread ends by itself.
            if thread.thread().id() != current().id() {
                drop(thread.join());
            }
        }
    }
}

fn spawn(
    name: &str,
    path: &str,
    connection: Connection,
    requests: &Arc<Mutex<Receiver<Request>>>,
) -> std::io::Result<JoinHandle<()>> {
    let (requests, path) = (Arc::clone(requests), path.to_owned());
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || worker::work(&connection, &path, &requests))
}
