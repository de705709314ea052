//! The log with its threads: the engine that programs use.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::backup::{self, BackupReport};
use super::config::{LogConfig, LogStats};
use super::core::LogCore;
use super::disk::Disk;
use super::fault::{ReadFault, Wait, io_error};
use super::file_disk::FileDisk;
use super::folder::Folder;
use super::prepared::Reply;
use super::reader::Reader;
use super::reading::{ReadPool, run_jobs};
use super::scans::Scans;
use super::turns::Turns;
use super::verify::{VerifyReport, verify_on};
use super::writer::{Writer, run_tender};
use crate::event::{EventId, Position, RecordedEvent, Tenant};
use crate::store::condition::{Examined, ROUNDS_MAX};
use crate::store::{
    Append, AppendError, Appended, EventStore, LogPage, LogRead, StoreError, StoreLimits,
    StreamList, StreamListPage, StreamPage, StreamRead,
};

/// The embedded log. Dropping it closes it.
pub struct LogStore {
    core: Arc<LogCore>,
    writer: Arc<Writer>,
    pool: ReadPool,
    scans: Arc<Scans>,
    turns: Arc<Turns>,
    threads: Mutex<[Option<JoinHandle<()>>; 2]>,
}

impl LogStore {
    /// Opens the log in a folder, making it if there is none; blocks while it scans the last
    /// segment.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it open, [`StoreError::NewerFormat`],
    /// [`StoreError::Damaged`] naming file and offset, [`StoreError::Io`].
    pub fn open(config: LogConfig) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(FileDisk), config)
    }

    /// Opens the log on another device than the machine's own.
    ///
    /// # Errors
    /// As [`LogStore::open`].
    pub fn open_on(disk: Arc<dyn Disk>, config: LogConfig) -> Result<Self, StoreError> {
        let reader_threads = config.reader_threads.max(1);
        let core = Arc::new(LogCore::open(disk, config)?);
        let (bell, rung) = mpsc::sync_channel(1);
        let (pool, jobs) = ReadPool::new();
        let writer = Arc::new(Writer::new(core.clone(), SyncSender::clone(&bell)));
        let (main, tended) = (writer.clone(), core.clone());
        let turns = Arc::new(Turns::default());
        let scans = Arc::new(Scans::new(core.reader.clone(), turns.clone()));
        let store = Self { core, writer, pool, scans, turns, threads: Mutex::default() };
        let main = store.start("log-writer", move || main.run())?;
        let tender = store.start("log-tender", move || run_tender(&tended, &rung))?;
        *store.threads.lock() = [Some(main), Some(tender)];
        for _ in 0..reader_threads {
            let jobs = jobs.clone();
            // Never waited for: they end when the last read that was asked for is done.
            store.start("log-reader", move || run_jobs(&jobs))?;
            let turns = store.turns.clone();
            store.start("log-scan", move || turns.run())?;
        }
        Ok(store)
    }

    /// Appends and waits, for threads: the caller's own thread commits when nobody else does.
    ///
    /// # Errors
    /// [`AppendError`], as [`EventStore::append`]. Blocks; not for async tasks.
    pub fn append_blocking(&self, append: Append) -> Result<Appended, AppendError> {
        let commit = |append, examined| {
            let (sender, receiver) = mpsc::sync_channel(1);
            let prepared = self.core.prepare(append, examined, Reply::Thread(sender));
            self.writer.push_and_drive(prepared.map_err(|(_, error)| error)?);
            receiver.recv().unwrap_or_else(|_| Err(unanswered()))
        };
        if append.condition.is_none() {
            return commit(append, None);
        }
        self.core.config.limits.check(&append)?;
        for round in 0..ROUNDS_MAX {
            let examined = self.core.examine_now(&append).map(|own| own.in_round(round));
            let outrun = examined.as_ref().map(Examined::watch);
            let outcome = commit(append.clone(), examined);
            if !outrun.is_some_and(|outrun| outrun.is_set()) {
                return outcome;
            }
        }
        Err(AppendError::ConditionOutrun)
    }

    /// Copies the log as it is now into an empty or new folder, while appends go on; blocks.
    ///
    /// The copy ends at the position it reports and opens like any log.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the folder is not empty, [`StoreError::Io`],
    /// [`StoreError::Damaged`] when what was to be copied is damaged.
    pub fn backup(&self, dir: impl AsRef<Path>) -> Result<BackupReport, StoreError> {
        backup::copy(&self.core, dir.as_ref())
    }

    /// Copies the log in a folder, which another process may have open, into an empty or new
    /// folder; blocks.
    ///
    /// Everything that was acknowledged before the call is in the copy, which is opened and
    /// closed once, so that it is whole and has its indexes.
    ///
    /// # Errors
    /// As [`LogStore::backup`].
    pub fn backup_folder(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<BackupReport, StoreError> {
        let folder =
            |dir: &Path| Folder { disk: Arc::new(FileDisk) as Arc<dyn Disk>, dir: dir.to_owned() };
        let (from, copy) = (folder(from.as_ref()), folder(to.as_ref()));
        backup::copy_files(&from, &copy)?;
        let opened = match Self::open(LogConfig::new(&copy.dir)) {
            // The newest batch was caught in the middle of a sector: it is whole by now.
            Err(StoreError::Damaged { .. }) => {
                let newest = copy.bases()?.into_iter().max().unwrap_or_default();
                backup::copy_file(&from, &copy, newest)?;
                Self::open(LogConfig::new(&copy.dir))?
            }
            opened => opened?,
        };
        let position = *opened.head().borrow();
        let segments = opened.stats().segments;
        opened.close()?;
        let bytes = copy.bases()?.iter().map(|base| copy.log_len(*base)).sum::<Result<_, _>>()?;
        Ok(BackupReport { position, segments, bytes })
    }

    /// Checks every frame, record, gap and index of the closed log in a folder; blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be looked at; what is wrong in it is in the report.
    pub fn verify(dir: impl AsRef<Path>) -> Result<VerifyReport, StoreError> {
        verify_on(Arc::new(FileDisk), dir.as_ref())
    }

    /// Returns what the log has done since it was opened.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        let counters = &self.core.counters;
        LogStats {
            batches: counters.batches.get(),
            barriers: counters.barriers.get(),
            appends: counters.appends.get(),
            events: counters.events.get(),
            bytes: counters.bytes.get(),
            pages_at_hand: counters.pages_at_hand.get(),
            pages_waited: counters.pages_waited.get(),
            segments: self.core.catalog.segments().len() as u64,
            waiting: self.writer.waiting() as u64,
        }
    }

    /// Answers what was taken, writes the end mark and gives the folder free; blocks.
    ///
    /// Appends and reads are refused from now on, subscriptions end. Again does nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the mark could not be written; the log is sound all the same.
    pub fn close(&self) -> Result<(), StoreError> {
        self.writer.close();
        self.pool.close();
        self.turns.close();
        let [main, tender] = std::mem::take(&mut *self.threads.lock());
        join([main]);
        self.writer.hang_up();
        join([tender]);
        self.core.close()
    }

    fn start(
        &self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, StoreError> {
        let dir = &self.core.folder.dir;
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        thread.map_err(|error| io_error("start a thread for", dir, error))
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Reader, Wait) -> Result<T, ReadFault> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (page, is_at_hand) = self.pool.read(&self.core.reader, read);
        self.count(is_at_hand);
        page
    }

    fn count(&self, is_at_hand: bool) {
        let counters = &self.core.counters;
        if is_at_hand { counters.pages_at_hand.add(1) } else { counters.pages_waited.add(1) }
    }
}

impl EventStore for LogStore {
    fn append(&self, append: Append) -> BoxFuture<'static, Result<Appended, AppendError>> {
        let way = Way { core: self.core.clone(), writer: self.writer.clone() };
        match append.condition {
            None => way.push(append, None).boxed(),
            Some(_) => way.push_examined(append, self.scans.clone()).boxed(),
        }
    }

    fn read_stream(&self, read: StreamRead) -> BoxFuture<'static, Result<StreamPage, StoreError>> {
        self.read(move |reader, wait| reader.stream_page(&read, wait))
    }

    fn read_log(&self, read: LogRead) -> BoxFuture<'static, Result<LogPage, StoreError>> {
        let (page, is_at_hand) = self.scans.log_page(read);
        self.count(is_at_hand);
        page
    }

    fn find_event(
        &self,
        tenant: Tenant,
        id: EventId,
    ) -> BoxFuture<'static, Result<Option<RecordedEvent>, StoreError>> {
        self.read(move |reader, wait| reader.event(&tenant, id, wait))
    }

    fn list_streams(
        &self,
        list: StreamList,
    ) -> BoxFuture<'static, Result<StreamListPage, StoreError>> {
        self.read(move |reader, wait| reader.list(&list, wait))
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.core.catalog.head()
    }

    fn limits(&self) -> &StoreLimits {
        &self.core.config.limits
    }

    fn engine(&self) -> &'static str {
        "embedded"
    }
}

/// The way of an append to the writer.
struct Way {
    core: Arc<LogCore>,
    writer: Arc<Writer>,
}

impl Way {
    /// Gives the append to the writer at once.
    fn push(
        &self,
        append: Append,
        examined: Option<Examined>,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        match self.core.prepare(append, examined, Reply::Task(sender)) {
            Ok(prepared) => self.writer.push(prepared),
            Err((reply, error)) => reply.send(Err(error)),
        }
        receiver.map(|outcome| outcome.unwrap_or_else(|_| Err(unanswered())))
    }

    /// Examines the append's condition on the caller's side, then gives it to the writer; again
    /// when too much came meanwhile. Dropped before that, it ends without a trace.
    async fn push_examined(
        self,
        append: Append,
        scans: Arc<Scans>,
    ) -> Result<Appended, AppendError> {
        self.core.config.limits.check(&append)?;
        let mut head = self.core.catalog.head();
        for round in 0..ROUNDS_MAX {
            let now = *head.borrow_and_update();
            let examined = scans.examine(&append, now).await.map(|own| own.in_round(round));
            let outrun = examined.as_ref().map(Examined::watch);
            let outcome = self.push(append.clone(), examined).await;
            if !outrun.is_some_and(|outrun| outrun.is_set()) {
                return outcome;
            }
            // What outran it may be staged only: it is seen outside when it is visible.
            if head.changed().await.is_err() {
                break;
            }
        }
        Err(AppendError::ConditionOutrun)
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "event log not closed cleanly");
        }
    }
}

fn join<const N: usize>(threads: [Option<JoinHandle<()>>; N]) {
    for thread in threads.into_iter().flatten() {
        if thread.join().is_err() {
            tracing::error!("event log thread panicked");
        }
    }
}

fn unanswered() -> AppendError {
    AppendError::Unknown { cause: "the writer ended without an answer".into() }
}
