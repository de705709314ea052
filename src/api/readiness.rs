//! Whether the server should be sent requests: found out now and then, told from memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use super::ApiState;
use crate::runtime::HealthCheck;

/// How often the parts of the system are asked.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Uses of keys are stored once in so many checks.
const CHECKS_PER_STORE: u64 = 60;

/// The last known health; probes cost nothing however many there are.
#[derive(Default)]
pub(super) struct Readiness {
    is_draining: AtomicBool,
    checks: RwLock<Arc<Vec<HealthCheck>>>,
}

impl Readiness {
    /// Says that no more requests should come.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Returns what the parts last said; nothing before they were first asked.
    pub fn checks(&self) -> Arc<Vec<HealthCheck>> {
        Arc::clone(&self.checks.read())
    }

    fn note(&self, checks: Vec<HealthCheck>) {
        *self.checks.write() = Arc::new(checks);
    }
}

/// Looks after the server in the background until it is dropped.
pub(super) async fn watch_over(state: Arc<ApiState>) {
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 1_u64.. {
        ticks.tick().await;
        state.readiness.note(state.system.health().await);
        if !round.is_multiple_of(CHECKS_PER_STORE) {
            continue;
        }
        if let Err(error) = state.keys.store_uses().await {
            tracing::warn!(%error, "last use of keys could not be stored");
        }
    }
}
