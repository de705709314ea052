//! One segment: a run of the log in a file, with its index.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};

use super::disk::DiskFile;
use super::fault::{ReadFault, Wait, damaged, io_error};
use super::file_index::FileIndex;
use super::kinds::{BLOCK, Blocks};
use super::memory_index::{IdRange, MemoryIndex};
use crate::event::Position;
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
    // Set once, and only then is the one in memory given up: whoever finds neither looks again.
    sealed: OnceLock<FileIndex>,
    memory: RwLock<Option<Box<MemoryIndex>>>,
    /// What its full blocks of records hold.
    pub blocks: Blocks,
}

impl Segment {
    /// Makes a segment whose index is in memory; nothing of it is visible yet.
    pub fn in_memory(
        base: u64,
        path: PathBuf,
        file: Arc<dyn DiskFile>,
        index: MemoryIndex,
    ) -> Self {
        let memory = RwLock::new(Some(Box::new(index)));
        let (shown, sealed, blocks) = (AtomicU64::new(0), OnceLock::new(), Blocks::default());
        Self { base, path, file, shown, sealed, memory, blocks }
    }

    /// Makes a sealed segment of its index file.
    pub fn sealed(path: PathBuf, file: Arc<dyn DiskFile>, index: FileIndex) -> Self {
        let header = *index.header();
        Self {
            base: header.base,
            path,
            file,
            shown: AtomicU64::new(pack(header.end, header.count)),
            sealed: OnceLock::from(index),
            memory: RwLock::default(),
            blocks: Blocks::default(),
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

    /// Returns the number behind a block's last record; `None` when more may come into the block.
    pub fn block_end(&self, block: u32) -> Option<u32> {
        // Looked at first: what is sealed has its last count.
        let is_sealed = self.is_sealed();
        let (end, count) = (block.saturating_add(1).checked_mul(BLOCK)?, self.count());
        if end <= count { Some(end) } else { (is_sealed && block * BLOCK < count).then_some(count) }
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

    /// Lends the index in memory, to add records that are not visible yet; `None` when it is a
    /// file.
    pub fn index_mut(&self) -> Option<MappedRwLockWriteGuard<'_, MemoryIndex>> {
        RwLockWriteGuard::try_map(self.memory.write(), |index| index.as_deref_mut()).ok()
    }

    /// Puts the index file in the place of the tables in memory.
    pub fn adopt(&self, index: FileIndex) {
        // Adopted twice, the first stays: both say the same.
        if self.sealed.set(index).is_ok() {
            self.memory.write().take();
        }
    }

    /// Returns whether the index is a file.
    pub fn is_sealed(&self) -> bool {
        self.sealed.get().is_some()
    }

    /// Lends the index in memory; `None` when it is a file.
    pub fn with_memory<T>(&self, look: impl FnOnce(&MemoryIndex) -> T) -> Option<T> {
        self.memory.read().as_deref().map(look)
    }

    /// Returns where the records of a key lie, inside the bytes of `range`, ascending.
    pub fn list(&self, key: u64, range: Range<u32>, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        let in_file = |index: &FileIndex| index.list(key, range.clone(), wait);
        self.look(in_file, |index| index.list(key, range.clone()))
    }

    /// Returns where a key's last record before `below` lies.
    pub fn last(&self, key: u64, below: u32, wait: Wait) -> Result<Option<u32>, ReadFault> {
        self.look(
            |index| Ok(index.list(key, 0..below, wait)?.last().copied()),
            |index| index.last(key, below),
        )
    }

    /// Returns where the records with these numbers in the segment lie.
    pub fn offsets(&self, numbers: Range<u32>, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        self.look(
            |index| index.offsets(numbers.clone(), wait),
            |index| index.offsets(numbers.clone()).to_vec(),
        )
    }

    /// Returns the numbers of the visible records from `from` on that begin a stream.
    pub fn firsts(&self, from: u32, wait: Wait) -> Result<Vec<u32>, ReadFault> {
        let mut firsts = self.look(|index| index.firsts(wait), |index| index.firsts().to_vec())?;
        let count = self.count();
        firsts.retain(|number| (from..count).contains(number));
        Ok(firsts)
    }

    /// Returns the range of the ids, staged ones included.
    pub fn ids(&self) -> IdRange {
        let in_memory = || self.with_memory(MemoryIndex::ids);
        let in_file = || self.sealed.get().map(FileIndex::ids);
        in_file().or_else(in_memory).or_else(in_file).unwrap_or_default()
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

    fn look<T: Default>(
        &self,
        file: impl Fn(&FileIndex) -> Result<T, ReadFault>,
        memory: impl FnOnce(&MemoryIndex) -> T,
    ) -> Result<T, ReadFault> {
        if let Some(index) = self.sealed.get() {
            return file(index);
        }
        match self.with_memory(memory) {
            Some(found) => Ok(found),
            // Sealed between the two looks: the file is there by now.
            None => self.sealed.get().map_or_else(|| Ok(T::default()), file),
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
