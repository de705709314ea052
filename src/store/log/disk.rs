//! The seam between the log and the device, so that a test can put a faulty one there.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading only.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; made anew and empty.
    Create,
}

/// Holds a lock on a file until it is dropped.
pub type DiskLock = Box<dyn Send + Sync>;

/// What the log needs of a file system.
pub trait Disk: Send + Sync + 'static {
    /// Makes a folder and those above it; one that exists is fine.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Returns the names of a folder's files.
    ///
    /// # Errors
    /// What the system says; `NotFound` when there is no such folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    /// What the system says; `NotFound` when there is no such file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what bore it; durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder's names durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Locks a file, making it if need be.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<DiskLock>;
}

/// A file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    /// Reads until the buffer is full or the file ends, and returns how many bytes it read.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads like [`DiskFile::read_at`], but only what lies in memory already.
    ///
    /// # Errors
    /// `WouldBlock` when the read would wait for the device.
    fn read_at_hand(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// What the system says; `StorageFull` when there is no room.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Waits until everything that was written is on the device.
    ///
    /// # Errors
    /// What the system says; what was written since the last barrier may be lost then.
    fn sync_data(&self) -> io::Result<()>;

    /// Returns the length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Returns whether the file has no byte.
    ///
    /// # Errors
    /// What the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}
