//! Reading a segment from its start, and telling a torn tail from damage.
//!
//! Only the last batch before a crash can be torn: the next one is written after the barrier
//! of the one before. A device writes whole sectors of 512 bytes, in any order, and the file
//! was zeros there. So a batch that is not whole is *torn* if one of its sectors still reads
//! as zeros, and nothing valid follows. Everything else that does not hold is damage.

use std::path::Path;

use super::disk::DiskFile;
use super::fault::{damaged, io_error};
use super::frame::{FRAME_HEADER_LEN, FrameHeader, add_to_checksum, find_header};
use super::glance::Glance;
use crate::store::StoreError;

const SECTOR: u64 = 512;
const WINDOW: usize = 1 << 20;

/// What a scan of a segment found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Where the last whole frame ends.
    pub end: u64,
    /// Where the last frame with records begins and ends; 0 and 0 when there is none.
    pub last_batch: (u64, u64),
    /// Number of frames with records.
    pub batches: u64,
    /// Number of records.
    pub count: u64,
    /// Whether the last frame is an end mark.
    pub is_marked: bool,
    /// Where the bytes of a torn batch end; `None` when only zeros follow.
    pub torn_until: Option<u64>,
}

/// Walks a segment's frames and gives every record with its offset to `visit`.
///
/// # Errors
/// [`StoreError::Damaged`] naming the first thing that does not hold, and what `visit` says.
pub fn scan_segment(
    file: &dyn DiskFile,
    path: &Path,
    base: u64,
    visit: &mut dyn FnMut(u32, Glance<'_>) -> Result<(), StoreError>,
) -> Result<Scan, StoreError> {
    let mut window = Window::new(file, path)?;
    let mut scan = Scan::default();
    loop {
        let next = base + scan.count;
        let Some(header) = FrameHeader::decode(window.at(scan.end, FRAME_HEADER_LEN)?) else {
            break;
        };
        if header.base != next {
            let problem = format!("frame begins at position {}, expected {next}", header.base);
            return Err(damaged(path, scan.end, problem));
        }
        let frame = window.at(scan.end, header.frame_len() as usize)?;
        let body = frame.get(FRAME_HEADER_LEN..).unwrap_or_default();
        if let Err((at, problem)) = check_body(&header, body) {
            window
                .expect_torn(scan.end, header.frame_len())
                .map_err(|_| damaged(path, scan.end + at as u64, problem))?;
            break;
        }
        let start = scan.end + FRAME_HEADER_LEN as u64;
        visit_body(start as u32, body, visit)?;
        scan.take(&header);
    }
    scan.torn_until = window.torn_tail(scan.end)?;
    Ok(scan)
}

impl Scan {
    const fn take(&mut self, header: &FrameHeader) {
        let end = self.end + header.frame_len();
        self.is_marked = header.is_end_mark();
        if !self.is_marked {
            self.last_batch = (self.end, end);
            self.batches += 1;
        }
        self.count += header.count as u64;
        self.end = end;
    }
}

fn check_body(header: &FrameHeader, body: &[u8]) -> Result<(), (usize, String)> {
    let (mut at, mut checksum) = (0, 0);
    for number in 0..u64::from(header.count) {
        let record = Glance::checked(body.get(at..).unwrap_or_default());
        let record = record.map_err(|e| (FRAME_HEADER_LEN + at, e.to_string()))?;
        let (found, expected) = (record.position().get(), header.base + number);
        if found != expected {
            let problem = format!("record has position {found}, expected {expected}");
            return Err((FRAME_HEADER_LEN + at, problem));
        }
        checksum = add_to_checksum(checksum, record.bytes());
        at += record.len();
    }
    match at == header.body_len as usize && checksum == header.body_checksum {
        true => Ok(()),
        false => Err((0, "frame does not agree with its records".into())),
    }
}

fn visit_body(
    mut offset: u32,
    mut body: &[u8],
    visit: &mut dyn FnMut(u32, Glance<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    while let Ok(record) = Glance::unchecked(body) {
        visit(offset, record)?;
        offset += record.len() as u32;
        body = body.get(record.len()..).unwrap_or_default();
    }
    Ok(())
}

/// A part of the file in memory that moves along with the scan.
struct Window<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    file_len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile, path: &'a Path) -> Result<Self, StoreError> {
        let file_len = file.len().map_err(|error| io_error("read", path, error))?;
        Ok(Self { file, path, file_len, start: 0, bytes: Vec::new() })
    }

    /// Returns `len` bytes from an offset on; fewer where the file ends.
    fn at(&mut self, offset: u64, len: usize) -> Result<&[u8], StoreError> {
        let len = len.min(self.file_len.saturating_sub(offset) as usize);
        let is_held =
            offset >= self.start && offset + len as u64 <= self.start + self.bytes.len() as u64;
        if !is_held {
            let wanted = len.max(WINDOW).min(self.file_len.saturating_sub(offset) as usize);
            self.bytes.resize(wanted, 0);
            let count = self.file.read_at(&mut self.bytes, offset);
            let count = count.map_err(|error| io_error("read", self.path, error))?;
            self.bytes.truncate(count);
            self.start = offset;
        }
        let at = (offset - self.start) as usize;
        let end = (at + len).min(self.bytes.len());
        Ok(self.bytes.get(at..end).unwrap_or_default())
    }

    /// Finds out what lies behind the last whole frame: zeros, or a batch that must be torn.
    fn torn_tail(&mut self, from: u64) -> Result<Option<u64>, StoreError> {
        let Some(until) = self.last_nonzero(from)? else { return Ok(None) };
        let header = FrameHeader::decode(self.at(from, FRAME_HEADER_LEN)?);
        let len = match header {
            Some(header) => header.frame_len(),
            None => {
                // A header that the device wrote whole would be valid.
                let known = self.has_zero_sector(from, FRAME_HEADER_LEN as u64)?;
                if !known {
                    return Err(damaged(self.path, from, "frame header does not hold"));
                }
                (until - from).next_multiple_of(SECTOR)
            }
        };
        self.expect_torn(from, len)?;
        Ok(Some(until.max(from + len).min(self.file_len)))
    }

    fn expect_torn(&mut self, from: u64, len: u64) -> Result<(), StoreError> {
        if !self.has_zero_sector(from, len)? {
            return Err(damaged(self.path, from, "batch does not hold and was written whole"));
        }
        match self.next_header(from + 1)? {
            None => Ok(()),
            Some(at) => {
                let problem = format!("batch does not hold but a valid one follows at {at}");
                Err(damaged(self.path, from, problem))
            }
        }
    }

    /// Returns whether a sector's share of the bytes reads as zeros; bytes past the end do.
    fn has_zero_sector(&mut self, from: u64, len: u64) -> Result<bool, StoreError> {
        let end = from + len;
        let mut at = from;
        while at < end {
            let until = (at + 1).next_multiple_of(SECTOR).min(end);
            if self.at(at, (until - at) as usize)?.iter().all(|byte| *byte == 0) {
                return Ok(true);
            }
            at = until;
        }
        Ok(false)
    }

    fn last_nonzero(&mut self, from: u64) -> Result<Option<u64>, StoreError> {
        let (mut at, mut last) = (from, None);
        while at < self.file_len {
            let bytes = self.at(at, WINDOW)?;
            // Whole words first: this loop looks at every byte that was filled ahead.
            let is_zero = bytes.chunks(64).all(|chunk| chunk.iter().fold(0, |a, b| a | b) == 0);
            if !is_zero && let Some(found) = bytes.iter().rposition(|byte| *byte != 0) {
                last = Some(at + found as u64 + 1);
            }
            at += bytes.len().max(1) as u64;
        }
        Ok(last)
    }

    fn next_header(&mut self, from: u64) -> Result<Option<u64>, StoreError> {
        let mut at = from;
        while at < self.file_len {
            let bytes = self.at(at, WINDOW)?;
            if let Some(found) = find_header(bytes) {
                return Ok(Some(at + found as u64));
            }
            let step = bytes.len().saturating_sub(FRAME_HEADER_LEN);
            at += step.max(1) as u64;
            if step == 0 {
                break;
            }
        }
        Ok(None)
    }
}
