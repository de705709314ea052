//! An append made ready on its caller's thread, so that the writer has little left to do.

use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;

use super::frame::FRAME_HEADER_LEN;
use super::key::{add_event_keys, stream_key};
use super::memory_index::is_ordered;
use crate::event::{EventId, NewEvent, Revision, StreamId, Tenant, encode_record};
use crate::store::condition::Examined;
use crate::store::{Append, AppendError, Appended, Expected, StreamWrite};

/// Bytes of a record besides its data, about.
const RECORD_GUESS: usize = 160;

/// What an append comes to.
pub type Outcome = Result<Appended, AppendError>;

/// Where an append's outcome goes; nobody may be there any more to take it.
pub enum Reply {
    /// To a task.
    Task(oneshot::Sender<Outcome>),
    /// To a thread that waits.
    Thread(SyncSender<Outcome>),
}

impl Reply {
    /// Gives the outcome to whoever waits for it.
    pub fn send(self, outcome: Outcome) {
        // A caller that has gone away does not want to know.
        match self {
            Self::Task(sender) => drop(sender.send(outcome)),
            Self::Thread(sender) => drop(sender.try_send(outcome)),
        }
    }
}

/// An append with its records encoded, all but places, time and checksum.
pub struct Prepared {
    /// Who owns the events.
    pub tenant: Tenant,
    /// The streams.
    pub writes: Vec<PreparedWrite>,
    /// Room for a frame's header and the records, one after the other.
    pub bytes: Vec<u8>,
    /// What the writer must know of each record.
    pub records: Vec<PreparedRecord>,
    /// The index keys of all records.
    pub keys: Vec<u64>,
    /// The first id if all are time-ordered and ascend; then none occurs twice.
    pub ascending_from: Option<EventId>,
    /// A condition on the rest of the log, as far as it was examined.
    pub condition: Option<Box<Examined>>,
    /// Where the outcome goes.
    pub reply: Reply,
}

/// A stream of a [`Prepared`] append.
pub struct PreparedWrite {
    /// The stream.
    pub stream: StreamId,
    /// Its index key.
    pub key: u64,
    /// What it must be like before.
    pub expected: Expected,
    /// Its last revision before, once the writer has looked.
    pub before: Revision,
    /// Number of its records.
    pub count: usize,
}

/// A record of a [`Prepared`] append.
#[derive(Clone, Copy)]
pub struct PreparedRecord {
    /// The event's id.
    pub id: EventId,
    /// Bytes of the record.
    pub len: usize,
    /// Number of its index keys.
    pub key_count: usize,
}

impl Prepared {
    /// Encodes an append that holds its bounds.
    pub fn new(append: Append, condition: Option<Examined>, reply: Reply) -> Self {
        let Append { tenant, writes, .. } = append;
        let events = || writes.iter().flat_map(|write| &write.events);
        let (count, data_len) =
            (events().count(), events().map(|event| event.data().len()).sum::<usize>());
        let mut bytes = Vec::with_capacity(FRAME_HEADER_LEN + data_len + count * RECORD_GUESS);
        bytes.resize(FRAME_HEADER_LEN, 0);
        let mut prepared = Self {
            tenant,
            writes: Vec::with_capacity(writes.len()),
            bytes,
            records: Vec::with_capacity(count),
            keys: Vec::with_capacity(count * 3),
            ascending_from: ascending_from(events().map(|event| event.id)),
            condition: condition.map(Box::new),
            reply,
        };
        for write in writes {
            let (category, id) = (write.stream.category().as_str(), write.stream.id());
            let tenant = prepared.tenant.as_str().as_bytes();
            let key = stream_key(tenant, category.as_bytes(), id.as_bytes());
            write.events.iter().for_each(|event| prepared.encode(&write.stream, key, event));
            let (count, before) = (write.events.len(), Revision::ZERO);
            let StreamWrite { stream, expected, .. } = write;
            prepared.writes.push(PreparedWrite { stream, key, expected, before, count });
        }
        prepared
    }

    /// Returns the bytes of the records.
    pub const fn records_len(&self) -> usize {
        self.bytes.len() - FRAME_HEADER_LEN
    }

    fn encode(&mut self, stream: &StreamId, key: u64, event: &NewEvent) {
        let (start, keys) = (self.bytes.len(), self.keys.len());
        encode_record(&mut self.bytes, &self.tenant, stream, event);
        let tags = event.tags.iter().map(|tag| tag.as_str().as_bytes());
        let tenant = self.tenant.as_str().as_bytes();
        add_event_keys(&mut self.keys, (key, event.id), tenant, tags);
        let (len, key_count) = (self.bytes.len() - start, self.keys.len() - keys);
        self.records.push(PreparedRecord { id: event.id, len, key_count });
    }
}

/// Returns the first id if all are time-ordered and each is greater than the one before.
fn ascending_from(mut ids: impl Iterator<Item = EventId>) -> Option<EventId> {
    let first = ids.next().filter(|id| is_ordered(*id))?;
    let mut last = first;
    ids.all(|id| is_ordered(id) && std::mem::replace(&mut last, id) < id).then_some(first)
}
