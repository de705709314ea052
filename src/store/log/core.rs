//! The log without threads: appends in, one batch at a time out. Simulations drive it as it is.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::ready;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::assembly::{Assembly, Bounds, Verdict};
use super::batch::Batch;
use super::catalog::Catalog;
use super::config::{Counters, LogConfig};
use super::disk::{Disk, DiskLock};
use super::fault::{ReadFault, Wait, io_error};
use super::folder::Folder;
use super::heads::Heads;
use super::memory_index::IdRange;
use super::prepared::{Outcome, Prepared, Reply};
use super::reader::Reader;
use super::room::{NoRoom, Room, first_segment};
use super::segment::Segment;
use crate::event::{Position, RecordedEvent};
use crate::store::condition::{Examined, examine, is_short};
use crate::store::{Append, AppendError, LogPage, LogRead, StoreError, StreamPage, StreamRead};

/// A log on a disk, driven by its caller's thread.
pub struct LogCore {
    pub(super) folder: Folder,
    pub(super) catalog: Arc<Catalog>,
    pub(super) reader: Arc<Reader>,
    pub(super) assembly: Mutex<Assembly>,
    pub(super) counters: Counters,
    pub(super) config: LogConfig,
    pub(super) room: Arc<Room>,
    lock: Mutex<Option<DiskLock>>,
}

impl LogCore {
    /// Opens a log, making it if there is none.
    ///
    /// # Errors
    /// [`StoreError`]: locked by another process, of a newer format, damaged, or refused by the
    /// system.
    pub fn open(disk: Arc<dyn Disk>, config: LogConfig) -> Result<Self, StoreError> {
        let folder = Folder { disk, dir: config.dir.clone() };
        let lock = folder.lock()?;
        let opened = folder.open()?;
        let (mut segments, end) = (opened.segments, opened.active.end);
        let (tail, filled) = match segments.last() {
            Some(tail) => (tail.clone(), file_len(tail)?),
            None => {
                let (segment, filled) = first_segment(&folder, config.ahead_bytes)?;
                segments.push(Arc::new(segment));
                (segments.last().cloned().ok_or(StoreError::Closed)?, filled)
            }
        };
        let earlier_ids = earlier_ids(&segments);
        let catalog = Arc::new(Catalog::new(segments));
        let reader = Arc::new(Reader::new(catalog.clone(), config.limits.clone()));
        let segment_bytes = config.segment_bytes.min(1 << 30);
        let room = Arc::new(Room::new(&tail, filled, config.ahead_bytes, segment_bytes));
        let next = catalog.position();
        let recorded = last_recorded(&reader, next)?;
        let assembly = Assembly {
            folder: folder.clone(),
            reader: reader.clone(),
            heads: Heads::new(config.heads_max),
            building: Batch::new(next.next().get()),
            in_flight: Arc::default(),
            deferred: Vec::new(),
            room: room.clone(),
            tail,
            earlier_ids,
            end,
            next,
            broken: None,
            unsealed: Vec::new(),
            bounds: Bounds { segment_bytes, batch_bytes_max: config.batch_bytes_max },
            clock: config.clock.clone(),
            recorded,
            roll_next: false,
        };
        let (assembly, lock) = (Mutex::new(assembly), Mutex::new(Some(lock)));
        let counters = Counters::default();
        Ok(Self { folder, catalog, reader, assembly, counters, config, room, lock })
    }

    /// Appends a group: as many batches as it takes, in the order given.
    ///
    /// Each append has its own outcome; a refusal is that append's alone.
    pub fn append_group(&self, appends: Vec<Append>) -> Vec<Outcome> {
        let mut waiting = std::collections::VecDeque::new();
        let outcomes = appends.into_iter().map(|append| {
            let (sender, receiver) = oneshot::channel();
            let examined = self.examine_now(&append);
            match self.prepare(append, examined, Reply::Task(sender)) {
                Ok(prepared) => waiting.push_back(prepared),
                Err((reply, error)) => reply.send(Err(error)),
            }
            receiver
        });
        let outcomes: Vec<_> = outcomes.collect();
        let mut has_more = true;
        while has_more {
            self.gather(&mut || waiting.pop_front(), Wait::Allowed)
                .into_iter()
                .for_each(|prepared| waiting.push_front(prepared));
            if let Some(done) = self.commit() {
                done.tell();
            }
            self.seal_all();
            has_more = !waiting.is_empty() || self.has_work();
        }
        let lost = || AppendError::Unavailable { cause: "the append was not answered".into() };
        outcomes.into_iter().map(|mut it| it.try_recv().unwrap_or_else(|_| Err(lost()))).collect()
    }

    /// Reads a page of the log.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read or is damaged.
    pub fn read_log(&self, read: &LogRead) -> Result<LogPage, StoreError> {
        self.reader.log_page(read, Wait::Allowed).map_err(ReadFault::into_store)
    }

    /// Reads a page of a stream.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read or is damaged.
    pub fn read_stream(&self, read: &StreamRead) -> Result<StreamPage, StoreError> {
        self.reader.stream_page(read, Wait::Allowed).map_err(ReadFault::into_store)
    }

    /// Returns the position of the last durable event.
    #[must_use]
    pub fn head(&self) -> Position {
        self.catalog.position()
    }

    /// Writes the end mark and gives the folder free; appends are refused from now on.
    ///
    /// # Errors
    /// [`StoreError`] when the mark could not be written; the log is sound all the same.
    pub fn close(&self) -> Result<(), StoreError> {
        let Some(lock) = self.lock.lock().take() else { return Ok(()) };
        let mut assembly = self.assembly.lock();
        let marked = match assembly.broken {
            None => assembly.write_end_mark(),
            Some(_) => Ok(()),
        };
        assembly.break_with("the store is closed");
        self.catalog.close();
        drop(lock);
        marked
    }

    /// Examines an append's condition on this thread, which may wait.
    pub(super) fn examine_now(&self, append: &Append) -> Option<Examined> {
        let condition = append.condition.as_ref()?;
        if is_short(condition, self.head()) {
            return Some(Examined::unseen(condition));
        }
        let page = |read| ready(self.read_log(&read));
        // Every page is there at once, so that nothing is waited for.
        examine((&append.tenant, condition), &self.config.limits, page).now_or_never()
    }

    /// Checks an append's bounds and encodes its records.
    pub(super) fn prepare(
        &self,
        append: Append,
        condition: Option<Examined>,
        reply: Reply,
    ) -> Result<Prepared, (Reply, AppendError)> {
        match self.config.limits.check(&append) {
            Ok(()) => Ok(Prepared::new(append, condition, reply)),
            Err(error) => Err((reply, error)),
        }
    }

    /// Puts appends into the batch until none is left; returns the one that does not fit.
    ///
    /// With [`Wait::Never`] it also returns the first that needs the device, and takes none at
    /// all while somebody else is at it, who may be waiting for the device.
    pub(super) fn gather(
        &self,
        next: &mut dyn FnMut() -> Option<Prepared>,
        wait: Wait,
    ) -> Option<Prepared> {
        let mut assembly = match wait {
            Wait::Allowed => self.assembly.lock(),
            Wait::Never => self.assembly.try_lock()?,
        };
        if assembly.in_flight.is_empty() {
            for prepared in std::mem::take(&mut assembly.deferred) {
                if let Verdict::Later(prepared) = assembly.add(prepared, wait) {
                    assembly.deferred.push(prepared);
                }
            }
        }
        while let Some(prepared) = next() {
            if let Verdict::Later(prepared) = assembly.add(prepared, wait) {
                return Some(prepared);
            }
        }
        None
    }

    /// Returns whether there is something to commit.
    pub(super) fn has_work(&self) -> bool {
        let assembly = self.assembly.lock();
        !assembly.building.is_idle() || !assembly.deferred.is_empty()
    }

    /// Writes the batch, waits for the barrier and shows it; `None` when there is nothing.
    ///
    /// Only one thread at a time may do this.
    pub(super) fn commit(&self) -> Option<Done> {
        let (batch, bytes, tail, start) = {
            let mut assembly = self.assembly.lock();
            if assembly.building.is_idle() {
                return None;
            }
            let start = assembly.end;
            let batch = assembly.take();
            (batch, assembly.in_flight.clone(), assembly.tail.clone(), start)
        };
        if batch.count == 0 {
            return Some(Done { batch, failure: None });
        }
        let failure = self.write(&tail, &bytes, start).err();
        let mut assembly = self.assembly.lock();
        match &failure {
            None => self.show(&batch, &tail, (start, bytes.len() as u64)),
            Some(error) => {
                assembly.break_with(&error.to_string());
                // Who waits for what was staged must look again.
                self.catalog.show(self.catalog.position());
            }
        }
        assembly.in_flight = Arc::default();
        let failure = failure.map(|error| AppendError::Unknown { cause: error.to_string() });
        Some(Done { batch, failure })
    }

    /// Writes the index files of the segments that take no more records.
    pub(super) fn seal_all(&self) {
        let unsealed = std::mem::take(&mut self.assembly.lock().unsealed);
        for segment in unsealed {
            // Without its file the index stays in memory, and is made again at the next start.
            if let Err(error) = self.folder.seal(&segment) {
                tracing::warn!(%error, "segment index not written");
            }
        }
    }

    /// Does what can be done beside the writer: index files, and room ahead of the tail.
    pub(super) fn tend(&self) {
        self.seal_all();
        let end = self.assembly.lock().end;
        if let Err(NoRoom::Failed(error)) = self.room.fill_ahead(&self.folder, end) {
            self.assembly.lock().break_with(&error.to_string());
        }
    }

    /// Returns whether [`LogCore::tend`] has something to do.
    pub(super) fn wants_tending(&self) -> bool {
        let assembly = self.assembly.lock();
        !assembly.unsealed.is_empty() || self.room.wants_more(assembly.end)
    }

    fn write(&self, tail: &Segment, bytes: &[u8], start: u64) -> Result<(), StoreError> {
        let (file, path) = (&tail.file, &tail.path);
        file.write_at(bytes, start).map_err(|error| io_error("write", path, error))?;
        file.sync_data().map_err(|error| io_error("sync", path, error))
    }

    fn show(&self, batch: &Batch, tail: &Segment, (start, len): (u64, u64)) {
        tail.show((start + len) as u32, tail.count() + batch.count);
        self.catalog.show(Position::new(tail.last_position()));
        self.counters.batches.add(1);
        self.counters.barriers.add(1);
        self.counters.appends.add(batch.appends);
        self.counters.events.add(u64::from(batch.count));
        self.counters.bytes.add(len);
    }
}

/// A batch that was written, or was not.
pub(super) struct Done {
    batch: Batch,
    failure: Option<AppendError>,
}

impl Done {
    /// Tells everybody their outcome.
    pub fn tell(self) {
        self.batch.tell(self.failure.as_ref());
    }
}

/// Returns the range of the ids in all segments but the last.
fn earlier_ids(segments: &[Arc<Segment>]) -> IdRange {
    let mut earlier = IdRange::default();
    let sealed = segments.split_last().map_or(&[] as &[_], |(_, sealed)| sealed);
    sealed.iter().for_each(|segment| earlier.merge(segment.ids()));
    earlier
}

/// Returns when the event at a position was recorded; the oldest time there is without one.
fn last_recorded(reader: &Reader, last: Position) -> Result<Timestamp, StoreError> {
    let read = LogRead::after(last.previous(), 1);
    let page = reader.log_page(&read, Wait::Allowed).map_err(ReadFault::into_store)?;
    Ok(page.events.last().map_or(Timestamp::MIN, RecordedEvent::recorded_at))
}

fn file_len(segment: &Segment) -> Result<u64, StoreError> {
    segment.file.len().map_err(|error| io_error("read", &segment.path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventQuery, NewEvent, StreamId, Tenant};
    use crate::store::{AppendCondition, Expected};
    use crate::test::disk::FaultyDisk;

    fn append_to(stream: &str) -> Append {
        let event = NewEvent::json("Noted", 1, r#"{"text":"as long as it takes to fill files"}"#);
        let stream = StreamId::new("note", stream).unwrap();
        Append::to_stream(Tenant::default_tenant(), stream, Expected::Any, vec![event.unwrap()])
    }

    /// A log whose oldest stream is known by index files only.
    fn log_on(disk: &FaultyDisk) -> LogCore {
        let mut config = LogConfig::new("/log").with_segment_bytes(6_000);
        config.heads_max = 2;
        let core = LogCore::open(Arc::new(disk.clone()), config).unwrap();
        for number in 0..90 {
            let outcomes = core.append_group(vec![append_to(&number.to_string())]);
            assert!(outcomes.iter().all(Result::is_ok));
        }
        core
    }

    /// Offers one append; whether it was taken.
    fn is_taken(core: &LogCore, append: Append, wait: Wait) -> bool {
        let (sender, _receiver) = oneshot::channel();
        let examined = core.examine_now(&append);
        let prepared = core.prepare(append, examined, Reply::Task(sender));
        let Ok(prepared) = prepared else { return false };
        let mut offered = Some(prepared);
        core.gather(&mut || offered.take(), wait).is_none() && offered.is_none()
    }

    #[test]
    fn a_caller_that_must_not_wait_leaves_what_needs_the_device() {
        let disk = FaultyDisk::new(1);
        let core = log_on(&disk);
        disk.set_slow(true);
        assert!(!is_taken(&core, append_to("0"), Wait::Never));
        assert!(is_taken(&core, append_to("89"), Wait::Never), "its head is remembered");
        disk.set_slow(false);
        assert!(is_taken(&core, append_to("0"), Wait::Never));
    }

    #[test]
    fn a_caller_that_must_not_wait_leaves_conditions_and_what_another_stages() {
        let core = log_on(&FaultyDisk::new(1));
        let condition = AppendCondition { query: EventQuery::all(), after: core.head() };
        let conditional = || append_to("89").with_condition(condition.clone());
        assert!(!is_taken(&core, conditional(), Wait::Never));
        assert!(is_taken(&core, conditional(), Wait::Allowed));
        let _held = core.assembly.lock();
        assert!(!is_taken(&core, append_to("89"), Wait::Never));
    }
}
