//! The index of a sealed segment: an immutable file; directory and filter kept in memory.
//!
//! | part | bytes |
//! |---|---|
//! | header | 88, see [`Header`] |
//! | directory | 4 for each bucket and 4: where its block begins in the table |
//! | filter | a split-block Bloom filter over all keys |
//! | offsets | 4 for each record: where it lies in the segment |
//! | firsts | 4 for each record of revision 1: its number in the segment |
//! | table | blocks |
//!
//! A key's bucket is given by its upper bits. A block is: number of entries (4), CRC-32C of
//! the rest (4), entries of key (8) and number of postings (4), then the postings (4 each).

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::bloom::Bloom;
use super::disk::DiskFile;
use super::fault::{ReadFault, Wait, damaged, io_error};
use super::frame::number;
use super::memory_index::{IdRange, MemoryIndex};
use crate::event::EventId;
use crate::store::StoreError;

/// The bytes of an index file's header.
pub const HEADER_LEN: usize = 88;

/// What an index file begins with; the last byte is the version.
const MAGIC: [u8; 8] = [0xFF, b'h', b'w', b'i', b'd', b'x', 0xFF, 2];
const KEYS_PER_BUCKET: usize = 16;
const ENTRY_LEN: usize = 12;
const BLOCK_HEAD_LEN: usize = 8;

/// The head of an index file; all parts' lengths follow from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// Position of the segment's first record.
    pub base: u64,
    /// Number of records.
    pub count: u32,
    /// Where the segment's last record ends.
    pub end: u32,
    buckets: u32,
    bloom_len: u32,
    firsts: u32,
    table_len: u32,
    ids: IdRange,
}

/// A sealed segment's index.
pub struct FileIndex {
    header: Header,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    directory: Vec<u32>,
    bloom: Bloom,
}

impl FileIndex {
    /// Opens an index: reads header, directory and filter; `None` when they do not hold.
    pub fn open(path: PathBuf, file: Arc<dyn DiskFile>) -> Result<Option<Self>, StoreError> {
        let read = |len: usize, offset: u64| {
            let mut bytes = vec![0; len];
            let count = file.read_at(&mut bytes, offset);
            let count = count.map_err(|error| io_error("read", &path, error))?;
            bytes.truncate(count);
            Ok::<_, StoreError>(bytes)
        };
        let head = read(HEADER_LEN, 0)?;
        let Some((header, checksum)) = Header::decode(&head) else { return Ok(None) };
        let kept = read(header.kept_len(), HEADER_LEN as u64)?;
        let file_len = file.len().map_err(|error| io_error("read", &path, error))?;
        let known = crc32c::crc32c(head.get(..HEADER_LEN - 4).unwrap_or_default());
        if crc32c::crc32c_append(known, &kept) != checksum || file_len != header.file_len() {
            return Ok(None);
        }
        let (directory, bloom) = kept.split_at(header.directory_len().min(kept.len()));
        let (directory, bloom) = (numbers(directory), Bloom::decode(bloom));
        Ok(Some(Self { header, path, file, directory, bloom }))
    }

    /// Returns the header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the range of the ids.
    pub const fn ids(&self) -> IdRange {
        self.header.ids
    }

    /// Returns where the records of a key lie, inside the bytes of `range`, ascending.
    pub fn list(&self, key: u64, range: Range<u32>, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        if !self.bloom.may_hold(key) {
            return Ok(Vec::new());
        }
        let bucket = bucket_of(key, self.header.buckets) as usize;
        let (Some(start), Some(end)) = (self.directory.get(bucket), self.directory.get(bucket + 1))
        else {
            return Ok(Vec::new());
        };
        let offset = self.header.table_at() + u64::from(*start);
        let block = self.read(offset, end.saturating_sub(*start) as usize, wait)?;
        let rest = block.get(BLOCK_HEAD_LEN..).unwrap_or_default();
        if crc32c::crc32c(rest) != number(&block, 4) {
            let problem = "index block checksum does not hold: remove the index file to rebuild it";
            return Err(damaged(&self.path, offset, problem).into());
        }
        let found = find_postings(rest, number(&block, 0) as usize, key);
        Ok(found.into_iter().filter(|at| range.contains(at)).collect())
    }

    /// Returns where the records with these numbers in the segment lie.
    pub fn offsets(&self, range: Range<u32>, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        let end = range.end.min(self.header.count);
        let len = end.saturating_sub(range.start) as usize * 4;
        let at = self.header.offsets_at() + u64::from(range.start) * 4;
        Ok(numbers(&self.read(at, len, wait)?))
    }

    /// Returns the numbers of the records that begin a stream.
    pub fn firsts(&self, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        let at = self.header.offsets_at() + u64::from(self.header.count) * 4;
        Ok(numbers(&self.read(at, self.header.firsts as usize * 4, wait)?))
    }

    fn read(&self, offset: u64, len: usize, wait: Wait) -> Result<Vec<u8>, ReadFault> {
        let mut bytes = vec![0; len];
        let count = match wait {
            Wait::Never => self.file.read_at_hand(&mut bytes, offset),
            Wait::Allowed => self.file.read_at(&mut bytes, offset),
        };
        match count {
            Ok(count) if count == len => Ok(bytes),
            Ok(_) => Err(damaged(&self.path, offset, "index file is cut short").into()),
            Err(error) if wait == Wait::Never && error.kind() == std::io::ErrorKind::WouldBlock => {
                Err(ReadFault::WouldWait)
            }
            Err(error) => Err(io_error("read", &self.path, error).into()),
        }
    }
}

/// Returns whether these are the bytes of an index file of an older version, which is made again
/// when the log is opened.
pub fn is_older(bytes: &[u8]) -> bool {
    let [name @ .., newest] = MAGIC;
    matches!(bytes.strip_prefix(&name), Some([version, ..]) if *version < newest)
}

/// Builds the bytes of an index file.
pub fn encode_index(base: u64, end: u32, index: &MemoryIndex) -> Vec<u8> {
    let postings = index.sorted_postings();
    let keys: Vec<&[(u64, u32)]> = postings.chunk_by(|one, next| one.0 == next.0).collect();
    let buckets = keys.len().div_ceil(KEYS_PER_BUCKET).max(1) as u32;
    let mut bloom = Bloom::with_capacity(keys.len());
    let (mut directory, mut table) = (Vec::with_capacity(buckets as usize + 1), Vec::new());
    let mut rest = keys.as_slice();
    for bucket in 0..buckets {
        directory.push(table.len() as u32);
        let here = rest.iter().take_while(|key| bucket_of(key_of(key), buckets) == bucket).count();
        let (block, later) = rest.split_at_checked(here).unwrap_or_default();
        block.iter().for_each(|key| bloom.insert(key_of(key)));
        encode_block(&mut table, block);
        rest = later;
    }
    directory.push(table.len() as u32);
    let header = Header {
        base,
        count: index.len() as u32,
        end,
        buckets,
        bloom_len: bloom.encoded_len() as u32,
        firsts: index.firsts().len() as u32,
        table_len: table.len() as u32,
        ids: index.ids(),
    };
    let mut kept = Vec::with_capacity(header.kept_len());
    put_numbers(&mut kept, &directory);
    bloom.encode(&mut kept);
    let mut out = header.encode(&kept);
    out.append(&mut kept);
    put_numbers(&mut out, index.offsets(0..header.count));
    put_numbers(&mut out, index.firsts());
    out.append(&mut table);
    out
}

impl Header {
    fn encode(&self, kept: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.file_len() as usize);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.base.to_le_bytes());
        let numbers = [self.count, self.end, self.buckets, self.bloom_len, self.firsts];
        put_numbers(&mut out, &numbers);
        let has_ordered = u32::from(self.ids.ordered.is_some());
        let flags = has_ordered | u32::from(self.ids.has_others) << 1;
        put_numbers(&mut out, &[self.table_len, flags]);
        let nil = EventId::from_bytes([0; 16]);
        let (min, max) = self.ids.ordered.unwrap_or((nil, nil));
        out.extend_from_slice(&min.to_bytes());
        out.extend_from_slice(&max.to_bytes());
        out.resize(HEADER_LEN - 4, 0);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out), kept);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        let id = |at: usize| {
            let id = bytes.get(at..).and_then(|rest| rest.first_chunk());
            EventId::from_bytes(id.copied().unwrap_or_default())
        };
        let flags = number(bytes, 40);
        let ordered = (flags & 1 != 0).then(|| (id(44), id(60)));
        let header = Self {
            base: u64::from(number(bytes, 8)) | u64::from(number(bytes, 12)) << 32,
            count: number(bytes, 16),
            end: number(bytes, 20),
            buckets: number(bytes, 24),
            bloom_len: number(bytes, 28),
            firsts: number(bytes, 32),
            table_len: number(bytes, 36),
            ids: IdRange { ordered, has_others: flags & 2 != 0 },
        };
        // Bounded before anything is allocated by these numbers.
        let is_sound = header.buckets > 0 && header.kept_len() < 1 << 30;
        is_sound.then_some((header, number(bytes, HEADER_LEN - 4)))
    }

    const fn directory_len(&self) -> usize {
        (self.buckets as usize + 1) * 4
    }

    const fn kept_len(&self) -> usize {
        self.directory_len() + self.bloom_len as usize
    }

    const fn offsets_at(&self) -> u64 {
        (HEADER_LEN + self.kept_len()) as u64
    }

    const fn table_at(&self) -> u64 {
        self.offsets_at() + (self.count as u64 + self.firsts as u64) * 4
    }

    const fn file_len(&self) -> u64 {
        self.table_at() + self.table_len as u64
    }
}

/// Returns the name of the index file of the segment whose first record has that position.
pub fn index_name(base: u64) -> String {
    format!("{base:020}.index")
}

fn encode_block(table: &mut Vec<u8>, keys: &[&[(u64, u32)]]) {
    let mut rest = Vec::new();
    for postings in keys {
        rest.extend_from_slice(&key_of(postings).to_le_bytes());
        rest.extend_from_slice(&(postings.len() as u32).to_le_bytes());
    }
    let offsets = keys.iter().flat_map(|postings| postings.iter());
    offsets.for_each(|(_, offset)| rest.extend_from_slice(&offset.to_le_bytes()));
    put_numbers(table, &[keys.len() as u32, crc32c::crc32c(&rest)]);
    table.append(&mut rest);
}

fn find_postings(block: &[u8], entries: usize, key: u64) -> Vec<u32> {
    let (head, postings) = block.split_at_checked(entries * ENTRY_LEN).unwrap_or_default();
    let mut before = 0;
    for entry in head.chunks_exact(ENTRY_LEN) {
        let count = number(entry, 8) as usize;
        if entry.starts_with(&key.to_le_bytes()) {
            let own = postings.get(before * 4..(before + count) * 4);
            return numbers(own.unwrap_or_default());
        }
        before += count;
    }
    Vec::new()
}

fn bucket_of(key: u64, buckets: u32) -> u32 {
    (((key >> 32) * u64::from(buckets)) >> 32) as u32
}

fn key_of(postings: &[(u64, u32)]) -> u64 {
    postings.first().map_or(0, |(key, _)| *key)
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|four| number(four, 0)).collect()
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}
