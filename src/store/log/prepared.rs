//! An append made ready on its caller's thread, so that the writer has little left to do.

use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;

use super::glance::Glance;
use super::key::stream_key;
use crate::event::{EventId, NewEvent, StreamId, Tenant, encode_record};
use crate::store::{Append, AppendCondition, AppendError, Appended, Expected};

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
    /// The records, one after the other.
    pub bytes: Vec<u8>,
    /// What the writer must know of each record.
    pub records: Vec<PreparedRecord>,
    /// The index keys of all records.
    pub keys: Vec<u64>,
    /// A condition on the rest of the log.
    pub condition: Option<AppendCondition>,
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
    pub fn new(append: Append, reply: Reply) -> Self {
        let Append { tenant, writes, condition } = append;
        let count: usize = writes.iter().map(|write| write.events.len()).sum();
        let mut prepared = Self {
            tenant,
            writes: Vec::with_capacity(writes.len()),
            bytes: Vec::new(),
            records: Vec::with_capacity(count),
            keys: Vec::with_capacity(count * 3),
            condition,
            reply,
        };
        for write in writes {
            write.events.iter().for_each(|event| prepared.encode(&write.stream, event));
            prepared.add_write(write.stream, write.expected, write.events.len());
        }
        prepared
    }

    fn add_write(&mut self, stream: StreamId, expected: Expected, count: usize) {
        let (category, id) = (stream.category().as_str().as_bytes(), stream.id().as_bytes());
        let key = stream_key(self.tenant.as_str().as_bytes(), category, id);
        self.writes.push(PreparedWrite { stream, key, expected, count });
    }

    fn encode(&mut self, stream: &StreamId, event: &NewEvent) {
        let (start, keys) = (self.bytes.len(), self.keys.len());
        encode_record(&mut self.bytes, &self.tenant, stream, event);
        if let Ok(record) = Glance::unchecked(self.bytes.get(start..).unwrap_or_default()) {
            record.add_keys(&mut self.keys);
        }
        let (len, key_count) = (self.bytes.len() - start, self.keys.len() - keys);
        self.records.push(PreparedRecord { id: event.id, len, key_count });
    }
}
