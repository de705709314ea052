//! The frame around the records of one group commit.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic; its last byte is the format |
//! | 8 | 8 | position of the first record; of the next one in an end mark |
//! | 16 | 4 | number of records; 0 in an end mark |
//! | 20 | 4 | bytes of the records |
//! | 24 | 4 | CRC-32C of the heads (length and checksum) of all records |
//! | 28 | 4 | CRC-32C of the bytes before |
//! | 32 | 4 | closing magic |
//!
//! The byte 0xFF never occurs in UTF-8, so no event's text can look like a frame; as a
//! length the first four bytes would be over two thousand million, so no record looks like one.
//! The first and the last byte are never zero: a sector of a frame that reads as zeros was
//! never written.

/// The bytes of a frame before its records.
pub const FRAME_HEADER_LEN: usize = 36;

const MAGIC: [u8; 8] = [0xFF, b'h', b'w', b'f', b'r', b'm', 0xFF, 1];
const CLOSING: [u8; 4] = [0xFF, b'h', b'w', 0xFF];
const RECORD_HEAD_LEN: usize = 8;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Position of the first record; in an end mark, of the next record to come.
    pub base: u64,
    /// Number of records; 0 makes the frame an end mark.
    pub count: u32,
    /// Bytes of the records.
    pub body_len: u32,
    /// Checksum over the heads of the records.
    pub body_checksum: u32,
}

impl FrameHeader {
    /// Makes the mark that says: everything before me was written whole.
    pub const fn end_mark(next: u64) -> Self {
        Self { base: next, count: 0, body_len: 0, body_checksum: 0 }
    }

    /// Returns the bytes.
    pub fn encode(&self) -> [u8; FRAME_HEADER_LEN] {
        let mut bytes = Vec::with_capacity(FRAME_HEADER_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.base.to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.body_len.to_le_bytes());
        bytes.extend_from_slice(&self.body_checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&CLOSING);
        bytes.first_chunk().copied().unwrap_or([0; FRAME_HEADER_LEN])
    }

    /// Reads a header; `None` when the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FRAME_HEADER_LEN] = bytes.first_chunk()?;
        let (checked, rest) = bytes.split_at(28);
        let is_whole = bytes.starts_with(&MAGIC)
            && rest.ends_with(&CLOSING)
            && number(rest, 0) == crc32c::crc32c(checked);
        is_whole.then(|| Self {
            base: u64::from(number(checked, 8)) | u64::from(number(checked, 12)) << 32,
            count: number(checked, 16),
            body_len: number(checked, 20),
            body_checksum: number(checked, 24),
        })
    }

    /// Returns whether it is an end mark.
    pub const fn is_end_mark(&self) -> bool {
        self.count == 0
    }

    /// Returns the bytes of the whole frame.
    pub const fn frame_len(&self) -> u64 {
        FRAME_HEADER_LEN as u64 + self.body_len as u64
    }
}

/// Returns whether a frame begins here, judged by the first bytes only.
pub fn is_frame_start(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, b'h', b'w', b'f'])
}

/// Adds a sealed record to the checksum of a frame's body.
pub fn add_to_checksum(checksum: u32, record: &[u8]) -> u32 {
    crc32c::crc32c_append(checksum, record.get(..RECORD_HEAD_LEN).unwrap_or_default())
}

/// Finds where in `bytes` the next valid header lies.
pub fn find_header(bytes: &[u8]) -> Option<usize> {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == MAGIC[0]);
    starts.map(|(at, _)| at).find(|at| bytes.get(*at..).and_then(FrameHeader::decode).is_some())
}

/// Reads a little-endian number; 0 where there are no bytes.
pub fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader =
        FrameHeader { base: 7 << 33, count: 3, body_len: 500, body_checksum: 9 };

    #[test]
    fn a_header_reads_back() {
        assert_eq!(FrameHeader::decode(&HEADER.encode()), Some(HEADER));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let bytes = HEADER.encode();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn a_header_is_found_among_other_bytes() {
        let mut bytes = vec![0xFF; 100];
        bytes.extend_from_slice(&HEADER.encode());
        assert_eq!(find_header(&bytes), Some(100));
        assert_eq!(find_header(&bytes[..120]), None);
    }
}
