//! The handle to the read side: one transaction a call, on whichever engine.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::{Dialect, OpenError, SqlError, SqlRows, TxEngine, Value};
use crate::postgres::Address;

/// The read side; cheap to clone. Dropping the last handle closes the engine.
///
/// Reads run beside writes, both in bounded number; a read sees one consistent state and never
/// waits for a write. On SQLite writes run one after the other, on PostgreSQL side by side:
/// work that must not, compares and moves a row first, or takes a [`TxEngine::lock`].
#[derive(Clone)]
pub struct Database {
    engine: Arc<dyn SqlEngine>,
    writes: Arc<watch::Sender<usize>>,
}

/// What an engine does for a [`Database`].
///
/// An engine runs the job inside one transaction on a thread that may block, commits when
/// [`TxJob::run`] says so and rolls back otherwise, and tells the job how it ended.
pub trait SqlEngine: Send + Sync + 'static {
    /// Queues a write transaction; a refusal is told to the job.
    fn write(&self, job: Box<dyn TxJob>, durability: Durability);

    /// Queues a read transaction; a refusal is told to the job.
    fn read(&self, job: Box<dyn TxJob>);

    /// Returns which engine it is.
    fn dialect(&self) -> Dialect;

    /// Returns where its server is, for what needs a session of its own; `None` for a file.
    fn address(&self) -> Option<&Address> {
        None
    }

    /// Makes an engine on the same data with connections of its own, for short work that must
    /// not wait behind long work; `None` where all work waits for each other anyway.
    ///
    /// # Errors
    /// [`OpenError`] when it has no threads.
    fn aside(&self) -> Result<Option<Arc<dyn SqlEngine>>, OpenError> {
        Ok(None)
    }
}

/// Work that an engine runs inside a transaction.
pub trait TxJob: Send {
    /// Does the work and returns whether to commit. Never panics.
    fn run(&mut self, tx: &mut dyn TxEngine) -> bool;

    /// Hears how it ended: whether the commit (or the rollback asked for) was done.
    fn finish(self: Box<Self>, outcome: Result<(), SqlError>);
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process. After power loss the last writes may be gone, together with
    /// their checkpoints, so projections write them again from the log.
    Process,
    /// Power loss too; for what is not in the log, such as keys.
    Power,
}

impl Database {
    /// Wraps an engine.
    #[must_use]
    pub fn new(engine: Arc<dyn SqlEngine>) -> Self {
        Self { engine, writes: Arc::default() }
    }

    /// Returns a handle that counts its writes and those of its clones apart from others.
    pub(crate) fn apart(&self) -> Self {
        Self { engine: Arc::clone(&self.engine), writes: Arc::default() }
    }

    /// Returns a handle whose short work does not wait behind the long work of others, where
    /// the engine can do that.
    pub(crate) fn aside(&self) -> Result<Self, OpenError> {
        let engine = self.engine.aside()?;
        Ok(engine.map_or_else(|| self.clone(), Self::new))
    }

    /// Waits until every write is over that this handle has begun, those too whose futures
    /// were dropped.
    pub(crate) async fn idle(&self) {
        // The sender is here, so there is always an answer.
        let _ = self.writes.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Returns which engine it is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.engine.dialect()
    }

    /// Returns where its server is; `None` for a file.
    pub(crate) fn address(&self) -> Option<Address> {
        self.engine.address().cloned()
    }

    /// Runs work in one write transaction: commits when it returns `Ok`, else rolls back.
    ///
    /// Dropping the future does not stop the transaction.
    ///
    /// # Errors
    /// The work's own error, or [`SqlError`]: refused, panicked (rolled back) or not committed.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        self.transact(work).await
    }

    /// Like [`Database::write`], and the result survives power loss.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_durably<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        self.transact_durably(work).await
    }

    /// Like [`Database::write_durably`], for work with an error of its own.
    pub(super) async fn transact_durably<T, E>(
        &self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SqlError> + Send + 'static,
    {
        self.run(work, Durability::Power).await
    }

    /// Like [`Database::write`], for work with an error of its own.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn transact<T, E>(
        &self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SqlError> + Send + 'static,
    {
        self.run(work, Durability::Process).await
    }

    async fn run<T, E>(
        &self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, E> + Send + 'static,
        durability: Durability,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SqlError> + Send + 'static,
    {
        let (job, done) = Job::queued(work, UnderWay::begin(Some(&self.writes)));
        self.engine.write(job, durability);
        done.await.unwrap_or_else(|_| Err(SqlError::Closed.into()))
    }

    /// Runs queries in one read transaction: they all see the same state.
    ///
    /// # Errors
    /// The work's own error, or [`SqlError`]: refused, panicked or failed.
    pub async fn inspect<T, E>(
        &self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SqlError> + Send + 'static,
    {
        let (job, done) = Job::queued(work, UnderWay::begin(None));
        self.engine.read(job);
        done.await.unwrap_or_else(|_| Err(SqlError::Closed.into()))
    }

    /// Runs one query and returns its rows with the names of the columns.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn read(&self, sql: &str, values: Vec<Value>) -> Result<SqlRows, SqlError> {
        let sql = sql.to_owned();
        self.inspect(move |tx| {
            let values: Vec<_> = values.iter().map(Value::borrow).collect();
            tx.select(&sql, &values)
        })
        .await
    }
}

/// A closure and the caller who waits for it.
struct Job<F, T, E> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
    _under_way: UnderWay,
}

/// Counts a write until it is dropped.
struct UnderWay(Option<Arc<watch::Sender<usize>>>);

impl UnderWay {
    fn begin(writes: Option<&Arc<watch::Sender<usize>>>) -> Self {
        writes.inspect(|writes| writes.send_modify(|count| *count += 1));
        Self(writes.cloned())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(writes) = &self.0 {
            writes.send_modify(|count| *count = count.saturating_sub(1));
        }
    }
}

impl<F, T, E> Job<F, T, E>
where
    F: FnOnce(&mut dyn TxEngine) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<SqlError> + Send + 'static,
{
    fn queued(work: F, under_way: UnderWay) -> (Box<dyn TxJob>, oneshot::Receiver<Result<T, E>>) {
        let (caller, done) = oneshot::channel();
        (Box::new(Self { work: Some(work), result: None, caller, _under_way: under_way }), done)
    }
}

impl<F, T, E> TxJob for Job<F, T, E>
where
    F: FnOnce(&mut dyn TxEngine) -> Result<T, E> + Send,
    T: Send,
    E: From<SqlError> + Send,
{
    fn run(&mut self, tx: &mut dyn TxEngine) -> bool {
        let Some(work) = self.work.take() else { return false };
        // Whatever the work left half done is rolled back, so nobody sees it.
        let result = catch_unwind(AssertUnwindSafe(|| work(tx)));
        let result = result
            .unwrap_or_else(|panic| Err(SqlError::Panicked(panic_text(panic.as_ref())).into()));
        self.result.insert(result).is_ok()
    }

    fn finish(self: Box<Self>, outcome: Result<(), SqlError>) {
        let result = match (self.result, outcome) {
            (Some(result), Ok(())) | (Some(result @ Err(_)), Err(_)) => result,
            (_, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(SqlError::Closed.into()),
        };
        // A caller who has gone does not want to know.
        drop(self.caller.send(result));
    }
}

/// Returns the message of a panic, as far as it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
