//! The data folder: its lock, its format, and opening the segments in it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, DiskLock, OpenMode};
use super::fault::{damaged, io_error};
use super::file_index::{FileIndex, encode_index, index_name};
use super::memory_index::MemoryIndex;
use super::scan::{Scan, scan_segment};
use super::segment::{Segment, base_of, segment_name};
use crate::store::StoreError;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 2;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A data folder on a disk.
#[derive(Clone)]
pub struct Folder {
    /// The device.
    pub disk: Arc<dyn Disk>,
    /// The folder.
    pub dir: PathBuf,
}

/// What an opened folder holds.
pub struct Opened {
    /// All segments, oldest first; the last is the active one. Empty in a new folder.
    pub segments: Vec<Arc<Segment>>,
    /// What the scan of the active segment found.
    pub active: Scan,
}

impl Folder {
    /// Locks the folder, making it if need be.
    pub fn lock(&self) -> Result<DiskLock, StoreError> {
        let made = self.disk.create_dir(&self.dir);
        made.map_err(|error| io_error("create", &self.dir, error))?;
        let path = self.dir.join("LOCK");
        self.disk.lock(&path).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => StoreError::Locked { path: self.dir.display().to_string() },
            _ => io_error("lock", &path, error),
        })
    }

    /// Opens every segment, rebuilding missing indexes and cutting a torn tail.
    pub fn open(&self) -> Result<Opened, StoreError> {
        self.settle_format()?;
        self.remove_temporary()?;
        let mut bases = self.bases()?;
        bases.sort_unstable();
        let Some((last, sealed)) = bases.split_last() else {
            return Ok(Opened { segments: Vec::new(), active: Scan::default() });
        };
        let (mut segments, mut next) = (Vec::with_capacity(bases.len()), 1);
        for base in sealed {
            self.expect_base(*base, next)?;
            let segment = self.open_sealed(*base)?;
            next = segment.last_position() + 1;
            segments.push(segment);
        }
        self.expect_base(*last, next)?;
        let (segment, active) = self.open_active(*last)?;
        segments.push(Arc::new(segment));
        Ok(Opened { segments, active })
    }

    /// Returns the path of the segments' folder.
    pub fn segments_dir(&self) -> PathBuf {
        self.dir.join("segments")
    }

    /// Returns the path of a segment's log file.
    pub fn log_path(&self, base: u64) -> PathBuf {
        self.segments_dir().join(segment_name(base))
    }

    /// Returns the path of a segment's index file.
    pub fn index_path(&self, base: u64) -> PathBuf {
        self.segments_dir().join(index_name(base))
    }

    /// Returns the length of a segment's log file.
    pub fn log_len(&self, base: u64) -> Result<u64, StoreError> {
        let path = self.log_path(base);
        let file = self.file(&path, OpenMode::Read)?;
        file.len().map_err(|error| io_error("read", &path, error))
    }

    /// Opens a file.
    pub fn file(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, StoreError> {
        let action = if mode == OpenMode::Create { "create" } else { "open" };
        self.disk.open(path, mode).map_err(|error| io_error(action, path, error))
    }

    /// Makes a file's name durable after it was renamed from a temporary one.
    pub fn put_in_place(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let dir = to.parent().unwrap_or(&self.dir);
        self.disk.rename(from, to).map_err(|error| io_error("rename", from, error))?;
        self.disk.sync_dir(dir).map_err(|error| io_error("sync", dir, error))
    }

    /// Writes a small file whole: under another name, durable, then renamed.
    pub fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = path.with_extension("tmp");
        let file = self.file(&temporary, OpenMode::Create)?;
        file.write_at(bytes, 0).map_err(|error| io_error("write", &temporary, error))?;
        file.sync_data().map_err(|error| io_error("sync", &temporary, error))?;
        self.put_in_place(&temporary, path)
    }

    /// Writes the index file of a segment that takes no more records, and uses it.
    pub fn seal(&self, segment: &Segment) -> Result<(), StoreError> {
        let encode = |index: &MemoryIndex| encode_index(segment.base, segment.end(), index);
        let Some(bytes) = segment.with_memory(encode) else { return Ok(()) };
        let path = self.index_path(segment.base);
        self.write_whole(&path, &bytes)?;
        let file = self.file(&path, OpenMode::Read)?;
        match FileIndex::open(path.clone(), file)? {
            Some(index) => segment.adopt(index),
            None => return Err(damaged(&path, 0, "index file does not read back")),
        }
        Ok(())
    }

    /// Returns the first positions of the segments that there are, in any order.
    pub fn bases(&self) -> Result<Vec<u64>, StoreError> {
        let dir = self.segments_dir();
        let names = self.disk.list(&dir).map_err(|error| io_error("list", &dir, error))?;
        Ok(names.iter().filter_map(|name| base_of(name)).collect())
    }

    /// Reads the format; an error if this program does not know it, `None` in a new folder.
    pub fn format(&self) -> Result<Option<u32>, StoreError> {
        let path = self.dir.join("FORMAT");
        let file = match self.disk.open(&path, OpenMode::Read) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| io_error("open", &path, error))?,
        };
        let mut bytes = [0; 64];
        let len = file.read_at(&mut bytes, 0).map_err(|error| io_error("read", &path, error))?;
        let text = String::from_utf8_lossy(bytes.get(..len).unwrap_or_default()).into_owned();
        let number = text.strip_prefix("headwater log ").and_then(|rest| rest.trim().parse().ok());
        let name = || path.display().to_string();
        match number {
            Some(found) if found > FORMAT => {
                Err(StoreError::NewerFormat { path: name(), found, supported: FORMAT })
            }
            Some(found) => Ok(Some(found)),
            None => Err(StoreError::Invalid { path: name(), problem: "not a format file".into() }),
        }
    }

    /// Removes files that were being made when the log was last open.
    fn remove_temporary(&self) -> Result<(), StoreError> {
        let dir = self.segments_dir();
        let names = self.disk.list(&dir).map_err(|error| io_error("list", &dir, error))?;
        for path in names.iter().filter(|name| name.ends_with(".tmp")).map(|name| dir.join(name)) {
            self.disk.remove(&path).map_err(|error| io_error("remove", &path, error))?;
        }
        Ok(())
    }

    fn settle_format(&self) -> Result<(), StoreError> {
        let (format, dir) = (self.format()?, self.segments_dir());
        self.disk.create_dir(&dir).map_err(|error| io_error("create", &dir, error))?;
        if format.is_some_and(|format| format < FORMAT) {
            // Before the first record that an older program could not read. It refuses the
            // folder from now on.
            tracing::info!(from = format, to = FORMAT, "log gets a newer format");
            return self.write_format();
        }
        if format.is_some() {
            // Its name may be there without being durable yet.
            let synced = self.disk.sync_dir(&self.dir);
            return synced.map_err(|error| io_error("sync", &self.dir, error));
        }
        if !self.bases()?.is_empty() {
            let problem = "holds segments but no FORMAT file".into();
            return Err(StoreError::Invalid { path: self.dir.display().to_string(), problem });
        }
        self.write_format()
    }

    /// Writes the file that says which format the folder has.
    pub fn write_format(&self) -> Result<(), StoreError> {
        self.write_whole(&self.dir.join("FORMAT"), format!("headwater log {FORMAT}\n").as_bytes())
    }

    fn expect_base(&self, base: u64, next: u64) -> Result<(), StoreError> {
        if base == next {
            return Ok(());
        }
        let problem = format!("segment begins at position {base}, expected {next}");
        Err(damaged(&self.log_path(base), 0, problem))
    }

    fn open_sealed(&self, base: u64) -> Result<Arc<Segment>, StoreError> {
        let path = self.log_path(base);
        let file = self.file(&path, OpenMode::Read)?;
        let index_path = self.index_path(base);
        if let Ok(index_file) = self.disk.open(&index_path, OpenMode::Read)
            && let Some(index) = FileIndex::open(index_path, index_file)?
            && index.header().base == base
        {
            let end = u64::from(index.header().end);
            let len = file.len().map_err(|error| io_error("read", &path, error))?;
            if len < end {
                return Err(damaged(&path, len, "file is cut short"));
            }
            return Ok(Arc::new(Segment::sealed(path, file, index)));
        }
        let (segment, scan) = scan_into_memory(base, path, file)?;
        if !scan.is_marked || scan.torn_until.is_some() {
            let problem = "sealed segment has no end mark";
            return Err(damaged(&segment.path, scan.end, problem));
        }
        self.seal(&segment)?;
        Ok(Arc::new(segment))
    }

    fn open_active(&self, base: u64) -> Result<(Segment, Scan), StoreError> {
        let path = self.log_path(base);
        let file = self.file(&path, OpenMode::Write)?;
        let (segment, scan) = scan_into_memory(base, path, file)?;
        let told = |error| io_error("write", &segment.path, error);
        if let Some(until) = scan.torn_until {
            zero(&*segment.file, scan.end, until).map_err(told)?;
        }
        // After a failed barrier the last frames may be readable without being on the device.
        // Only writing them again makes the next barrier take them there.
        let (start, _) = scan.last_batch;
        let mut bytes = vec![0; (scan.end - start) as usize];
        segment.file.read_at(&mut bytes, start).map_err(told)?;
        segment.file.write_at(&bytes, start).map_err(told)?;
        segment.file.sync_data().map_err(told)?;
        let dir = self.segments_dir();
        self.disk.sync_dir(&dir).map_err(|error| io_error("sync", &dir, error))?;
        Ok((segment, scan))
    }
}

/// Fills a part of a file with zeros; nothing is durable yet.
pub fn zero(file: &dyn DiskFile, from: u64, until: u64) -> std::io::Result<()> {
    let mut at = from;
    while at < until {
        let len = (until - at).min(ZEROS.len() as u64);
        file.write_at(ZEROS.get(..len as usize).unwrap_or_default(), at)?;
        at += len;
    }
    Ok(())
}

fn scan_into_memory(
    base: u64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
) -> Result<(Segment, Scan), StoreError> {
    let (mut index, mut keys) = (MemoryIndex::default(), Vec::new());
    let scan = scan_segment(&*file, &path, base, &mut |offset, record| {
        keys.clear();
        record.add_keys(&mut keys);
        index.add(offset, record.id(), record.revision(), &keys);
        Ok(())
    })?;
    let segment = Segment::in_memory(base, path, file, index);
    let (_, end) = scan.last_batch;
    segment.show(end as u32, scan.count as u32);
    Ok((segment, scan))
}
