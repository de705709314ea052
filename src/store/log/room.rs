//! Room on the device: files are filled with zeros ahead of the tail.
//!
//! A barrier over bytes that overwrite zeros has no file system's bookkeeping to wait for.
//! And a full disk is noticed here, before any byte of an append is written.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::assembly::Assembly;
use super::disk::{DiskFile, OpenMode};
use super::fault::io_error;
use super::folder::{Folder, zero};
use super::frame::{FRAME_HEADER_LEN, FrameHeader};
use super::memory_index::MemoryIndex;
use super::segment::Segment;
use crate::store::{AppendError, StoreError};

const UNSEALED_MAX: usize = 2;
const FIRST_STEP: u64 = 256 << 10;

/// How far the active file has been filled, and the file that will follow it.
pub struct Room {
    // Read without the lock: whoever appends must not wait for a file that is being filled.
    until: AtomicU64,
    filled: Mutex<Filled>,
    spare: Mutex<Option<Spare>>,
    prepared: AtomicU64,
    ahead_bytes: u64,
    segment_bytes: u64,
}

struct Filled {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
}

struct Spare {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    until: u64,
}

/// Says why there is no room.
pub enum NoRoom {
    /// The device is full; the log itself is sound.
    Full(PathBuf),
    /// A barrier failed, and with it what it should have made durable.
    Failed(StoreError),
}

impl Room {
    /// Takes the active file as it is.
    pub fn new(segment: &Segment, until: u64, ahead_bytes: u64, segment_bytes: u64) -> Self {
        let (file, path) = (segment.file.clone(), segment.path.clone());
        let (filled, until) = (Mutex::new(Filled { file, path }), AtomicU64::new(until));
        Self {
            until,
            filled,
            spare: Mutex::new(None),
            prepared: AtomicU64::new(0),
            ahead_bytes,
            segment_bytes,
        }
    }

    /// Makes sure that the active file is filled up to `until`.
    pub fn ensure(&self, until: u64) -> Result<(), NoRoom> {
        if self.until() >= until {
            return Ok(());
        }
        let filled = self.filled.lock();
        let from = self.until();
        if from < until {
            let target = self.target(from, until);
            fill(&*filled.file, &filled.path, from, target)?;
            self.until.store(target, Ordering::Release);
        }
        Ok(())
    }

    /// Returns whether [`Room::fill_ahead`] has something to do for a tail that ends at `end`.
    pub fn wants_more(&self, end: u64) -> bool {
        let until = self.until();
        let is_near = until < self.segment_bytes
            && until.saturating_sub(end) < until.min(self.ahead_bytes) / 2;
        is_near || (end > self.segment_bytes / 2 && self.spare.lock().is_none())
    }

    /// Fills ahead when the tail has come near the end of what is filled, and prepares the file
    /// that will follow when the tail is past the middle of the segment.
    pub fn fill_ahead(&self, folder: &Folder, end: u64) -> Result<(), NoRoom> {
        if !self.wants_more(end) {
            return Ok(());
        }
        let until = self.until();
        if until < self.segment_bytes {
            return self.ensure(until + 1);
        }
        let spare = self.prepare(folder, self.segment_bytes)?;
        *self.spare.lock() = Some(spare);
        Ok(())
    }

    fn until(&self) -> u64 {
        self.until.load(Ordering::Acquire)
    }

    fn target(&self, from: u64, until: u64) -> u64 {
        let step = from.clamp(FIRST_STEP.min(self.ahead_bytes), self.ahead_bytes);
        (from + step).min(self.segment_bytes).max(until)
    }

    fn prepare(&self, folder: &Folder, until: u64) -> Result<Spare, NoRoom> {
        // The writer may need one while the tender still fills another.
        let number = self.prepared.fetch_add(1, Ordering::Relaxed);
        let path = folder.segments_dir().join(format!("next-{number}.tmp"));
        let file = folder.file(&path, OpenMode::Create).map_err(no_room)?;
        match fill(&*file, &path, 0, until) {
            Ok(()) => Ok(Spare { file, path, until }),
            Err(no_room) => {
                // What was filled so far would keep the room from the active file.
                drop(folder.disk.remove(&path));
                Err(no_room)
            }
        }
    }
}

fn no_room(error: StoreError) -> NoRoom {
    match &error {
        StoreError::Io { path, source, .. } if source.kind() == ErrorKind::StorageFull => {
            NoRoom::Full(path.into())
        }
        _ => NoRoom::Failed(error),
    }
}

fn fill(file: &dyn DiskFile, path: &std::path::Path, from: u64, until: u64) -> Result<(), NoRoom> {
    zero(file, from, until).map_err(|error| no_room(io_error("fill", path, error)))?;
    file.sync_data().map_err(|error| NoRoom::Failed(io_error("sync", path, error)))
}

/// Makes the first segment of a new log.
pub fn first_segment(folder: &Folder, ahead_bytes: u64) -> Result<(Segment, u64), StoreError> {
    let (temporary, path) = (folder.segments_dir().join("next.tmp"), folder.log_path(1));
    let file = folder.file(&temporary, OpenMode::Create)?;
    let until = FIRST_STEP.min(ahead_bytes);
    fill(&*file, &temporary, 0, until).map_err(|no_room| match no_room {
        NoRoom::Full(path) => io_error("fill", &path, ErrorKind::StorageFull.into()),
        NoRoom::Failed(error) => error,
    })?;
    folder.put_in_place(&temporary, &path)?;
    Ok((Segment::in_memory(1, path, file, MemoryIndex::default()), until))
}

impl Assembly {
    /// Returns whether there is room for a frame of `len` bytes and an end mark behind it.
    pub(super) fn has_room(&self, len: u64) -> bool {
        self.end + len + FRAME_HEADER_LEN as u64 <= self.room.until()
    }

    /// Makes room for a frame of `len` bytes and an end mark behind it.
    pub(super) fn make_room(&mut self, len: u64) -> Result<(), AppendError> {
        let until = self.end + len + FRAME_HEADER_LEN as u64;
        let made = self.room.ensure(until);
        made.map_err(|no_room| self.no_room(no_room))
    }

    /// Closes the active segment and begins the next; nothing may be staged or being written.
    pub(super) fn roll(&mut self, len: u64) -> Result<(), AppendError> {
        let until = len + FRAME_HEADER_LEN as u64;
        let spare = self.room.spare.lock().take();
        let spare = match spare {
            Some(spare) => spare,
            None => {
                let until = self.room.target(0, until);
                let prepared = self.room.prepare(&self.folder, until);
                prepared.map_err(|no_room| self.no_room(no_room))?
            }
        };
        let base = self.next.next().get();
        let path = self.folder.log_path(base);
        let begun =
            self.write_end_mark().and_then(|()| self.folder.put_in_place(&spare.path, &path));
        if let Err(error) = begun {
            return Err(self.no_room(NoRoom::Failed(error)));
        }
        let index = self.tail.with_memory(MemoryIndex::with_room_like).unwrap_or_default();
        let segment = Arc::new(Segment::in_memory(base, path.clone(), spare.file.clone(), index));
        let mut filled = self.room.filled.lock();
        *filled = Filled { file: spare.file, path };
        self.room.until.store(spare.until, Ordering::Release);
        drop(filled);
        self.reader.catalog.push(segment.clone());
        self.earlier_ids.merge(self.tail.ids());
        self.unsealed.push(std::mem::replace(&mut self.tail, segment));
        self.bound_unsealed();
        self.end = 0;
        self.roll_next = false;
        Ok(())
    }

    /// Writes an index here and now when their writing falls behind, to bound the memory.
    fn bound_unsealed(&mut self) {
        if self.unsealed.len() > UNSEALED_MAX {
            let segment = self.unsealed.remove(0);
            if let Err(error) = self.folder.seal(&segment) {
                tracing::warn!(%error, "segment index not written");
            }
        }
    }

    /// Marks that everything before was written whole.
    pub(super) fn write_end_mark(&mut self) -> Result<(), StoreError> {
        let mark = FrameHeader::end_mark(self.next.next().get()).encode();
        let (file, path) = (&self.tail.file, &self.tail.path);
        file.write_at(&mark, self.end).map_err(|error| io_error("write", path, error))?;
        file.sync_data().map_err(|error| io_error("sync", path, error))?;
        self.end += mark.len() as u64;
        Ok(())
    }

    fn no_room(&mut self, no_room: NoRoom) -> AppendError {
        match no_room {
            NoRoom::Full(path) => AppendError::DiskFull { path: path.display().to_string() },
            NoRoom::Failed(error) => {
                let cause = error.to_string();
                self.break_with(&cause);
                AppendError::Unavailable { cause }
            }
        }
    }
}
