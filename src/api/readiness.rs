//! Whether the server should be sent requests: found out now and then, told from memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ApiState;

/// How often uses of keys are stored.
const STORE_EVERY: Duration = Duration::from_secs(60);

/// Whether requests should be sent here.
#[derive(Default)]
pub(super) struct Readiness {
    is_draining: AtomicBool,
}

impl Readiness {
    /// Says that no more requests should come.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}

/// Looks after the server in the background until it is dropped.
pub(super) async fn watch_over(state: Arc<ApiState>) {
    let mut ticks = tokio::time::interval(STORE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = state.keys.store_uses().await {
            tracing::warn!(%error, "last use of keys could not be stored");
        }
    }
}
