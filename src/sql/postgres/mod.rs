//! PostgreSQL as read side: a few writer threads, a few reader threads, a connection each.
//!
//! Transactions of different projections run side by side; those of one wait for each other at
//! its checkpoint. Writes that are not asked to survive power loss commit without waiting for
//! the disk: rows and checkpoint go together, so what a crash of the server takes away is
//! written again from the log.

mod bulk;
mod cell;
mod fault;
mod insert;
mod numeric;
mod session;
mod statement;
mod transaction;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub(super) use self::fault::sql_error;
use self::session::Session;
use super::line::{Line, Request, Requests};
use super::{Database, Dialect, Durability, OpenError, SqlEngine, TxJob};
use crate::postgres::{Address, Fault, FaultKind, Pooler};

/// Where the database is and how much of it may be used.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// The database and the schema; the schema is made when it is not there.
    pub address: Address,
    /// How many transactions write at once, each on a connection of its own; at least 1.
    pub writers: usize,
    /// How many reads run at once, each on a connection of its own; at least 1.
    pub readers: usize,
    /// The most write transactions that wait.
    pub waiting_writes_max: usize,
    /// The most reads that wait.
    pub waiting_reads_max: usize,
    /// How long a statement waits for another transaction's lock, in milliseconds.
    pub lock_timeout_ms: u32,
    /// After how long without a statement the server ends a transaction, in milliseconds: so a
    /// program that stands still keeps others from its projections no longer than this.
    pub idle_timeout_ms: u32,
    /// The most statements that each connection keeps prepared; at least 1.
    pub statements_max: usize,
}

impl PostgresConfig {
    /// Makes a configuration with bounds that suit one program among a few.
    #[must_use]
    pub const fn at(address: Address) -> Self {
        Self {
            address,
            writers: 4,
            readers: 4,
            waiting_writes_max: 1_024,
            waiting_reads_max: 1_024,
            lock_timeout_ms: 10_000,
            idle_timeout_ms: 10_000,
            statements_max: 256,
        }
    }

    /// Connects once, makes the schema if need be, and starts the threads; they connect when
    /// there is work for them.
    ///
    /// Waits for the server: call it where a thread may block. It may be inside a runtime.
    ///
    /// # Errors
    /// [`OpenError::Server`] naming the server and what to do, never the password.
    pub fn open(self) -> Result<Database, OpenError> {
        let engine = PostgresEngine::open(&Arc::new(self))?;
        Ok(Database::new(Arc::new(engine)))
    }
}

impl PostgresConfig {
    /// Opens a database for reading: no schema is made, and nobody is asked yet whether the server
    /// is there. Tables that are missing are missing.
    ///
    /// # Errors
    /// [`OpenError::Server`] when no thread can be started.
    pub fn open_to_read(self) -> Result<Database, OpenError> {
        let config = Self { writers: 1, readers: 1, ..self };
        Ok(Database::new(Arc::new(PostgresEngine::start(&Arc::new(config))?)))
    }
}

struct PostgresEngine {
    writers: Line,
    readers: Line,
    config: Arc<PostgresConfig>,
}

/// The bounds of short work aside: one that stands still makes others wait no longer than this.
const ASIDE_LOCK_MS: u32 = 2_000;
const ASIDE_IDLE_MS: u32 = 1_000;

impl PostgresEngine {
    fn open(config: &Arc<PostgresConfig>) -> Result<Self, Fault> {
        if config.address.pooler() == Pooler::Transaction {
            // Statements that users write name no schema, and are kept prepared.
            return Err(Fault::new(
                FaultKind::Misconfigured,
                "tables cannot be kept through a pooler of transactions: let the address name \
                 the server itself, or a pooler of sessions with pooler=session",
            ));
        }
        check(Session::new(Arc::clone(config), Arc::default())?)?;
        Self::start(config)
    }

    /// Starts the threads without asking whether the server is there.
    fn start(config: &Arc<PostgresConfig>) -> Result<Self, Fault> {
        let schema = Arc::new(AtomicU64::new(0));
        let session = || Session::new(Arc::clone(config), Arc::clone(&schema));
        let sessions = |count: usize| (0..count.max(1)).map(|_| session()).collect();
        let writers: Result<Vec<Session>, Fault> = sessions(config.writers);
        let readers: Result<Vec<Session>, Fault> = sessions(config.readers);
        let start = |name, waiting_max, sessions: Vec<Session>| {
            let workers = sessions
                .into_iter()
                .map(|session| move |requests: Requests| worker::work(session, &requests));
            Line::start(name, waiting_max, workers).map_err(|error| {
                Fault::new(FaultKind::Misconfigured, format!("no thread for PostgreSQL: {error}"))
            })
        };
        Ok(Self {
            writers: start("sql-writer", config.waiting_writes_max, writers?)?,
            readers: start("sql-reader", config.waiting_reads_max, readers?)?,
            config: Arc::clone(config),
        })
    }
}

/// Checks the address by using it; on a thread apart, for the caller may be inside a runtime.
fn check(mut session: Session) -> Result<(), Fault> {
    let checked = std::thread::Builder::new()
        .name("sql-opener".to_owned())
        .spawn(move || session.make_schema())
        .map(std::thread::JoinHandle::join);
    match checked {
        Ok(Ok(checked)) => checked,
        Ok(Err(_)) => Err(Fault::new(FaultKind::Statement, "opening PostgreSQL panicked")),
        Err(error) => Err(Fault::new(FaultKind::Misconfigured, error.to_string())),
    }
}

impl SqlEngine for PostgresEngine {
    fn write(&self, job: Box<dyn TxJob>, durability: Durability) {
        self.writers.send(Request { job, is_write: true, durability });
    }

    fn read(&self, job: Box<dyn TxJob>) {
        self.readers.send(Request { job, is_write: false, durability: Durability::Process });
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn address(&self) -> Option<&Address> {
        Some(&self.config.address)
    }

    fn aside(&self) -> Result<Option<Arc<dyn SqlEngine>>, OpenError> {
        let config = PostgresConfig {
            writers: 1,
            readers: 1,
            lock_timeout_ms: ASIDE_LOCK_MS,
            idle_timeout_ms: ASIDE_IDLE_MS,
            ..(*self.config).clone()
        };
        Ok(Some(Arc::new(Self::start(&Arc::new(config))?)))
    }
}

impl Drop for PostgresEngine {
    fn drop(&mut self) {
        self.readers.close();
        self.writers.close();
    }
}
