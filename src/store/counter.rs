//! A count that many threads add to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what an engine has done, for its statistics.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Returns what it has come to.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
