//! A consistent copy of the log while it runs.

use std::io::ErrorKind;
use std::path::Path;

use super::core::LogCore;
use super::disk::{DiskFile, OpenMode};
use super::fault::{damaged, io_error};
use super::folder::Folder;
use super::frame::FrameHeader;
use super::segment::Segment;
use crate::event::Position;
use crate::store::StoreError;

const CHUNK: usize = 1 << 20;

/// What a backup copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Position of the last event in the copy; 0 when the log had none.
    pub position: Position,
    /// Segments copied.
    pub segments: u64,
    /// Bytes of their log files.
    pub bytes: u64,
}

/// Copies the log up to what is durable now.
pub fn copy(core: &LogCore, dir: &Path) -> Result<BackupReport, StoreError> {
    let copy = Folder { disk: core.folder.disk.clone(), dir: dir.to_owned() };
    expect_empty(&copy)?;
    let segments_dir = copy.segments_dir();
    let made = copy.disk.create_dir(&segments_dir);
    made.map_err(|error| io_error("create", &segments_dir, error))?;
    let segments = core.catalog.segments();
    let mut report = BackupReport { position: Position::ZERO, segments: 0, bytes: 0 };
    for segment in segments.iter() {
        let (end, position) = copy_segment(segment, &copy)?;
        copy_index(&core.folder, &copy, segment)?;
        report.segments += 1;
        report.bytes += end;
        report.position = Position::new(position);
    }
    let synced = copy.disk.sync_dir(&segments_dir);
    synced.map_err(|error| io_error("sync", &segments_dir, error))?;
    // Last, so that a copy that was cut short does not open.
    copy.write_format()?;
    Ok(report)
}

/// Copies the log files of a folder that another process may be writing to.
///
/// Files only grow, so what was durable before is whole in the copy. The newest batch may be
/// caught half-written; it is a torn tail then, which opening the copy cuts.
pub fn copy_files(from: &Folder, copy: &Folder) -> Result<(), StoreError> {
    if from.format()?.is_none() {
        let path = from.dir.display().to_string();
        return Err(StoreError::Invalid { path, problem: "holds no log".into() });
    }
    expect_empty(copy)?;
    let segments_dir = copy.segments_dir();
    let made = copy.disk.create_dir(&segments_dir);
    made.map_err(|error| io_error("create", &segments_dir, error))?;
    let mut bases = from.bases()?;
    bases.sort_unstable();
    bases.iter().try_for_each(|base| copy_file(from, copy, *base))?;
    let synced = copy.disk.sync_dir(&segments_dir);
    synced.map_err(|error| io_error("sync", &segments_dir, error))?;
    copy.write_format()
}

/// Copies the log file of a segment as it is now.
pub fn copy_file(from: &Folder, copy: &Folder, base: u64) -> Result<(), StoreError> {
    let (path, to_path) = (from.log_path(base), copy.log_path(base));
    let file = from.file(&path, OpenMode::Read)?;
    let to = copy.file(&to_path, OpenMode::Create)?;
    let (mut at, mut bytes) = (0, vec![0; CHUNK]);
    loop {
        let count = file.read_at(&mut bytes, at).map_err(|error| io_error("read", &path, error))?;
        let Some(chunk) = bytes.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
        to.write_at(chunk, at).map_err(|error| io_error("write", &to_path, error))?;
        at += count as u64;
    }
    to.sync_data().map_err(|error| io_error("sync", &to_path, error))
}

fn expect_empty(copy: &Folder) -> Result<(), StoreError> {
    match copy.disk.list(&copy.dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("list", &copy.dir, error)),
        Ok(names) if names.is_empty() => Ok(()),
        Ok(_) => {
            let path = copy.dir.display().to_string();
            Err(StoreError::Invalid { path, problem: "is not empty: name a new folder".into() })
        }
    }
}

fn copy_segment(segment: &Segment, copy: &Folder) -> Result<(u64, u64), StoreError> {
    let (end, next) = segment.shown();
    let path = copy.log_path(segment.base);
    let to = copy.file(&path, OpenMode::Create)?;
    copy_bytes(segment, &*to, &path, u64::from(end))?;
    let mark = FrameHeader::end_mark(next).encode();
    to.write_at(&mark, u64::from(end)).map_err(|error| io_error("write", &path, error))?;
    to.sync_data().map_err(|error| io_error("sync", &path, error))?;
    Ok((u64::from(end) + mark.len() as u64, next.saturating_sub(1)))
}

fn copy_bytes(
    segment: &Segment,
    to: &dyn DiskFile,
    path: &Path,
    end: u64,
) -> Result<(), StoreError> {
    let (mut at, mut bytes) = (0, vec![0; CHUNK]);
    while at < end {
        let len = (end - at).min(CHUNK as u64) as usize;
        let chunk = bytes.get_mut(..len).unwrap_or_default();
        let count = segment.file.read_at(chunk, at);
        if count.map_err(|error| io_error("read", &segment.path, error))? < len {
            return Err(damaged(&segment.path, at, "file is cut short"));
        }
        to.write_at(chunk, at).map_err(|error| io_error("write", path, error))?;
        at += len as u64;
    }
    Ok(())
}

/// Copies an index file that is there; one that is not is made when the copy is opened.
fn copy_index(from: &Folder, copy: &Folder, segment: &Segment) -> Result<(), StoreError> {
    if !segment.is_sealed() {
        return Ok(());
    }
    let path = from.index_path(segment.base);
    let file = from.file(&path, OpenMode::Read)?;
    let len = file.len().map_err(|error| io_error("read", &path, error))?;
    let mut bytes = vec![0; len as usize];
    file.read_at(&mut bytes, 0).map_err(|error| io_error("read", &path, error))?;
    copy.write_whole(&copy.index_path(segment.base), &bytes)
}
