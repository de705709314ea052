//! The bounds of a projection's runner (G9).

use std::time::Duration;

/// How much a runner takes at once and how patient it is.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// The most events of a batch; a batch is one transaction.
    pub batch_events_max: usize,
    /// About the most bytes of records of a batch: the page that reaches it is the last.
    pub batch_bytes_max: usize,
    /// How often a batch is tried again before the bad event in it is looked for. While the read
    /// side is not available it is tried again for ever.
    pub retries_max: u32,
    /// The wait before the first retry; each further one is twice as long.
    pub retry_first: Duration,
    /// The longest wait before a retry.
    pub retry_longest: Duration,
    /// The checkpoint is moved over events that do not match when there are this many.
    pub idle_checkpoint_events: u64,
    /// The most events recorded as skipped; the projection halts at the next.
    pub skipped_max: u64,
    /// The most events parked; the projection halts at the next.
    pub parked_max: u64,
    /// Batches with more bytes than this are decoded on a thread that may block.
    pub decode_inline_bytes_max: usize,
    /// How long rows written lately are kept in memory when no event comes.
    pub forget_rows_after: Duration,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            batch_events_max: 10_000,
            batch_bytes_max: 4 << 20,
            retries_max: 4,
            retry_first: Duration::from_millis(50),
            retry_longest: Duration::from_secs(5),
            idle_checkpoint_events: 10_000,
            skipped_max: 10_000,
            parked_max: 10_000,
            decode_inline_bytes_max: 64 << 10,
            forget_rows_after: Duration::from_secs(30),
        }
    }
}

impl RunnerConfig {
    /// Returns how long to wait before the retry after so many failures.
    #[must_use]
    pub fn retry_wait(&self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1).min(16));
        self.retry_first.saturating_mul(factor).min(self.retry_longest)
    }
}
