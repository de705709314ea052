//! A schema of its own for each test, on the server that `DATABASE_URL` names.

use std::future::Future;
use std::thread;

use crate::postgres::{Address, AddressError, Fault, connect, make_schema};
use crate::sql::Dialect;
use crate::sql::migration::{STORE, Script, StepHead, statements};

/// A new, empty schema; it and everything in it is gone when this is dropped, on a panic too.
///
/// Its address has a name of its own in `pg_stat_activity`, so that a test can end its sessions.
pub struct ScratchSchema {
    address: Address,
    /// Without the schema: what drops it does not work in it.
    name: String,
}

/// Says why there is no scratch schema.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ScratchError {
    /// `DATABASE_URL` is not set. Developer: run the tests as their makefile does.
    #[error(
        "this test needs PostgreSQL, and DATABASE_URL names none: run `make test`, or one test by \
         `tests/with-postgres cargo test NAME`, which finds, starts or installs a server; or set \
         DATABASE_URL=postgres://user:password@host/database yourself"
    )]
    NoServer,
    /// The programs of a PostgreSQL server are not on this machine. Developer: install them.
    #[error(
        "this test starts a PostgreSQL server of its own, and initdb is not in \
         the folders of distributions or in PATH: install PostgreSQL (Debian: apt install postgresql)"
    )]
    NoPrograms,
    /// PgBouncer is not on this machine. Developer: install it.
    #[error("pgbouncer is not in PATH: install it (Debian: apt install pgbouncer)")]
    NoPooler,
    /// `DATABASE_URL` is not an address. Developer.
    #[error("DATABASE_URL: {0}")]
    Address(#[from] AddressError),
    /// The server cannot be used.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The machine gave no randomness or no thread.
    #[error("no scratch schema: {0}")]
    Machine(String),
}

impl ScratchSchema {
    /// Makes a schema with a random name.
    ///
    /// # Errors
    /// [`ScratchError`] when there is no server or it refuses.
    pub fn new() -> Result<Self, ScratchError> {
        let url = std::env::var("DATABASE_URL").map_err(|_| ScratchError::NoServer)?;
        Self::on(&url.parse()?)
    }

    /// Makes a schema with a random name in the database of an address.
    ///
    /// # Errors
    /// [`ScratchError`] when the server cannot be reached or refuses.
    pub fn on(address: &Address) -> Result<Self, ScratchError> {
        let name = random_name("scratch")?;
        let address = address.clone().with_schema(&name)?.with_application_name(&name);
        let scratch = Self { address, name };
        scratch.make().map(|()| scratch)
    }

    /// Makes a schema with the tables of an empty log.
    ///
    /// # Errors
    /// [`ScratchError`] when there is no server or it refuses.
    pub fn with_log() -> Result<Self, ScratchError> {
        let scratch = Self::new()?;
        scratch.make_log().map(|()| scratch)
    }

    /// Makes the tables of an empty log.
    ///
    /// # Errors
    /// [`ScratchError`] with what the server says, such as that they are there.
    pub fn make_log(&self) -> Result<(), ScratchError> {
        STORE.steps.iter().try_for_each(|step| self.take(step.up))
    }

    /// Does a step of the log's tables, or undoes one, as its head says.
    ///
    /// # Errors
    /// [`ScratchError`] with what the server says.
    pub fn take(&self, step: Script) -> Result<(), ScratchError> {
        let text = step.text(Dialect::Postgres);
        let head = text.parse::<StepHead>();
        match head.map_err(|error| ScratchError::Machine(error.to_string()))?.is_in_transaction {
            true => self.run(text),
            false => statements(text).into_iter().try_for_each(|statement| self.run(statement)),
        }
    }

    /// Returns the address of the tests' server, `DATABASE_URL`, as a person would write it with
    /// a further parameter, `name=value`.
    ///
    /// # Errors
    /// [`ScratchError::NoServer`].
    pub fn server_with(parameter: &str) -> Result<String, ScratchError> {
        let url = std::env::var("DATABASE_URL").map_err(|_| ScratchError::NoServer)?;
        let joint = if url.contains('?') { '&' } else { '?' };
        Ok(format!("{url}{joint}{parameter}"))
    }

    /// Returns where the schema is.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Ends every session of this address, as an administrator does, and returns how many.
    ///
    /// # Errors
    /// [`ScratchError`] when the server cannot be reached.
    pub fn end_sessions(&self) -> Result<i64, ScratchError> {
        let (address, name) = (self.apart(), self.name.clone());
        apart(async move { end_sessions(&address, &name).await })
    }

    /// Runs statements in the schema on a connection apart.
    ///
    /// # Errors
    /// [`ScratchError`] with what the server says.
    pub fn run(&self, sql: &str) -> Result<(), ScratchError> {
        let (address, sql) = (self.apart(), sql.to_owned());
        apart(async move {
            let client = connect(&address).await?;
            let done = client.batch_execute(&sql).await;
            done.map_err(|error| Fault::of(&error, &address).into())
        })
    }

    fn make(&self) -> Result<(), ScratchError> {
        let address = self.apart();
        apart(async move {
            let client = connect(&address).await?;
            Ok(make_schema(&client, &address).await?)
        })
    }

    /// The address under another name, so that it does not end itself.
    fn apart(&self) -> Address {
        self.address.clone().with_application_name("headwater scratch")
    }
}

impl Drop for ScratchSchema {
    fn drop(&mut self) {
        let (address, name) = (self.apart(), self.name.clone());
        let dropped = apart(async move {
            let fault = |error| Fault::of(&error, &address);
            // A session that a test left inside a transaction would keep the schema locked.
            end_sessions(&address, &name).await?;
            let client = connect(&address).await?;
            let drop = format!("drop schema if exists \"{name}\" cascade");
            Ok(client.batch_execute(&drop).await.map_err(fault)?)
        });
        if let Err(error) = dropped {
            tracing::warn!(%error, schema = %self.name, "scratch schema was not dropped");
        }
    }
}

/// Returns a name that nothing else has.
pub(super) fn random_name(kind: &str) -> Result<String, ScratchError> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| ScratchError::Machine(error.to_string()))?;
    Ok(format!("{kind}_{:016x}", u64::from_ne_bytes(random)))
}

async fn end_sessions(address: &Address, name: &str) -> Result<i64, ScratchError> {
    let sql = "select count(pg_terminate_backend(pid, 5000))
        from pg_stat_activity where application_name = $1";
    let client = connect(address).await?;
    let row = client.query_one(sql, &[&name]).await.map_err(|error| Fault::of(&error, address))?;
    row.try_get(0).map_err(|error| Fault::of(&error, address).into())
}

/// Waits on a thread of its own: a test may be inside a runtime already, or in none.
fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, ScratchError>> + Send + 'static,
) -> Result<T, ScratchError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| ScratchError::Machine(error.to_string()))?.block_on(work)
    };
    let thread = thread::Builder::new().name("scratch-schema".to_owned()).spawn(run);
    let thread = thread.map_err(|error| ScratchError::Machine(error.to_string()))?;
    thread.join().map_err(|_| ScratchError::Machine("its thread panicked".to_owned()))?
}
