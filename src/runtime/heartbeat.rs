//! How an actor shows that it lives, and how the supervisor sees that it does not.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// An actor's sign of life; cheap to clone.
///
/// An actor beats at each step of its work and says when it waits for work: only one that
/// should work and does not beat is frozen.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat {
    pulse: Arc<Pulse>,
}

#[derive(Debug, Default)]
struct Pulse {
    beats: AtomicU64,
    is_idle: AtomicBool,
}

/// What the supervisor saw of a heartbeat last.
#[derive(Debug)]
pub(super) struct Watch {
    heartbeat: Heartbeat,
    seen: u64,
    since: Instant,
}

impl Heartbeat {
    /// Shows that the actor has done a step.
    pub fn beat(&self) {
        self.pulse.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for something that may never come, without being taken for frozen.
    pub async fn idle<F: Future>(&self, wait: F) -> F::Output {
        self.pulse.is_idle.store(true, Ordering::Relaxed);
        // A wait may also be dropped, by a `select!` of which another branch was ready.
        let _waiting = Waiting(self);
        wait.await
    }
}

/// Ends a wait when it is dropped.
struct Waiting<'a>(&'a Heartbeat);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.beat();
        self.0.pulse.is_idle.store(false, Ordering::Relaxed);
    }
}

impl Watch {
    pub fn new(heartbeat: Heartbeat, now: Instant) -> Self {
        Self { heartbeat, seen: 0, since: now }
    }

    /// Returns whether there was no beat for longer than `bound` while there should have been.
    pub fn is_frozen(&mut self, now: Instant, bound: Duration) -> bool {
        let beats = self.heartbeat.pulse.beats.load(Ordering::Relaxed);
        let is_idle = self.heartbeat.pulse.is_idle.load(Ordering::Relaxed);
        if is_idle || beats != self.seen {
            self.seen = beats;
            self.since = now;
        }
        now.duration_since(self.since) > bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(10);

    #[test]
    fn a_working_actor_is_frozen_only_past_the_bound_and_a_beat_wins_it_time() {
        let (heartbeat, start) = (Heartbeat::default(), Instant::now());
        let mut watch = Watch::new(heartbeat.clone(), start);
        assert!(!watch.is_frozen(start + BOUND, BOUND));
        heartbeat.beat();
        assert!(!watch.is_frozen(start + BOUND * 2, BOUND));
        assert!(watch.is_frozen(start + BOUND * 3 + Duration::from_millis(1), BOUND));
    }

    #[tokio::test]
    async fn an_actor_that_waits_for_work_is_never_frozen() {
        let (heartbeat, start) = (Heartbeat::default(), Instant::now());
        let mut watch = Watch::new(heartbeat.clone(), start);
        let wait = heartbeat.idle(std::future::pending::<()>());
        tokio::pin!(wait);
        assert!(futures_util::poll!(&mut wait).is_pending());
        assert!(!watch.is_frozen(start + BOUND * 100, BOUND));
    }

    #[tokio::test]
    async fn an_actor_that_gave_a_wait_up_has_work_again() {
        let (heartbeat, start) = (Heartbeat::default(), Instant::now());
        let mut watch = Watch::new(heartbeat.clone(), start);
        tokio::select! {
            biased;
            () = heartbeat.idle(std::future::pending()) => {}
            () = std::future::ready(()) => {}
        }
        assert!(!watch.is_frozen(start, BOUND));
        assert!(watch.is_frozen(start + BOUND * 2, BOUND));
    }
}
