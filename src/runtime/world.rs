//! What every actor of a system shares.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::config::RuntimeConfig;
use super::intake::Intake;
use super::outcome_budget::OutcomeBudget;
use crate::clock::SharedClock;
use crate::sql::{Database, SnapshotStore};
use crate::store::SharedStore;

/// Store, clock and bounds.
pub(super) struct World {
    pub store: SharedStore,
    pub clock: SharedClock,
    pub config: RuntimeConfig,
    pub database: Database,
    pub snapshots: SnapshotStore,
    pub intake: Intake,
    pub outcomes: OutcomeBudget,
    pub recoveries: Semaphore,
    pub live: AtomicUsize,
}

impl World {
    pub fn new(
        store: SharedStore,
        clock: SharedClock,
        database: Database,
        config: RuntimeConfig,
    ) -> Self {
        let intake = Intake::new(config.waiting_commands_max);
        let outcomes = OutcomeBudget::new(config.outcomes_per_day_max);
        let recoveries = Semaphore::new(config.recoveries_max.max(1));
        let snapshots = SnapshotStore::new(database.clone());
        let live = AtomicUsize::new(0);
        Self { store, clock, config, database, snapshots, intake, outcomes, recoveries, live }
    }

    /// Returns whether there is no room for one more aggregate in memory.
    pub fn is_crowded(&self) -> bool {
        self.live.load(Ordering::Relaxed) >= self.config.live_aggregates_max.max(1)
    }
}
