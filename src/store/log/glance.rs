//! A look at a record's bytes without building an event.

use super::key::{add_event_keys, stream_key};
use crate::event::{EventId, Position, RECORD_HEADER_LEN, RecordError, Revision};
use crate::store::{EventQuery, QueryItem};

/// The parts of a record, read in place; see the record's layout in `event`.
#[derive(Clone, Copy)]
pub struct Glance<'a> {
    record: &'a [u8],
}

impl<'a> Glance<'a> {
    /// Takes the record at the start of `bytes` after checking length and checksum.
    pub fn checked(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let record = Self::unchecked(bytes)?;
        if crc32c::crc32c(record.range(8, record.len())) != record.number(4) {
            return Err(RecordError::Checksum);
        }
        match record.data_at() + record.number(68) as usize == record.len() {
            true => Ok(record),
            false => Err(RecordError::Lengths),
        }
    }

    /// Takes the record at the start of `bytes`, trusting it.
    pub fn unchecked(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let len = crate::event::RecordedEvent::peek_len(bytes)?;
        Ok(Self { record: bytes.get(..len).ok_or(RecordError::Truncated)? })
    }

    /// Returns the bytes of the whole record.
    pub const fn bytes(&self) -> &'a [u8] {
        self.record
    }

    pub const fn len(&self) -> usize {
        self.record.len()
    }

    pub fn position(&self) -> Position {
        Position::new(self.long(8))
    }

    pub fn revision(&self) -> Revision {
        Revision::new(self.long(16))
    }

    pub fn id(&self) -> EventId {
        let id = self.record.get(40..).and_then(|rest| rest.first_chunk());
        EventId::from_bytes(id.copied().unwrap_or_default())
    }

    pub fn tenant(&self) -> &'a [u8] {
        self.range(RECORD_HEADER_LEN, self.category_at())
    }

    pub fn category(&self) -> &'a [u8] {
        self.range(self.category_at(), self.stream_at())
    }

    pub fn stream_id(&self) -> &'a [u8] {
        self.range(self.stream_at(), self.type_at())
    }

    pub fn event_type(&self) -> &'a [u8] {
        self.range(self.type_at(), self.tags_at())
    }

    pub fn tags(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.range(self.tags_at(), self.tags_at() + self.short(64));
        std::iter::from_fn(move || {
            let (len, after) = rest.split_first()?;
            let (tag, after) = after.split_at_checked(usize::from(*len))?;
            rest = after;
            Some(tag)
        })
    }

    /// Returns whether the query matches the event, as [`EventQuery::matches`] would.
    pub fn matches(&self, query: &EventQuery) -> bool {
        query.items.is_empty() || query.items.iter().any(|item| self.matches_item(item))
    }

    /// Returns the key of the event's stream.
    pub fn stream_key(&self) -> u64 {
        stream_key(self.tenant(), self.category(), self.stream_id())
    }

    /// Adds every key under which the index knows the event: stream, id, tags.
    pub fn add_keys(&self, keys: &mut Vec<u64>) {
        add_event_keys(keys, (self.stream_key(), self.id()), self.tenant(), self.tags());
    }

    fn matches_item(&self, item: &QueryItem) -> bool {
        let (category, event_type) = (self.category(), self.event_type());
        (item.categories.is_empty()
            || item.categories.iter().any(|own| own.as_str().as_bytes() == category))
            && (item.types.is_empty()
                || item.types.iter().any(|own| own.as_str().as_bytes() == event_type))
            && item.tags.iter().all(|tag| self.tags().any(|own| own == tag.as_str().as_bytes()))
    }

    fn category_at(&self) -> usize {
        RECORD_HEADER_LEN + self.byte(58)
    }

    fn stream_at(&self) -> usize {
        self.category_at() + self.byte(59)
    }

    fn type_at(&self) -> usize {
        self.stream_at() + self.short(60)
    }

    fn tags_at(&self) -> usize {
        self.type_at() + self.byte(62)
    }

    fn data_at(&self) -> usize {
        self.tags_at() + self.short(64) + self.short(66)
    }

    fn range(&self, from: usize, to: usize) -> &'a [u8] {
        self.record.get(from..to).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> usize {
        self.record.get(at).copied().map_or(0, usize::from)
    }

    fn short(&self, at: usize) -> usize {
        self.byte(at) | self.byte(at + 1) << 8
    }

    fn number(&self, at: usize) -> u32 {
        super::frame::number(self.record, at)
    }

    fn long(&self, at: usize) -> u64 {
        u64::from(self.number(at)) | u64::from(self.number(at + 4)) << 32
    }
}
