//! A group commit while it is gathered: its bytes, and who waits for it.

use super::frame::{FRAME_HEADER_LEN, FrameHeader, add_to_checksum};
use super::glance::Glance;
use super::prepared::{Outcome, Reply};
use crate::store::AppendError;

/// A frame that is being filled, and the outcomes that wait for it to be durable.
#[derive(Default)]
pub struct Batch {
    /// Frame header (still open) and sealed records; empty while there is no record.
    pub bytes: Vec<u8>,
    /// Position of the first record.
    pub base: u64,
    /// Number of records.
    pub count: u32,
    /// Number of appends that are stored by it.
    pub appends: u64,
    /// Outcomes to be told afterwards, refusals among them.
    pub replies: Vec<(Reply, Outcome)>,
    checksum: u32,
}

impl Batch {
    /// Starts a batch whose first record gets the position `base`.
    pub fn new(base: u64) -> Self {
        Self { base, ..Self::default() }
    }

    /// Returns whether there is neither a record nor an outcome.
    pub const fn is_idle(&self) -> bool {
        self.count == 0 && self.replies.is_empty()
    }

    /// Returns the bytes of the frame with `more` bytes of records added.
    pub const fn len_with(&self, more: usize) -> usize {
        let head = if self.bytes.is_empty() { FRAME_HEADER_LEN } else { 0 };
        self.bytes.len() + head + more
    }

    /// Takes a sealed record into account; [`Batch::put`] gets its bytes with its append's others.
    pub fn admit(&mut self, record: &[u8]) {
        self.checksum = add_to_checksum(self.checksum, record);
        self.count += 1;
    }

    /// Puts an append's records, which lie behind room for a frame's header, at the end.
    pub fn put(&mut self, bytes: Vec<u8>) {
        match self.bytes.is_empty() {
            // The first append's buffer becomes the batch's: a large one is never copied.
            true => self.bytes = bytes,
            false => {
                self.bytes.extend_from_slice(bytes.get(FRAME_HEADER_LEN..).unwrap_or_default())
            }
        }
    }

    /// Writes the header over its place.
    pub fn close(&mut self) {
        let body_len = self.bytes.len().saturating_sub(FRAME_HEADER_LEN) as u32;
        let (base, count, body_checksum) = (self.base, self.count, self.checksum);
        let header = FrameHeader { base, count, body_len, body_checksum };
        if let Some(place) = self.bytes.get_mut(..FRAME_HEADER_LEN) {
            place.copy_from_slice(&header.encode());
        }
    }

    /// Tells everybody their outcome; `failure` takes the place of what would have been stored.
    pub fn tell(self, failure: Option<&AppendError>) {
        for (reply, outcome) in self.replies {
            reply.send(match (failure, outcome) {
                (Some(failure), Ok(appended)) if !appended.duplicate => Err(failure.clone()),
                (_, outcome) => outcome,
            });
        }
    }
}

/// Walks the records of a frame.
pub fn records(frame: &[u8]) -> impl Iterator<Item = Glance<'_>> {
    let mut rest = frame.get(FRAME_HEADER_LEN..).unwrap_or_default();
    std::iter::from_fn(move || {
        let record = Glance::unchecked(rest).ok()?;
        rest = rest.get(record.len()..).unwrap_or_default();
        Some(record)
    })
}
