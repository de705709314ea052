//! What a store in PostgreSQL is opened with, and what it tells of itself.

use std::time::Duration;

use super::feed::HeadSource;
use crate::postgres::Address;
use crate::store::StoreLimits;
use crate::store::counter::Counter;

/// Where the log lies and what this node is held to.
#[derive(Clone, Debug)]
pub struct PostgresStoreConfig {
    /// Database and schema.
    pub address: Address,
    /// Bounds of appends and pages.
    pub limits: StoreLimits,
    /// The most appends of one batch; 1,024 by default.
    pub batch_appends_max: usize,
    /// The most bytes of one batch; a larger append goes alone. 4 MiB by default.
    pub batch_bytes_max: usize,
    /// Connections that read; 4 by default. The writer has one, the notifications have one.
    pub readers: usize,
    /// How long a batch is tried again when the database is gone, and how long an answer may
    /// take; 10 s by default. After that its appends are refused, or their outcome is unknown.
    pub patience: Duration,
    /// How often the head is looked up although notifications come; 1 s by default.
    pub poll: Duration,
    /// How often the head is looked up when notifications do not come; 50 ms by default.
    pub poll_alone: Duration,
}

impl PostgresStoreConfig {
    /// Makes the default configuration for an address.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            limits: StoreLimits::default(),
            batch_appends_max: 1_024,
            batch_bytes_max: 4 << 20,
            readers: 4,
            patience: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            poll_alone: Duration::from_millis(50),
        }
    }

    /// Sets the bounds of appends and pages.
    #[must_use]
    pub fn with_limits(mut self, limits: StoreLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long a batch is tried again when the database is gone.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// What a node has done with its store since it opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresStats {
    /// Batches answered by the database.
    pub batches: u64,
    /// Appends stored.
    pub appends: u64,
    /// Events stored.
    pub events: u64,
    /// Microseconds from sending a batch to its answer, over all batches.
    pub batch_us: u64,
    /// Times that the writer had to connect again.
    pub reconnects: u64,
    /// Appends that wait for a batch now.
    pub waiting: u64,
    /// How this node learns of what other nodes append.
    pub head_source: HeadSource,
}

#[derive(Default)]
pub(super) struct Counters {
    pub batches: Counter,
    pub appends: Counter,
    pub events: Counter,
    pub batch_us: Counter,
    pub reconnects: Counter,
}
