//! Checks a closed log: every frame, record, place and index.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::disk::{Disk, OpenMode};
use super::fault::{damaged, io_error};
use super::file_index::{encode_index, is_older};
use super::folder::Folder;
use super::glance::Glance;
use super::memory_index::MemoryIndex;
use super::scan::{Scan, scan_segment};
use crate::event::{Position, RecordedEvent};
use crate::store::StoreError;

/// What a check of a log found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Segments looked at.
    pub segments: u64,
    /// Batches whose frames hold.
    pub batches: u64,
    /// Records that hold.
    pub events: u64,
    /// Streams that begin in the log.
    pub streams: u64,
    /// Bytes of frames that hold.
    pub bytes: u64,
    /// Index files compared with their segments, entry by entry.
    pub indexes: u64,
    /// Position of the last record that holds.
    pub last: Position,
    /// A batch that a crash cut off, never acknowledged: file and offset. Opening cuts it.
    pub torn_tail: Option<(String, u64)>,
    /// Index files that are not there, or of an older version; opening the log makes them again.
    pub missing_indexes: Vec<String>,
    /// Everything that does not hold, each with file and offset.
    pub problems: Vec<StoreError>,
}

impl VerifyReport {
    /// Returns whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks the closed log in a folder of a device.
///
/// # Errors
/// [`StoreError`] when the folder is in use, of a newer format, not a log, or cannot be read;
/// damage is no error here but a problem in the report.
pub fn verify_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<VerifyReport, StoreError> {
    let folder = Folder { disk, dir: dir.to_owned() };
    if folder.format()?.is_none() {
        let path = dir.display().to_string();
        return Err(StoreError::Invalid { path, problem: "holds no log".into() });
    }
    let _lock = folder.lock()?;
    let mut bases = folder.bases()?;
    bases.sort_unstable();
    let mut check = Check {
        folder,
        report: VerifyReport::default(),
        revisions: FxHashMap::default(),
        is_after_damage: false,
    };
    let mut next = 1;
    for (at, base) in bases.iter().enumerate() {
        if *base != next {
            let problem = format!("segment begins at position {base}, expected {next}");
            check.report.problems.push(damaged(&check.folder.log_path(*base), 0, problem));
        }
        let is_sealed = at + 1 < bases.len();
        let count = check.segment(*base, is_sealed)?;
        // After damage the following name is believed, to find what else is wrong.
        next = match count {
            Some(count) => base + count,
            None => bases.get(at + 1).copied().unwrap_or_default(),
        };
    }
    Ok(check.report)
}

struct Check {
    folder: Folder,
    report: VerifyReport,
    // The last revision of every stream by its key.
    revisions: FxHashMap<u64, u64>,
    is_after_damage: bool,
}

impl Check {
    /// Checks a segment; returns how many records it has, `None` when it is damaged.
    fn segment(&mut self, base: u64, is_sealed: bool) -> Result<Option<u64>, StoreError> {
        let path = self.folder.log_path(base);
        let file = self.folder.file(&path, OpenMode::Read)?;
        self.report.segments += 1;
        let (mut index, mut keys) = (MemoryIndex::default(), Vec::new());
        let (mut problems, mut streams) = (Vec::new(), 0);
        let (revisions, is_after_damage) = (&mut self.revisions, self.is_after_damage);
        let scanned = scan_segment(&*file, &path, base, &mut |offset, record| {
            keys.clear();
            record.add_keys(&mut keys);
            index.add(offset, record.id(), record.revision(), &keys);
            if is_after_damage {
                let before = record.revision().previous().get();
                revisions.entry(record.stream_key()).or_insert(before);
            }
            problems.extend(check_record(&path, offset, record, revisions));
            streams += u64::from(record.revision().get() == 1);
            Ok(())
        });
        self.report.problems.append(&mut problems);
        self.report.streams += streams;
        self.report.events += index.len() as u64;
        self.report.last = Position::new((base + index.len() as u64).saturating_sub(1));
        let scan = match scanned {
            Ok(scan) => scan,
            Err(error @ StoreError::Damaged { .. }) => {
                self.report.problems.push(error);
                // What lies behind the damage is unknown, so streams go on anywhere after it.
                self.revisions.clear();
                self.is_after_damage = true;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.report.batches += scan.batches;
        self.report.bytes += scan.end;
        self.tail(&path, &scan, is_sealed);
        if is_sealed {
            self.index(base, &scan, &index)?;
        }
        Ok(Some(scan.count))
    }

    fn tail(&mut self, path: &Path, scan: &Scan, is_sealed: bool) {
        if is_sealed && (!scan.is_marked || scan.torn_until.is_some()) {
            self.report.problems.push(damaged(path, scan.end, "sealed segment has no end mark"));
        } else if scan.torn_until.is_some() {
            self.report.torn_tail = Some((path.display().to_string(), scan.end));
        }
    }

    /// Compares an index file with the one that the records give.
    fn index(&mut self, base: u64, scan: &Scan, index: &MemoryIndex) -> Result<(), StoreError> {
        let path: PathBuf = self.folder.index_path(base);
        let Ok(file) = self.folder.disk.open(&path, OpenMode::Read) else {
            self.report.missing_indexes.push(path.display().to_string());
            return Ok(());
        };
        let told = |error| io_error("read", &path, error);
        let mut found = vec![0; file.len().map_err(told)? as usize];
        file.read_at(&mut found, 0).map_err(told)?;
        if is_older(&found) {
            self.report.missing_indexes.push(path.display().to_string());
            return Ok(());
        }
        let end = scan.last_batch.1 as u32;
        let expected = encode_index(base, end, index);
        self.report.indexes += 1;
        if found != expected {
            let same = found.iter().zip(&expected).take_while(|(one, other)| one == other).count();
            let problem = "index does not agree with its segment: remove it to have it rebuilt";
            self.report.problems.push(damaged(&path, same as u64, problem));
        }
        Ok(())
    }
}

fn check_record(
    path: &Path,
    offset: u32,
    record: Glance<'_>,
    revisions: &mut FxHashMap<u64, u64>,
) -> Vec<StoreError> {
    let mut problems = Vec::new();
    let mut say = |problem: String| problems.push(damaged(path, u64::from(offset), problem));
    if let Err(error) = RecordedEvent::parse(&Bytes::copy_from_slice(record.bytes())) {
        say(error.to_string());
    }
    let last = revisions.entry(record.stream_key()).or_default();
    let (found, expected) = (record.revision().get(), *last + 1);
    if found != expected {
        say(format!("record has revision {found}, expected {expected}"));
    }
    *last = found;
    problems
}
