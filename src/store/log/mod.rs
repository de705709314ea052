//! The embedded log: append-only segment files, one barrier for each group commit.
//!
//! An append is encoded on its caller's thread, checked and given its places under one lock
//! (`assembly`), gathered with others into a batch, written and made durable with one barrier
//! (`core`, `writer`), and only then shown to readers and acknowledged. Readers (`reader`,
//! `stream_reader`) find records through each segment's index and share the memory of what
//! they read. The bytes on disk are described in `docs/reference/log-format.md`.

mod assembly;
mod backup;
mod batch;
mod bloom;
mod catalog;
mod check;
mod config;
mod core;
mod disk;
mod fault;
mod fetch;
mod file_disk;
mod file_index;
mod folder;
mod frame;
mod glance;
mod heads;
mod key;
mod kinds;
mod memory_index;
mod page;
mod prepared;
mod reader;
mod reading;
mod room;
mod scan;
mod scans;
mod segment;
mod store;
mod stream_reader;
mod turns;
mod verify;
mod writer;

pub use backup::BackupReport;
pub use config::{LogConfig, LogStats};
pub use core::LogCore;
pub use disk::{Disk, DiskFile, DiskLock, OpenMode};
pub use file_disk::FileDisk;
pub use store::LogStore;
pub use verify::{VerifyReport, verify_on};
