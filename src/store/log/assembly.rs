//! Where appends get their places: checks each one and puts it into the next batch.
//!
//! One append after the other, under a lock: this is "the writer" of the guarantees. What is
//! staged here is not visible to readers before its batch is durable, but later appends are
//! checked against it, so a batch may be gathered while the one before is written.

use std::sync::Arc;

use jiff::Timestamp;

use super::batch::Batch;
use super::fault::{ReadFault, Wait};
use super::folder::Folder;
use super::frame::FRAME_HEADER_LEN;
use super::heads::Heads;
use super::memory_index::IdRange;
use super::prepared::{Prepared, PreparedWrite, Reply};
use super::reader::Reader;
use super::room::Room;
use super::segment::Segment;
use crate::clock::SharedClock;
use crate::event::{Position, Revision, Tenant, seal_record};
use crate::store::{AppendError, Appended, StoreError, WrittenStream};

/// The writer's state: the tail of the log, staged appends included.
pub struct Assembly {
    pub(super) folder: Folder,
    pub(super) reader: Arc<Reader>,
    pub(super) heads: Heads,
    pub(super) building: Batch,
    /// The frame that is being written; empty when none is.
    pub(super) in_flight: Arc<Vec<u8>>,
    /// Appends that must be checked again when what is staged has become visible.
    pub(super) deferred: Vec<Prepared>,
    pub(super) room: Arc<Room>,
    /// The active segment.
    pub(super) tail: Arc<Segment>,
    /// The range of the ids in all segments before it.
    pub(super) earlier_ids: IdRange,
    /// Where the batch that is gathered will lie in it.
    pub(super) end: u64,
    pub(super) next: Position,
    pub(super) broken: Option<String>,
    /// Segments that take no more records and have no index file yet.
    pub(super) unsealed: Vec<Arc<Segment>>,
    pub(super) bounds: Bounds,
    pub(super) clock: SharedClock,
    /// When the last record was recorded: the next one is never recorded before it.
    pub(super) recorded: Timestamp,
    pub(super) roll_next: bool,
}

/// The sizes that the writer keeps to.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Bytes after which a segment is closed.
    pub segment_bytes: u64,
    /// Bytes after which a batch takes no more.
    pub batch_bytes_max: usize,
}

/// What became of an append that was given to the writer.
pub enum Verdict {
    /// It is in the batch, or its refusal is.
    Taken,
    /// It does not fit, or the device must be waited for: commit the batch, then give it again.
    Later(Prepared),
}

/// Says why an append was not staged.
pub(super) enum Refusal {
    /// For good.
    Final(AppendError),
    /// It hangs on something that is staged: check again when that is visible.
    NotYet,
    /// It is in the log already.
    Duplicate(Appended),
    /// The device must be waited for, which this caller may not.
    WouldWait,
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        Self::Final(error)
    }
}

impl From<ReadFault> for Refusal {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::WouldWait => Self::WouldWait,
            ReadFault::Store(error) => Self::from(error),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Final(AppendError::Unavailable { cause: error.to_string() })
    }
}

impl Assembly {
    /// Checks an append and puts it, or its refusal, into the batch.
    ///
    /// With [`Wait::Never`] an append that needs the device, or a condition checked by reading,
    /// comes back.
    pub fn add(&mut self, mut prepared: Prepared, wait: Wait) -> Verdict {
        if let Some(cause) = self.broken.clone() {
            return self.refuse(prepared.reply, AppendError::Unavailable { cause });
        }
        let len = self.building.len_with(prepared.records_len());
        let is_first = self.building.count == 0;
        if !is_first && (len > self.bounds.batch_bytes_max || !self.fits(len)) {
            return Verdict::Later(prepared);
        }
        match self.check(&mut prepared, wait) {
            Ok(()) => {}
            Err(Refusal::WouldWait) => return Verdict::Later(prepared),
            Err(Refusal::Final(error)) => return self.refuse(prepared.reply, error),
            Err(Refusal::Duplicate(appended)) => {
                self.building.replies.push((prepared.reply, Ok(appended)));
                return Verdict::Taken;
            }
            Err(Refusal::NotYet) => {
                self.deferred.push(prepared);
                return Verdict::Taken;
            }
        }
        if prepared.records.is_empty() {
            return self.answer_check(prepared);
        }
        let has_room = self.fits(len) && self.has_room(len as u64);
        if wait == Wait::Never && !has_room {
            return Verdict::Later(prepared);
        }
        if !self.fits(len) {
            if !self.in_flight.is_empty() {
                return Verdict::Later(prepared);
            }
            if let Err(error) = self.roll(len as u64) {
                return self.refuse(prepared.reply, error);
            }
        }
        if let Err(error) = self.make_room(len as u64) {
            return self.refuse(prepared.reply, error);
        }
        self.stage(prepared);
        Verdict::Taken
    }

    /// Takes the batch to be written; the next one is gathered behind it.
    pub fn take(&mut self) -> Batch {
        let next = Batch::new(self.next.next().get());
        let mut batch = std::mem::replace(&mut self.building, next);
        batch.close();
        self.end += batch.bytes.len() as u64;
        self.in_flight = Arc::new(std::mem::take(&mut batch.bytes));
        batch
    }

    /// Takes no more appends; those staged and not yet being written are refused.
    pub fn break_with(&mut self, cause: &str) {
        let cause = self.broken.get_or_insert_with(|| cause.to_owned()).clone();
        let failure = AppendError::Unavailable { cause };
        std::mem::take(&mut self.building).tell(Some(&failure));
        let deferred = std::mem::take(&mut self.deferred);
        deferred.into_iter().for_each(|prepared| prepared.reply.send(Err(failure.clone())));
    }

    fn fits(&self, len: usize) -> bool {
        self.end == 0 || (self.end + len as u64 <= self.bounds.segment_bytes && !self.roll_next)
    }

    fn refuse(&mut self, reply: Reply, error: AppendError) -> Verdict {
        self.building.replies.push((reply, Err(error)));
        Verdict::Taken
    }

    /// Answers an append that only checks, when what is staged before it is durable.
    fn answer_check(&mut self, prepared: Prepared) -> Verdict {
        let streams = prepared.writes.into_iter().map(|write| WrittenStream {
            stream: write.stream,
            first: write.before.next(),
            last: write.before,
        });
        let streams = streams.collect();
        let appended = Appended { position: self.next, streams, duplicate: false };
        self.building.replies.push((prepared.reply, Ok(appended)));
        Verdict::Taken
    }

    /// Gives every record its place, and the batch the records.
    fn stage(&mut self, mut prepared: Prepared) {
        let at = self.clock.now().max(self.recorded);
        self.recorded = at;
        let mut offset = self.end as u32 + self.building.len_with(0) as u32;
        let mut bytes = prepared.bytes.get_mut(FRAME_HEADER_LEN..).unwrap_or_default();
        let (mut records, mut keys) = (prepared.records.iter(), prepared.keys.as_slice());
        let mut index = self.tail.index_mut();
        let mut streams = Vec::with_capacity(prepared.writes.len());
        for write in prepared.writes {
            let mut revision = write.before;
            for known in records.by_ref().take(write.count) {
                let (record, later) = std::mem::take(&mut bytes).split_at_mut(known.len);
                let (own, later_keys) = keys.split_at(known.key_count);
                (bytes, keys, revision) = (later, later_keys, revision.next());
                self.next = self.next.next();
                seal_record(record, self.next, revision, at);
                if let Some(index) = &mut index {
                    index.add(offset, known.id, revision, own);
                }
                self.building.admit(record);
                offset += known.len as u32;
            }
            self.heads.put(write.key, &prepared.tenant, &write.stream, revision);
            let (stream, first) = (write.stream, write.before.next());
            streams.push(WrittenStream { stream, first, last: revision });
        }
        drop(index);
        self.building.put(prepared.bytes);
        self.building.appends += 1;
        let appended = Appended { position: self.next, streams, duplicate: false };
        self.building.replies.push((prepared.reply, Ok(appended)));
    }

    /// Returns a stream's last revision, staged events included, and remembers it.
    pub(super) fn revision(
        &mut self,
        tenant: &Tenant,
        write: &PreparedWrite,
        wait: Wait,
    ) -> Result<Revision, Refusal> {
        if let Some(revision) = self.heads.get(write.key, tenant, &write.stream) {
            return Ok(revision);
        }
        // Forgotten although staged: the index knows of it, the file does not hold it yet.
        if self.tail.last(write.key, u32::MAX, wait)?.is_some_and(|at| at >= self.tail.end()) {
            return Err(Refusal::NotYet);
        }
        let revision = self.reader.revision(tenant, &write.stream, wait)?;
        self.heads.put(write.key, tenant, &write.stream, revision);
        Ok(revision)
    }
}
