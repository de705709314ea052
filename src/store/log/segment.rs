//! One segment: a run of the log in a file, with its index.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use super::disk::DiskFile;
use super::fault::{ReadFault, Wait, damaged, io_error};
use super::file_index::FileIndex;
use super::glance::Glance;
use super::memory_index::{IdRange, MemoryIndex};
use crate::event::{EventId, Position};
use crate::store::StoreError;

/// A segment; what lies before its visible end never changes.
pub struct Segment {
    /// Position of the first record.
    pub base: u64,
    /// The log file.
    pub path: PathBuf,
    /// The log file, open.
    pub file: Arc<dyn DiskFile>,
    // End and count of what is visible in one word: readers never see one without the other.
    shown: AtomicU64,
    index: RwLock<Index>,
}

enum Index {
    Memory(Box<MemoryIndex>),
    File(Arc<FileIndex>),
}

impl Segment {
    /// Makes a segment whose index is in memory; nothing of it is visible yet.
    pub fn in_memory(
        base: u64,
        path: PathBuf,
        file: Arc<dyn DiskFile>,
        index: MemoryIndex,
    ) -> Self {
        let index = RwLock::new(Index::Memory(Box::new(index)));
        Self { base, path, file, shown: AtomicU64::new(0), index }
    }

    /// Makes a sealed segment of its index file.
    pub fn sealed(path: PathBuf, file: Arc<dyn DiskFile>, index: FileIndex) -> Self {
        let header = *index.header();
        Self {
            base: header.base,
            path,
            file,
            shown: AtomicU64::new(pack(header.end, header.count)),
            index: RwLock::new(Index::File(Arc::new(index))),
        }
    }

    /// Lets readers see the first `count` records, which end at `end`.
    pub fn show(&self, end: u32, count: u32) {
        self.shown.store(pack(end, count), Ordering::Release);
    }

    /// Returns where the visible records end.
    pub fn end(&self) -> u32 {
        (self.shown.load(Ordering::Acquire) >> 32) as u32
    }

    /// Returns the number of visible records.
    pub fn count(&self) -> u32 {
        self.shown.load(Ordering::Acquire) as u32
    }

    /// Returns where the visible records end, and the position that follows them.
    pub fn shown(&self) -> (u32, u64) {
        let shown = self.shown.load(Ordering::Acquire);
        ((shown >> 32) as u32, self.base + (shown & u64::from(u32::MAX)))
    }

    /// Returns the position of the last visible record; the one before the base if none is.
    pub fn last_position(&self) -> u64 {
        (self.base + u64::from(self.count())).saturating_sub(1)
    }

    /// Returns the number that the record at a position has here, or would have.
    pub fn number_of(&self, position: Position) -> u32 {
        let number = position.get().saturating_sub(self.base);
        u32::try_from(number).unwrap_or(u32::MAX).min(u32::MAX - 1)
    }

    /// Adds a record, not visible yet, to the index in memory.
    pub fn stage(&self, offset: u32, record: Glance<'_>, keys: &[u64]) {
        if let Index::Memory(index) = &mut *self.index.write() {
            index.add(offset, record, keys);
        }
    }

    /// Puts the index file in the place of the tables in memory.
    pub fn adopt(&self, index: FileIndex) {
        *self.index.write() = Index::File(Arc::new(index));
    }

    /// Returns whether the index is a file.
    pub fn is_sealed(&self) -> bool {
        matches!(&*self.index.read(), Index::File(_))
    }

    /// Lends the index in memory; `None` when it is a file.
    pub fn with_memory<T>(&self, look: impl FnOnce(&MemoryIndex) -> T) -> Option<T> {
        match &*self.index.read() {
            Index::Memory(index) => Some(look(index)),
            Index::File(_) => None,
        }
    }

    /// Returns where the records of a key lie, inside the bytes of `range`, ascending.
    pub fn list(&self, key: u64, range: Range<u32>, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        match self.file_index() {
            Some(index) => index.list(key, range, wait),
            None => Ok(self.with_memory(|index| index.list(key, range)).unwrap_or_default()),
        }
    }

    /// Returns where a key's last record before `below` lies.
    pub fn last(&self, key: u64, below: u32, wait: Wait) -> Result<Option<u32>, ReadFault> {
        match self.file_index() {
            Some(index) => Ok(index.list(key, 0..below, wait)?.last().copied()),
            None => Ok(self.with_memory(|index| index.last(key, below)).flatten()),
        }
    }

    /// Returns where the records with these numbers in the segment lie.
    pub fn offsets(&self, numbers: Range<u32>, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        match self.file_index() {
            Some(index) => index.offsets(numbers, wait),
            None => Ok(self.with_memory(|i| i.offsets(numbers).to_vec()).unwrap_or_default()),
        }
    }

    /// Returns the numbers of the visible records from `from` on that begin a stream.
    pub fn firsts(&self, from: u32, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        let mut firsts = match self.file_index() {
            Some(index) => index.firsts(wait)?,
            None => self.with_memory(|index| index.firsts().to_vec()).unwrap_or_default(),
        };
        let count = self.count();
        firsts.retain(|number| (from..count).contains(number));
        Ok(firsts)
    }

    /// Returns whether an event of that id may lie here, staged ones included.
    pub fn may_hold_id(&self, id: EventId) -> bool {
        let ids: IdRange = match &*self.index.read() {
            Index::Memory(index) => index.ids(),
            Index::File(index) => index.ids(),
        };
        ids.may_hold(id)
    }

    /// Reads bytes of the visible part; fewer than `len` only where that part ends.
    pub fn read(&self, offset: u32, len: usize, wait: Wait) -> Result<Bytes, ReadFault> {
        let len = len.min(self.end().saturating_sub(offset) as usize);
        let mut bytes = vec![0; len];
        let count = match wait {
            Wait::Never => self.file.read_at_hand(&mut bytes, u64::from(offset)),
            Wait::Allowed => self.file.read_at(&mut bytes, u64::from(offset)),
        };
        match count {
            Ok(count) if count == len => Ok(Bytes::from(bytes)),
            Ok(_) => Err(self.damaged(offset, "file is cut short").into()),
            Err(error) if wait == Wait::Never && error.kind() == ErrorKind::WouldBlock => {
                Err(ReadFault::WouldWait)
            }
            Err(error) => Err(io_error("read", &self.path, error).into()),
        }
    }

    /// Says that the bytes at an offset of this segment are not what was written.
    pub fn damaged(&self, offset: u32, problem: impl Into<String>) -> StoreError {
        damaged(&self.path, u64::from(offset), problem)
    }

    fn file_index(&self) -> Option<Arc<FileIndex>> {
        match &*self.index.read() {
            Index::Memory(_) => None,
            Index::File(index) => Some(index.clone()),
        }
    }
}

fn pack(end: u32, count: u32) -> u64 {
    u64::from(end) << 32 | u64::from(count)
}

/// Returns the name of the log file whose first record has that position.
pub fn segment_name(base: u64) -> String {
    format!("{base:020}.log")
}

/// Reads the position from a log file's name; `None` for other files.
pub fn base_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}
