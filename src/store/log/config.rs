//! What a log is opened with, and what it tells of itself.

use std::path::PathBuf;

use crate::clock::{SharedClock, SystemClock};
use crate::store::StoreLimits;
use crate::store::counter::Counter;

/// Where a log lies and what it is held to.
#[derive(Clone)]
pub struct LogConfig {
    /// The data folder; made when it does not exist.
    pub dir: PathBuf,
    /// Bounds of appends and pages.
    pub limits: StoreLimits,
    /// Bytes after which a segment file is closed and the next begun; 64 KiB to 1 GiB outside
    /// of tests, 64 MiB by default. A larger append gets a segment of its own.
    pub segment_bytes: u64,
    /// The most bytes by which a file is filled with zeros ahead of the tail; 8 MiB by default.
    pub ahead_bytes: u64,
    /// The most bytes of one group commit; a larger append goes alone. 4 MiB by default.
    pub batch_bytes_max: usize,
    /// How many streams' last revisions the writer remembers, some 150 bytes each; 262,144 by
    /// default. A stream that is not among them costs a look into the indexes.
    pub heads_max: usize,
    /// Threads for reads that must wait for the device; 2 by default.
    pub reader_threads: usize,
    /// Gives the recorded times.
    pub clock: SharedClock,
}

impl LogConfig {
    /// Makes the default configuration for a data folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            limits: StoreLimits::default(),
            segment_bytes: 64 << 20,
            ahead_bytes: 8 << 20,
            batch_bytes_max: 4 << 20,
            heads_max: 262_144,
            reader_threads: 2,
            clock: SystemClock::shared(),
        }
    }

    /// Sets the bounds of appends and pages.
    #[must_use]
    pub fn with_limits(mut self, limits: StoreLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the size of a segment, in bytes.
    #[must_use]
    pub const fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Sets the clock of the recorded times.
    #[must_use]
    pub fn with_clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }
}

/// What a log has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Group commits.
    pub batches: u64,
    /// Barriers (`fdatasync`) that an append had to wait for.
    pub barriers: u64,
    /// Appends stored.
    pub appends: u64,
    /// Events stored.
    pub events: u64,
    /// Bytes written to the log, frames included.
    pub bytes: u64,
    /// Pages read without waiting for the device.
    pub pages_at_hand: u64,
    /// Pages that a reader thread had to wait for.
    pub pages_waited: u64,
    /// Segments on disk, the active one included.
    pub segments: u64,
    /// Appends that wait for the writer now.
    pub waiting: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub batches: Counter,
    pub barriers: Counter,
    pub appends: Counter,
    pub events: Counter,
    pub bytes: Counter,
    pub pages_at_hand: Counter,
    pub pages_waited: Counter,
}
