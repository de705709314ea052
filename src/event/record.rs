//! How one event lies in bytes: the record, the same for every engine that keeps bytes.
//!
//! All numbers are little-endian. The checksum is CRC-32C (Castagnoli) over everything that
//! follows it, so a record proves itself wherever it lies. Texts are UTF-8 without a final
//! zero.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | length of the whole record |
//! | 4 | 4 | CRC-32C of the bytes from offset 8 to the end |
//! | 8 | 8 | position |
//! | 16 | 8 | revision |
//! | 24 | 8 | occurred at, microseconds since 1970-01-01 UTC |
//! | 32 | 8 | recorded at, likewise |
//! | 40 | 16 | event id |
//! | 56 | 2 | version of the event's shape |
//! | 58 | 1 | length of tenant |
//! | 59 | 1 | length of category |
//! | 60 | 2 | length of stream id |
//! | 62 | 1 | length of event type |
//! | 63 | 1 | number of tags |
//! | 64 | 2 | length of all tags |
//! | 66 | 2 | length of metadata |
//! | 68 | 4 | length of data |
//! | 72 | | tenant, category, stream id, event type, tags, metadata, data |
//!
//! A tag is a length byte and its text. Metadata is six texts (correlation, causation,
//! traceparent, who, idempotency key, command hash), each a length byte and its text; length
//! 0 means absent. Behind them may stand further fields, ascending by number: the number (1
//! byte, below 128), the length (2) and the text. A reader keeps and skips a number that it does
//! not know. Records of format 1 have none.
//!
//! | number | field |
//! |---|---|
//! | 1 | occurred at as it was given, RFC 3339, where the header does not say it wholly |
//! | 2 | reserved: causation depth, in decimal |
//! | 3 | reserved: W3C `tracestate`, at most 512 bytes |

use jiff::Timestamp;

use super::{Metadata, Moment, NewEvent, Position, Revision, StreamId, Tenant};

/// The bytes of a record before its texts.
pub const RECORD_HEADER_LEN: usize = 72;

const TIME_UNKNOWN: i64 = i64::MIN;

/// The further field that holds a moment as it was given.
const OCCURRED_AT: u8 = 1;
/// The bytes of a further field before its text.
const FIELD_HEADER_LEN: usize = 3;

/// Says why bytes are not a record; an operator must look at the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There are fewer bytes than the record says it has.
    #[error("record is cut short")]
    Truncated,
    /// The stated lengths do not add up.
    #[error("record lengths do not add up")]
    Lengths,
    /// The checksum does not hold.
    #[error("record checksum does not hold")]
    Checksum,
    /// A text is not UTF-8.
    #[error("record holds text that is not utf-8")]
    Text,
}

/// Appends the record of an event to `out`, with places, times and checksum still open.
///
/// The event must hold its bounds ([`NewEvent::check`]). Close it with [`seal_record`].
pub fn encode_record(out: &mut Vec<u8>, tenant: &Tenant, stream: &StreamId, event: &NewEvent) {
    let start = out.len();
    let tags_len: usize = event.tags.iter().map(|tag| tag.as_str().len() + 1).sum();
    let fields = event.metadata.fields();
    let metadata_len: usize = fields.iter().map(|(_, text)| text.map_or(0, str::len) + 1).sum();
    let given = event.occurred_at.as_ref().and_then(Moment::beyond_microsecond);
    let metadata_len = metadata_len + given.map_or(0, |text| FIELD_HEADER_LEN + text.len());
    let occurred_at = event.occurred_at.as_ref().map(Moment::instant);
    let occurred_at = occurred_at.map_or(TIME_UNKNOWN, Timestamp::as_microsecond);
    let names_len = [tenant.as_str(), stream.category().as_str(), stream.id()].map(str::len);
    let names_len = names_len.iter().sum::<usize>() + event.event_type.as_str().len();
    out.reserve(RECORD_HEADER_LEN + names_len + tags_len + metadata_len + event.data().len());
    out.extend_from_slice(&[0; 24]);
    out.extend_from_slice(&occurred_at.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&event.id.to_bytes());
    out.extend_from_slice(&event.version.to_le_bytes());
    out.push(byte(tenant.as_str().len()));
    out.push(byte(stream.category().as_str().len()));
    out.extend_from_slice(&short(stream.id().len()).to_le_bytes());
    out.push(byte(event.event_type.as_str().len()));
    out.push(byte(event.tags.len()));
    out.extend_from_slice(&short(tags_len).to_le_bytes());
    out.extend_from_slice(&short(metadata_len).to_le_bytes());
    out.extend_from_slice(&long(event.data().len()).to_le_bytes());
    out.extend_from_slice(tenant.as_str().as_bytes());
    out.extend_from_slice(stream.category().as_str().as_bytes());
    out.extend_from_slice(stream.id().as_bytes());
    out.extend_from_slice(event.event_type.as_str().as_bytes());
    for tag in &event.tags {
        push_text(out, tag.as_str());
    }
    for (_, text) in fields {
        push_text(out, text.unwrap_or_default());
    }
    if let Some(text) = given {
        out.push(OCCURRED_AT);
        out.extend_from_slice(&short(text.len()).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(event.data());
    let len = long(out.len() - start);
    put(out.get_mut(start..).unwrap_or_default(), 0, &len.to_le_bytes());
}

/// Closes a record made by [`encode_record`]: places, recorded time, checksum.
///
/// An event without a time of its own gets the recorded one.
pub fn seal_record(record: &mut [u8], position: Position, revision: Revision, at: Timestamp) {
    let at = at.as_microsecond();
    put(record, 8, &position.get().to_le_bytes());
    put(record, 16, &revision.get().to_le_bytes());
    if i64::from_le_bytes(word(record, 24)) == TIME_UNKNOWN {
        put(record, 24, &at.to_le_bytes());
    }
    put(record, 32, &at.to_le_bytes());
    let checksum = crc32c::crc32c(record.get(8..).unwrap_or_default());
    put(record, 4, &checksum.to_le_bytes());
}

/// Where the parts of a record end; each part starts where the one before it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub tenant: u32,
    pub category: u32,
    pub id: u32,
    pub event_type: u32,
    pub tags: u32,
    pub metadata: u32,
}

/// Checks the record at the start of `bytes` and returns its length and layout.
pub(super) fn check_record(bytes: &[u8]) -> Result<(usize, Layout), RecordError> {
    let len = record_len(bytes)?;
    let record = bytes.get(..len).ok_or(RecordError::Truncated)?;
    let checksum = u32::from_le_bytes(word(record, 4));
    if crc32c::crc32c(record.get(8..).unwrap_or_default()) != checksum {
        return Err(RecordError::Checksum);
    }
    let layout = layout_of(record)?;
    check_texts(record, &layout)?;
    Ok((len, layout))
}

/// Checks that every text is UTF-8 and ends where its part ends.
///
/// Names are checked in one go. Tags and metadata too when no text has 128 bytes or more:
/// length bytes below that are ASCII, so whole runs of them are UTF-8 if the texts are. A
/// longer text makes its length byte no UTF-8 at all, and then each is checked alone.
/// Numbers of further fields are below 128 for the same reason.
fn check_texts(record: &[u8], layout: &Layout) -> Result<(), RecordError> {
    let part = |from: usize, to: u32| record.get(from..to as usize).ok_or(RecordError::Lengths);
    if std::str::from_utf8(part(RECORD_HEADER_LEN, layout.metadata)?).is_ok() {
        return Ok(());
    }
    let names = part(RECORD_HEADER_LEN, layout.event_type)?;
    std::str::from_utf8(names).map_err(|_| RecordError::Text)?;
    let mut tags = part(layout.event_type as usize, layout.tags)?;
    while !tags.is_empty() {
        tags = check_text(tags, 1)?;
    }
    let mut metadata = part(layout.tags as usize, layout.metadata)?;
    for _ in 0..Metadata::FIELD_COUNT {
        metadata = check_text(metadata, 1)?;
    }
    while let Some((_number, field)) = metadata.split_first() {
        metadata = check_text(field, 2)?;
    }
    Ok(())
}

/// Checks the text at the start of `bytes`, behind its length of so many bytes, and returns what
/// follows it.
fn check_text(bytes: &[u8], len_bytes: usize) -> Result<&[u8], RecordError> {
    let (len, rest) = bytes.split_at_checked(len_bytes).ok_or(RecordError::Lengths)?;
    let len = len.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (text, rest) = rest.split_at_checked(len).ok_or(RecordError::Lengths)?;
    std::str::from_utf8(text).map_err(|_| RecordError::Text)?;
    Ok(rest)
}

/// Returns the length that the record at the start of `bytes` states.
pub(super) fn record_len(bytes: &[u8]) -> Result<usize, RecordError> {
    let len = u32::from_le_bytes(*bytes.first_chunk().ok_or(RecordError::Truncated)?) as usize;
    match len {
        0..RECORD_HEADER_LEN => Err(RecordError::Lengths),
        _ if len > bytes.len() => Err(RecordError::Truncated),
        _ => Ok(len),
    }
}

pub(super) fn layout_of(record: &[u8]) -> Result<Layout, RecordError> {
    let byte_at = |at| u32::from(u8::from_le_bytes(word(record, at)));
    let short_at = |at| u32::from(u16::from_le_bytes(word(record, at)));
    let tenant = RECORD_HEADER_LEN as u32 + byte_at(58);
    let category = tenant + byte_at(59);
    let id = category + short_at(60);
    let event_type = id + byte_at(62);
    let tags = event_type + short_at(64);
    let metadata = tags + short_at(66);
    let end = u64::from(metadata) + u64::from(u32::from_le_bytes(word(record, 68)));
    if end != record.len() as u64 {
        return Err(RecordError::Lengths);
    }
    Ok(Layout { tenant, category, id, event_type, tags, metadata })
}

/// Reads `N` bytes at an offset; zeros where there are none.
pub(super) fn word<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    record.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

/// Splits `bytes` into its texts, each after its length byte.
pub(super) fn texts(mut bytes: &[u8]) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (len, rest) = bytes.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(*len))?;
        bytes = rest;
        Some(std::str::from_utf8(text).unwrap_or_default())
    })
}

/// Reads metadata from its bytes.
pub(super) fn metadata_of(bytes: &[u8]) -> Metadata {
    let mut texts = texts(bytes).map(|text| (!text.is_empty()).then(|| text.to_owned()));
    Metadata::from_fields(std::array::from_fn(|_| texts.next().flatten()))
}

/// Returns when an event happened as it was given, if its metadata holds that.
pub(super) fn given_time(metadata: &[u8]) -> Option<&str> {
    let mut rest = metadata;
    for _ in 0..Metadata::FIELD_COUNT {
        let (len, texts) = rest.split_first()?;
        rest = texts.get(usize::from(*len)..)?;
    }
    while let Some(([number, low, high], fields)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_le_bytes([*low, *high]));
        let (text, later) = fields.split_at_checked(len)?;
        if *number == OCCURRED_AT {
            return std::str::from_utf8(text).ok();
        }
        rest = later;
    }
    None
}

/// Reads a time of the header; `None` when it is still open.
pub(super) fn header_time(record: &[u8], at: usize) -> Option<Timestamp> {
    match i64::from_le_bytes(word(record, at)) {
        TIME_UNKNOWN => None,
        micros => Some(Timestamp::from_microsecond(micros).unwrap_or_default()),
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(byte(text.len()));
    out.extend_from_slice(text.as_bytes());
}

fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = record.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

// The names and metadata were checked against bounds below these limits, so nothing is cut.
fn byte(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

fn long(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
