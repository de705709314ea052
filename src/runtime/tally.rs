//! What the actors of one kind count.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters of one kind of actor; read for the report, never for decisions.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub active: AtomicUsize,
    pub started: AtomicU64,
    pub passivated: AtomicU64,
    pub lost: AtomicU64,
    pub shard_restarts: AtomicU64,
    pub panics: AtomicU64,
    pub conflicts: AtomicU64,
}

/// Adds one to a counter.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
