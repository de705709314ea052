//! The limit of a durable append: a zero-filled file, overwritten in order, one barrier a write.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use super::case::Measure;
use crate::error::Failure;

const FILE_BYTES: u64 = 64 << 20;

/// A file prepared like a segment of the log.
pub struct RawFile {
    file: File,
    at: u64,
}

impl RawFile {
    /// Makes and zero-fills the file.
    pub fn create(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("raw.limit");
        let file =
            OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    /// Writes `block` and waits for the disk, again and again; counts `events` a write.
    pub fn write(
        &mut self,
        block: &[u8],
        events: u64,
        within: Duration,
    ) -> Result<Measure, Failure> {
        Measure::repeat(within, || {
            if self.at + block.len() as u64 > FILE_BYTES {
                self.at = 0;
            }
            self.file.write_all_at(block, self.at)?;
            self.file.sync_data()?;
            self.at += block.len() as u64;
            Ok(events)
        })
    }
}
