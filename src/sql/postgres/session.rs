//! A thread's connection: opened when needed, replaced when lost, with its prepared statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Error, Statement};

use super::PostgresConfig;
use super::statement::Statements;
use crate::postgres::{Address, Fault, FaultKind, connect, make_schema};

/// The wait after the first connection that failed; each further one is twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// How often a task gets its turn to end a connection.
const GOODBYE_TURNS: usize = 8;

/// A connection with the runtime that moves its bytes while a statement is waited for.
pub(super) struct Session {
    runtime: Runtime,
    config: Arc<PostgresConfig>,
    open: Option<Open>,
    outage: Option<Outage>,
    /// Counts the changes of the schema that this program has made.
    schema: Arc<AtomicU64>,
}

/// A connection that was open when it was last used.
struct Open {
    client: Client,
    statements: Statements,
    /// The schema that the statements were prepared for.
    schema: u64,
}

/// Why there is no connection, and when the next try is.
struct Outage {
    fault: Fault,
    wait: Duration,
    until: Instant,
}

/// What a transaction works with.
pub(super) struct Link<'s> {
    pub(super) runtime: &'s Runtime,
    pub(super) client: &'s Client,
    pub(super) statements: &'s mut Statements,
    pub(super) address: &'s Address,
}

impl Link<'_> {
    /// Returns a prepared statement.
    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        self.statements.prepare(self.client, sql).await
    }
}

impl Session {
    pub(super) fn new(config: Arc<PostgresConfig>, schema: Arc<AtomicU64>) -> Result<Self, Fault> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Fault::new(FaultKind::Misconfigured, format!("no runtime for PostgreSQL: {error}"))
        })?;
        Ok(Self { runtime, config, open: None, outage: None, schema })
    }

    pub(super) fn config(&self) -> &PostgresConfig {
        &self.config
    }

    /// Connects and makes the schema.
    pub(super) fn make_schema(&mut self) -> Result<(), Fault> {
        let address = &self.config.address;
        self.runtime.block_on(async {
            let client = connect(address).await?;
            make_schema(&client, address).await
        })
    }

    /// Runs what begins a transaction, on a new connection if the old one was lost: nothing has
    /// been done in it yet.
    pub(super) fn begin(&mut self, sql: &str) -> Result<Link<'_>, Fault> {
        let was_open = self.open.is_some();
        match self.try_begin(sql) {
            Err(fault) if was_open && fault.ends_connection() => {
                self.open = None;
                self.try_begin(sql)?;
            }
            begun => begun?,
        }
        self.link().ok_or_else(|| Fault::new(FaultKind::Lost, "connection was lost"))
    }

    /// Gives up the connection; the next transaction opens another.
    pub(super) fn hang_up(&mut self) {
        self.open = None;
        // The task that moves the bytes says goodbye only when it runs; until then the server
        // would keep the transaction and its locks.
        self.runtime.block_on(async {
            for _ in 0..GOODBYE_TURNS {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Returns what a transaction works with, if there is a connection.
    pub(super) fn link(&mut self) -> Option<Link<'_>> {
        let Open { client, statements, .. } = self.open.as_mut()?;
        let address = &self.config.address;
        Some(Link { runtime: &self.runtime, client, statements, address })
    }

    /// Tells the other sessions that statements may have to be prepared anew.
    pub(super) fn schema_changed(&self) {
        self.schema.fetch_add(1, Ordering::Release);
    }

    fn try_begin(&mut self, sql: &str) -> Result<(), Fault> {
        self.ensure_open()?;
        let schema = self.schema.load(Ordering::Acquire);
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.schema != schema {
            open.statements.clear();
            open.schema = schema;
        }
        let begun = self.runtime.block_on(open.client.batch_execute(sql));
        begun.map_err(|error| Fault::of(&error, &self.config.address)).inspect_err(|_| {
            self.open = None;
        })
    }

    fn ensure_open(&mut self) -> Result<(), Fault> {
        if self.open.is_some() {
            return Ok(());
        }
        if let Some(outage) = self.outage.as_ref().filter(|it| Instant::now() < it.until) {
            return Err(outage.fault.clone());
        }
        match self.runtime.block_on(connect(&self.config.address)) {
            Ok(client) => {
                let statements = Statements::new(self.config.statements_max);
                let schema = self.schema.load(Ordering::Acquire);
                self.open = Some(Open { client, statements, schema });
                self.outage = None;
                Ok(())
            }
            Err(fault) => {
                let last = self.outage.as_ref().map_or(RETRY_FIRST / 2, |outage| outage.wait);
                let wait = last.saturating_mul(2).min(RETRY_LONGEST);
                let until = Instant::now() + wait;
                self.outage = Some(Outage { fault: fault.clone(), wait, until });
                Err(fault)
            }
        }
    }
}
