//! An append made ready on its caller's thread, so that the appender has little left to do.

use std::collections::HashSet;

use tokio::sync::oneshot;

use crate::event::{EventId, EventType, NewEvent, StreamId, Tag, Tenant, encode_record};
use crate::store::condition::Examined;
use crate::store::{Append, AppendError, Appended, Expected, QueryItem, StoreLimits};

/// What an append comes to.
pub(super) type Outcome = Result<Appended, AppendError>;

/// An append with its records encoded, all but places and time.
pub(super) struct Prepared {
    pub tenant: Tenant,
    pub writes: Vec<PreparedWrite>,
    pub events: Vec<PreparedEvent>,
    /// The records, one after the other.
    pub bytes: Vec<u8>,
    /// As far as it was examined.
    pub condition: Option<Examined>,
    /// Whether it was sent in a batch of which no answer came.
    pub may_be_stored: bool,
    pub reply: oneshot::Sender<Outcome>,
}

/// A stream of a [`Prepared`] append.
pub(super) struct PreparedWrite {
    pub stream: StreamId,
    pub expected: Expected,
    /// Number of its events.
    pub count: usize,
}

/// What the statement must know of an event besides its record.
pub(super) struct PreparedEvent {
    pub id: EventId,
    pub event_type: EventType,
    pub tags: Vec<Tag>,
    /// Bytes of its record.
    pub len: usize,
}

impl Prepared {
    /// Checks and encodes an append.
    pub fn new(
        append: Append,
        condition: Option<Examined>,
        limits: &StoreLimits,
        reply: oneshot::Sender<Outcome>,
    ) -> Result<Self, AppendError> {
        limits.check(&append)?;
        check_ids(&append)?;
        let count = append.event_count();
        let Append { tenant, writes, .. } = append;
        let mut prepared = Self {
            tenant,
            writes: Vec::with_capacity(writes.len()),
            events: Vec::with_capacity(count),
            bytes: Vec::new(),
            condition,
            may_be_stored: false,
            reply,
        };
        for write in writes {
            let (stream, expected, count) = (write.stream, write.expected, write.events.len());
            write.events.into_iter().for_each(|event| prepared.encode(&stream, event));
            prepared.writes.push(PreparedWrite { stream, expected, count });
        }
        Ok(prepared)
    }

    fn encode(&mut self, stream: &StreamId, event: NewEvent) {
        let start = self.bytes.len();
        encode_record(&mut self.bytes, &self.tenant, stream, &event);
        let record = self.bytes.get_mut(start..).unwrap_or_default();
        stamp(record);
        let len = record.len();
        let mut tags = event.tags;
        tags.sort_unstable();
        tags.dedup();
        self.events.push(PreparedEvent { id: event.id, event_type: event.event_type, tags, len });
    }

    /// Returns each event with its write, in order.
    pub fn events(&self) -> impl Iterator<Item = (&PreparedWrite, &PreparedEvent)> {
        let writes = self.writes.iter().flat_map(|write| std::iter::repeat_n(write, write.count));
        writes.zip(&self.events)
    }

    /// Returns the ids of its events, each with the tenant to whom it belongs.
    pub fn ids(&self) -> impl Iterator<Item = (Tenant, EventId)> {
        self.events.iter().map(|event| (self.tenant.clone(), event.id))
    }

    /// Returns the records of its events, in order.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.events.iter().scan(self.bytes.as_slice(), |rest, event| {
            let (record, later) = rest.split_at_checked(event.len)?;
            *rest = later;
            Some(record)
        })
    }

    /// Returns whether an event of it is one that its tenant's `condition` looks for.
    pub fn is_sought(
        &self,
        condition: &Examined,
        (write, event): (&PreparedWrite, &PreparedEvent),
    ) -> bool {
        let items = &condition.query.items;
        items.is_empty() || items.iter().any(|item| matches(item, write, event))
    }
}

fn matches(item: &QueryItem, write: &PreparedWrite, event: &PreparedEvent) -> bool {
    (item.categories.is_empty() || item.categories.contains(write.stream.category()))
        && (item.types.is_empty() || item.types.contains(&event.event_type))
        && item.tags.iter().all(|tag| event.tags.contains(tag))
}

/// Puts a checksum into a record that has no place yet, so that damage on the way is noticed.
fn stamp(record: &mut [u8]) {
    let checksum = crc32c::crc32c(record.get(8..).unwrap_or_default());
    if let Some(place) = record.get_mut(4..8) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Returns whether a record is as it was stamped.
pub(super) fn is_as_stamped(record: &[u8]) -> bool {
    let found = record.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    found == record.get(8..).map(crc32c::crc32c)
}

fn check_ids(append: &Append) -> Result<(), AppendError> {
    let mut seen = HashSet::new();
    let mut events = append.writes.iter().flat_map(|write| &write.events);
    match events.find(|event| !seen.insert(event.id)) {
        Some(event) => Err(AppendError::Invalid(format!("event id {} occurs twice", event.id))),
        None => Ok(()),
    }
}
