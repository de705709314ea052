//! The log with its threads: the engine that programs use.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};

use super::ahead::Ahead;
use super::appender::Appender;
use super::config::{Counters, PostgresStats, PostgresStoreConfig};
use super::examine::Desk;
use super::fault::store_error;
use super::feed::{Feed, Head, HeadSource, source_of};
use super::prepared::Prepared;
use super::reader::Reader;
use super::schema::{self, Found};
use super::session::Session;
use crate::event::{EventId, Position, RecordedEvent, Tenant};
use crate::postgres::connect;
use crate::store::condition::{Examined, ROUNDS_MAX, is_short};
use crate::store::{
    Append, AppendError, Appended, EventStore, LogPage, LogRead, StoreError, StoreLimits,
    StreamList, StreamListPage, StreamPage, StreamRead,
};

/// The log in PostgreSQL. It has threads of its own, so any runtime may use it. Dropping it
/// closes it.
pub struct PostgresStore {
    limits: StoreLimits,
    queue: mpsc::Sender<Prepared>,
    reader: Arc<Reader>,
    ahead: Arc<Ahead>,
    desk: Arc<Desk>,
    reading: Handle,
    position: watch::Receiver<Position>,
    head: Weak<Head>,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the writer's thread tells when it has connected.
type Opened = Result<(watch::Receiver<Position>, Weak<Head>), StoreError>;

impl PostgresStore {
    /// Connects and looks at the schema; blocks meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database cannot be reached; [`StoreError::Invalid`]
    /// when it refuses, when the schema holds no log (the message says which command makes it)
    /// or another program's tables; [`StoreError::NewerFormat`].
    pub fn open(config: PostgresStoreConfig) -> Result<Self, StoreError> {
        let counters = Arc::new(Counters::default());
        let stop = watch::Sender::new(false);
        let (queue, waiting) = mpsc::channel(config.limits.waiting_appends_max.max(1));
        let reader = Arc::new(Reader::new(&config)?);
        let limits = config.limits.clone();
        let (tell, opened) = sync_channel(1);
        let (stopped, own) = (stop.subscribe(), counters.clone());
        let writer = start("postgres-writer", move || {
            run_writer(config, waiting, own, stopped, &tell);
        })?;
        let (position, head) = opened.recv().unwrap_or(Err(StoreError::Closed))?;
        let (tell, handle) = sync_channel(1);
        let stopped = stop.subscribe();
        let reading = start("postgres-reader", move || run_reader(stopped, &tell))?;
        let reading_handle = handle.recv().unwrap_or(Err(StoreError::Closed))?;
        let threads = Mutex::new(vec![writer, reading]);
        let reading = reading_handle;
        let (ahead, desk) = (Arc::default(), Arc::default());
        Ok(Self {
            limits,
            queue,
            reader,
            ahead,
            desk,
            reading,
            position,
            head,
            counters,
            stop,
            threads,
        })
    }

    /// Returns what this node has done since it opened the store.
    #[must_use]
    pub fn stats(&self) -> PostgresStats {
        let counters = &self.counters;
        PostgresStats {
            batches: counters.batches.get(),
            appends: counters.appends.get(),
            events: counters.events.get(),
            batch_us: counters.batch_us.get(),
            reconnects: counters.reconnects.get(),
            waiting: self.waiting() as u64,
            head_source: self.head.upgrade().map_or(HeadSource::Polling, |head| source_of(&head)),
        }
    }

    /// Answers what was taken and ends the connections; blocks.
    ///
    /// Appends and reads are refused from now on, subscriptions end. Again does nothing.
    pub fn close(&self) {
        self.stop.send_replace(true);
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                tracing::error!("event store thread panicked");
            }
        }
        self.reader.close();
    }

    fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    fn read<T: Send + 'static, F>(
        &self,
        read: impl FnOnce(Arc<Reader>) -> F,
    ) -> BoxFuture<'static, Result<T, StoreError>>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        if *self.stop.borrow() {
            return futures_util::future::ready(Err(StoreError::Closed)).boxed();
        }
        let page = self.reading.spawn(read(self.reader.clone()));
        page.map(|page| page.unwrap_or(Err(StoreError::Closed))).boxed()
    }
}

impl EventStore for PostgresStore {
    fn append(&self, append: Append) -> BoxFuture<'static, Result<Appended, AppendError>> {
        let (limits, queue) = (self.limits.clone(), self.queue.clone());
        let way = Way { limits, queue };
        if append.condition.is_none() {
            return way.push(append, None).boxed();
        }
        let examiner = Examiner {
            reader: self.reader.clone(),
            desk: self.desk.clone(),
            reading: self.reading.clone(),
            head: self.position.clone(),
        };
        way.push_examined(append, examiner).boxed()
    }

    fn read_stream(&self, read: StreamRead) -> BoxFuture<'static, Result<StreamPage, StoreError>> {
        self.read(|reader| async move { reader.stream_page(read).await })
    }

    fn read_log(&self, read: LogRead) -> BoxFuture<'static, Result<LogPage, StoreError>> {
        let ahead = Arc::clone(&self.ahead);
        self.read(|reader| async move { ahead.log_page(reader, read).await })
    }

    fn find_event(
        &self,
        tenant: Tenant,
        id: EventId,
    ) -> BoxFuture<'static, Result<Option<RecordedEvent>, StoreError>> {
        self.read(move |reader| async move { reader.event(tenant, id).await })
    }

    fn list_streams(
        &self,
        list: StreamList,
    ) -> BoxFuture<'static, Result<StreamListPage, StoreError>> {
        self.read(|reader| async move { reader.list(list).await })
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.position.clone()
    }

    fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    fn engine(&self) -> &'static str {
        "PostgreSQL"
    }
}

/// The way of an append to the writer.
struct Way {
    limits: StoreLimits,
    queue: mpsc::Sender<Prepared>,
}

impl Way {
    /// Gives the append to the writer at once.
    fn push(
        &self,
        append: Append,
        examined: Option<Examined>,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send + use<> {
        let (reply, outcome) = oneshot::channel();
        let waiting = || self.queue.max_capacity() - self.queue.capacity();
        let refused = match Prepared::new(append, examined, &self.limits, reply) {
            Ok(prepared) => match self.queue.try_send(prepared) {
                Ok(()) => None,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    Some(AppendError::Overloaded { waiting: waiting() })
                }
                Err(mpsc::error::TrySendError::Closed(_)) => Some(closed()),
            },
            Err(error) => Some(error),
        };
        match refused {
            Some(error) => futures_util::future::ready(Err(error)).left_future(),
            None => {
                outcome.map(|outcome| outcome.unwrap_or_else(|_| Err(unanswered()))).right_future()
            }
        }
    }

    /// Examines the append's condition, then gives it to the writer; again when too much came
    /// meanwhile. Dropped before that, it ends without a trace.
    async fn push_examined(
        self,
        append: Append,
        examiner: Examiner,
    ) -> Result<Appended, AppendError> {
        self.limits.check(&append)?;
        for round in 0..ROUNDS_MAX {
            let examined = examiner.examine(&append, round).await;
            let examined = examined.map(|own| own.in_round(round));
            let outrun = examined.as_ref().map(Examined::watch);
            let outcome = self.push(append.clone(), examined).await;
            if !outrun.is_some_and(|outrun| outrun.is_set()) {
                return outcome;
            }
        }
        Err(AppendError::ConditionOutrun)
    }
}

/// What examines conditions outside of the writer.
struct Examiner {
    reader: Arc<Reader>,
    desk: Arc<Desk>,
    reading: Handle,
    head: watch::Receiver<Position>,
}

impl Examiner {
    async fn examine(&self, append: &Append, round: u32) -> Option<Examined> {
        let condition = append.condition.clone()?;
        let head = *self.head.borrow();
        if round == 0 && is_short(&condition, head) {
            return Some(Examined::unseen(&condition));
        }
        let (reader, desk) = (self.reader.clone(), self.desk.clone());
        let (tenant, own) = (append.tenant.clone(), condition.clone());
        let work = async move { desk.examine(&reader, &tenant, &own).await };
        let mut work = AbortOnDrop(self.reading.spawn(work));
        let examined = (&mut work.0).await;
        Some(examined.unwrap_or_else(|_| Examined::refused(&condition, closed())))
    }
}

/// Ends a task with whoever waits for it.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.close();
    }
}

/// Appends and follows the head until it is told to stop.
fn run_writer(
    config: PostgresStoreConfig,
    queue: mpsc::Receiver<Prepared>,
    counters: Arc<Counters>,
    stop: watch::Receiver<bool>,
    tell: &SyncSender<Opened>,
) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(tell.send(Err(no_thread(error)))),
    };
    runtime.block_on(async {
        let (session, found) = match open(&config).await {
            Ok(opened) => opened,
            Err(error) => return drop(tell.send(Err(error))),
        };
        let head = Arc::new(Head::new(found.head));
        if tell.send(Ok((head.subscribe(), Arc::downgrade(&head)))).is_err() {
            return;
        }
        let appender = Appender::new(config.clone(), session, queue, head.clone(), counters);
        tokio::select! {
            () = appender.run(stop) => {}
            () = Feed::new(&config, &found, &head).run() => {}
        }
    });
}

async fn open(config: &PostgresStoreConfig) -> Result<(Session, Found), StoreError> {
    let address = config.address.clone();
    let client = connect(&address).await.map_err(|fault| store_error(&fault, &address))?;
    let found = schema::check(&client, &address).await?;
    Ok((Session::new(address, client), found))
}

/// Runs reads until it is told to stop.
fn run_reader(mut stop: watch::Receiver<bool>, tell: &SyncSender<Result<Handle, StoreError>>) {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            // If nobody takes it there is nothing to run.
            let _ = tell.send(Ok(runtime.handle().clone()));
            let _ = runtime.block_on(stop.wait_for(|stop| *stop));
        }
        Err(error) => drop(tell.send(Err(no_thread(error)))),
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new().name(name.into()).spawn(run).map_err(no_thread)
}

fn no_thread(error: std::io::Error) -> StoreError {
    let (action, path) = ("start a thread for", "the event store".to_owned());
    StoreError::Io { action, path, source: Arc::new(error) }
}

fn closed() -> AppendError {
    AppendError::Unavailable { cause: "the store is closed".into() }
}

fn unanswered() -> AppendError {
    AppendError::Unknown { cause: "the appender ended without an answer".into() }
}
