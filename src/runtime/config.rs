//! The bounds of the runtime (G9).

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::projection::RunnerConfig;

/// What the actors are held to; past a bound the caller gets a clear refusal.
///
/// A count below 1 is taken as 1.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Threads that run aggregates; half of the machine's cores by default, since the server
    /// and the log want theirs: with all of them, commands over HTTP were 15 % slower.
    pub arbiters: usize,
    /// Shards per aggregate type, spread over the arbiters; as many as arbiters by default.
    pub shards: usize,
    /// Threads that run projections and the actors of plugins, besides the aggregates' ones.
    pub worker_threads: usize,
    /// The most aggregates kept in memory, over all types; the least used make room.
    ///
    /// One that still works is let go only when it is done, so for a moment there may be as
    /// many more as commands are waiting.
    pub live_aggregates_max: usize,
    /// How long an aggregate without commands stays in memory; zero lets it go at once.
    pub idle_timeout: Duration,
    /// The most aggregates that are being loaded at the same time.
    pub recoveries_max: usize,
    /// The most commands that have been sent and not answered yet, over all aggregates.
    pub waiting_commands_max: usize,
    /// The most commands that wait for one aggregate.
    pub waiting_per_aggregate_max: usize,
    /// The most commands of one aggregate that share one append.
    pub append_commands_max: usize,
    /// How often a command is decided before a conflict with other writers is reported.
    pub attempts_max: u32,
    /// How long a command may take before its sender is told that it timed out.
    pub command_timeout: Duration,
    /// The most event ids an aggregate keeps to answer "was this key used?" from memory.
    pub known_ids_max: usize,
    /// The most outcomes of keyed commands without events that are kept for a tenant in 24 h, by
    /// this node; so many may come at once, and the bound fills up again evenly.
    pub outcomes_per_day_max: u32,
    /// How much projections take at once and how patient they are.
    pub projections: RunnerConfig,
    /// How failed and frozen actors are treated.
    pub supervision: Supervision,
}

/// How the supervisor treats actors that fail or freeze.
#[derive(Clone, Debug)]
pub struct Supervision {
    /// The wait before the first restart; doubled at each further one.
    pub backoff_min: Duration,
    /// The longest wait before a restart.
    pub backoff_max: Duration,
    /// The most restarts within [`restarts_within`](Self::restarts_within); then it is halted.
    pub restarts_max: u32,
    /// The time over which restarts are counted.
    pub restarts_within: Duration,
    /// How long a working actor may go without a heartbeat before it counts as frozen.
    pub freeze_after: Duration,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            arbiters: cores.div_ceil(2),
            shards: cores.div_ceil(2),
            worker_threads: cores,
            live_aggregates_max: 10_000,
            idle_timeout: Duration::from_secs(120),
            recoveries_max: 50,
            waiting_commands_max: 16_384,
            waiting_per_aggregate_max: 4_096,
            append_commands_max: 256,
            attempts_max: 5,
            command_timeout: Duration::from_secs(30),
            known_ids_max: 256,
            outcomes_per_day_max: 100_000,
            projections: RunnerConfig::default(),
            supervision: Supervision::default(),
        }
    }
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            restarts_max: 10,
            restarts_within: Duration::from_secs(600),
            freeze_after: Duration::from_secs(30),
        }
    }
}
