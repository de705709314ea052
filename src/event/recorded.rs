//! An event as stored: raw, and typed.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;

use super::record::{
    self, Layout, check_record, given_time, header_time, metadata_of, record_len, texts, word,
};
use super::{
    EventId, Metadata, Moment, NameError, Position, RecordError, Revision, StreamId, Tenant,
};

/// An event in the log, with its places and times; one shared run of bytes, cheap to clone.
///
/// Accessors read from the bytes, so an event that is only passed on is never taken apart.
#[derive(Clone)]
pub struct RecordedEvent {
    record: Bytes,
    layout: Layout,
}

impl RecordedEvent {
    /// Reads the record at the start of `bytes` and shares its memory.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are cut short, damaged or not a record.
    pub fn parse(bytes: &Bytes) -> Result<Self, RecordError> {
        let (len, layout) = check_record(bytes)?;
        Ok(Self { record: bytes.slice(..len), layout })
    }

    /// Reads the record at the start of `bytes`, moves `bytes` behind it, shares its memory.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are cut short, damaged or not a record.
    pub fn split_from(bytes: &mut Bytes) -> Result<Self, RecordError> {
        let (len, layout) = check_record(bytes)?;
        Ok(Self { record: bytes.split_to(len), layout })
    }

    /// Returns the length that the record at the start of `bytes` states, unchecked otherwise.
    ///
    /// # Errors
    /// [`RecordError`] when there are too few bytes for a record of that length.
    pub fn peek_len(bytes: &[u8]) -> Result<usize, RecordError> {
        record_len(bytes)
    }

    /// Returns the same event in memory of its own.
    ///
    /// An event shares the memory of all that was read with it, and keeps it: who keeps few of
    /// many for long takes them out.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { record: Bytes::copy_from_slice(&self.record), layout: self.layout }
    }

    /// Returns the whole record.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.record
    }

    /// Returns the place in the log.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::new(u64::from_le_bytes(word(&self.record, 8)))
    }

    /// Returns the place in the stream.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision::new(u64::from_le_bytes(word(&self.record, 16)))
    }

    /// Returns when it happened in the world, to the microsecond;
    /// [`moment`](Self::moment) says it as it was given.
    #[must_use]
    pub fn occurred_at(&self) -> Timestamp {
        self.time(24)
    }

    /// Returns when it happened in the world, as it was given.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let text = given_time(self.part(self.layout.tags, self.layout.metadata));
        Moment::of_record(self.occurred_at(), text)
    }

    /// Returns when the store recorded it.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.time(32)
    }

    /// Returns the identity.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId::from_bytes(word(&self.record, 40))
    }

    /// Returns the generation of the data's shape.
    #[must_use]
    pub fn version(&self) -> u16 {
        u16::from_le_bytes(word(&self.record, 56))
    }

    /// Returns the tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.text(record::RECORD_HEADER_LEN as u32, self.layout.tenant)
    }

    /// Returns the category's name.
    #[must_use]
    pub fn category(&self) -> &str {
        self.text(self.layout.tenant, self.layout.category)
    }

    /// Returns the id of the stream inside its category.
    #[must_use]
    pub fn stream_id(&self) -> &str {
        self.text(self.layout.category, self.layout.id)
    }

    /// Returns what kind of thing happened.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.text(self.layout.id, self.layout.event_type)
    }

    /// Returns the tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        texts(self.part(self.layout.event_type, self.layout.tags))
    }

    /// Returns whether the event has the tag.
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags().any(|own| own == tag)
    }

    /// Returns the metadata, taken apart anew at each call.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        metadata_of(self.part(self.layout.tags, self.layout.metadata))
    }

    /// Returns the JSON bytes as they were appended.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.part(self.layout.metadata, self.record.len() as u32)
    }

    /// Returns the tenant as an owned name.
    ///
    /// # Errors
    /// [`NameError`] when another program wrote a name that this one does not allow.
    pub fn tenant_name(&self) -> Result<Tenant, NameError> {
        Tenant::new(self.tenant())
    }

    /// Returns the stream as an owned name.
    ///
    /// # Errors
    /// [`NameError`] when another program wrote a name that this one does not allow.
    pub fn stream(&self) -> Result<StreamId, NameError> {
        StreamId::new(self.category(), self.stream_id())
    }

    fn time(&self, at: usize) -> Timestamp {
        header_time(&self.record, at).unwrap_or_default()
    }

    fn text(&self, from: u32, to: u32) -> &str {
        std::str::from_utf8(self.part(from, to)).unwrap_or_default()
    }

    fn part(&self, from: u32, to: u32) -> &[u8] {
        self.record.get(from as usize..to as usize).unwrap_or_default()
    }
}

impl fmt::Debug for RecordedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedEvent")
            .field("position", &self.position())
            .field("stream", &format_args!("{}/{}", self.category(), self.stream_id()))
            .field("revision", &self.revision())
            .field("event_type", &self.event_type())
            .finish_non_exhaustive()
    }
}

impl PartialEq for RecordedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record
    }
}

impl Serialize for RecordedEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let data: &RawValue = serde_json::from_slice(self.data()).map_err(S::Error::custom)?;
        let mut out = serializer.serialize_struct("RecordedEvent", 13)?;
        out.serialize_field("position", &self.position())?;
        out.serialize_field("id", &self.id())?;
        out.serialize_field("tenant", self.tenant())?;
        out.serialize_field("category", self.category())?;
        out.serialize_field("stream", self.stream_id())?;
        out.serialize_field("revision", &self.revision())?;
        out.serialize_field("type", self.event_type())?;
        out.serialize_field("version", &self.version())?;
        out.serialize_field("occurred_at", &self.moment())?;
        out.serialize_field("recorded_at", &self.recorded_at())?;
        out.serialize_field("tags", &self.tags().collect::<Vec<_>>())?;
        out.serialize_field("metadata", &self.metadata())?;
        out.serialize_field("data", data)?;
        out.end()
    }
}

/// A stored event with its data decoded; the rest is read through [`RecordedEvent`].
#[derive(Clone, Debug)]
pub struct Recorded<E> {
    /// What happened.
    pub data: E,
    raw: RecordedEvent,
}

impl<E> Recorded<E> {
    /// Joins a stored event with its decoded data.
    #[must_use]
    pub const fn new(data: E, raw: RecordedEvent) -> Self {
        Self { data, raw }
    }

    /// Returns the event as stored.
    #[must_use]
    pub const fn raw(&self) -> &RecordedEvent {
        &self.raw
    }
}

impl<E> Deref for Recorded<E> {
    type Target = RecordedEvent;

    fn deref(&self) -> &RecordedEvent {
        &self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NewEvent, Tag, encode_record, seal_record};
    use super::*;

    fn record() -> Bytes {
        let mut event = NewEvent::json("Placed", 2, r#"{"a":1}"#).unwrap();
        event.tags = vec![Tag::new("customer:7").unwrap(), Tag::new("x").unwrap()];
        event.metadata.who = Some("ada".into());
        let mut out = Vec::new();
        let stream = StreamId::new("order", "536365").unwrap();
        encode_record(&mut out, &Tenant::new("shop").unwrap(), &stream, &event);
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        seal_record(&mut out, Position::new(9), Revision::new(3), at);
        out.into()
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let event = RecordedEvent::parse(&record()).unwrap();
        assert_eq!((event.position().get(), event.revision().get()), (9, 3));
        assert_eq!((event.tenant(), event.category()), ("shop", "order"));
        assert_eq!((event.stream_id(), event.event_type()), ("536365", "Placed"));
        assert_eq!(event.tags().collect::<Vec<_>>(), ["customer:7", "x"]);
        assert_eq!(event.metadata().who.as_deref(), Some("ada"));
        assert_eq!(event.data(), br#"{"a":1}"#);
        assert_eq!(event.version(), 2);
        assert_eq!(event.occurred_at(), event.recorded_at());
    }

    /// A record whose further fields are those given, sealed.
    fn with_fields(fields: &[(u8, &str)]) -> Bytes {
        let mut old = record().to_vec();
        let layout = check_record(&old).unwrap().1;
        let mut bytes = Vec::new();
        for (number, text) in fields {
            bytes.push(*number);
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        let len = u16::from_le_bytes(word(&old, 66)) + u16::try_from(bytes.len()).unwrap();
        old[66..68].copy_from_slice(&len.to_le_bytes());
        old.splice(layout.metadata as usize..layout.metadata as usize, bytes);
        let len = u32::try_from(old.len()).unwrap();
        old[..4].copy_from_slice(&len.to_le_bytes());
        seal_record(&mut old, Position::new(9), Revision::new(3), Timestamp::UNIX_EPOCH);
        old.into()
    }

    #[test]
    fn a_moment_is_kept_as_it_was_given() {
        for text in ["2010-12-01T08:26:00.1234567890+01:00", "2016-12-31T23:59:60Z"] {
            let mut event = NewEvent::json("Placed", 2, r#"{"a":1}"#).unwrap();
            event.metadata.idempotency_key = Some("é".repeat(100));
            let event = event.with_occurred_at(text.parse::<Moment>().unwrap());
            let mut out = Vec::new();
            let stream = StreamId::new("order", "1").unwrap();
            encode_record(&mut out, &Tenant::new("shop").unwrap(), &stream, &event);
            seal_record(&mut out, Position::FIRST, Revision::FIRST, Timestamp::UNIX_EPOCH);
            let found = RecordedEvent::parse(&out.into()).unwrap();
            assert_eq!(Some(found.moment()), event.occurred_at);
            assert_eq!(serde_json::to_value(&found).unwrap()["occurred_at"], text);
            assert_eq!((found.metadata(), found.data()), (event.metadata.clone(), &**event.data()));
        }
    }

    #[test]
    fn fields_that_are_not_known_are_kept_and_skipped() {
        let long = "é".repeat(256);
        let fields = [(1, "2010-12-01T08:26:00+01:00"), (2, "7"), (3, &*long), (127, "later")];
        let bytes = with_fields(&fields);
        let event = RecordedEvent::parse(&bytes).unwrap();
        assert_eq!(event.as_bytes(), &bytes);
        assert_eq!(event.moment().to_string(), "2010-12-01T08:26:00+01:00");
        assert_eq!(
            (event.metadata().who.as_deref(), event.data()),
            (Some("ada"), &br#"{"a":1}"#[..])
        );
        let unknown = RecordedEvent::parse(&with_fields(&[(9, &long), (10, "")])).unwrap();
        assert_eq!(unknown.moment(), unknown.occurred_at().into());
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = record();
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(RecordedEvent::parse(&bad.into()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_found() {
        let good = record();
        for len in 0..good.len() {
            assert!(RecordedEvent::parse(&good.slice(..len)).is_err(), "length {len}");
        }
    }
}
