//! What the actors of a system say of themselves.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::exit::ExitReason;
use super::supervisor::{ActorState, Supervised};
use super::tally::Tally;

/// The state of every actor of a system.
#[derive(Clone, Debug, Serialize)]
pub struct SystemReport {
    /// Commands that have been sent and not been answered yet.
    pub waiting_commands: usize,
    /// Aggregates in memory, over all types.
    pub live_aggregates: usize,
    /// Each kind of actor: aggregate types first, then supervised actors.
    pub actors: Vec<ActorReport>,
}

/// The state of one kind of actor; counts are since the system started.
#[derive(Clone, Debug, Serialize)]
pub struct ActorReport {
    /// What kind: `aggregate order`, `projection revenue`.
    pub kind: String,
    /// How many there are now.
    pub active: usize,
    /// How many have been started.
    pub started: u64,
    /// How many aggregates have been let out of memory.
    pub passivated: u64,
    /// How often one was started again after it failed or froze.
    pub restarts: u64,
    /// Panics of user code that were caught.
    pub panics: u64,
    /// How often other writers were faster.
    pub conflicts: u64,
    /// Why it ended last; `None` when it never did, and for aggregates.
    pub last_exit: Option<ExitReason>,
    /// Whether the supervisor has given it up until it is resumed.
    pub is_halted: bool,
}

impl ActorReport {
    pub(super) fn of_aggregate(category: &str, tally: &Tally) -> Self {
        let lost = tally.lost.load(Ordering::Relaxed);
        Self {
            kind: format!("aggregate {category}"),
            active: tally.active.load(Ordering::Relaxed),
            started: tally.started.load(Ordering::Relaxed),
            passivated: tally.passivated.load(Ordering::Relaxed),
            restarts: lost + tally.shard_restarts.load(Ordering::Relaxed),
            panics: tally.panics.load(Ordering::Relaxed),
            conflicts: tally.conflicts.load(Ordering::Relaxed),
            last_exit: None,
            is_halted: false,
        }
    }

    pub(super) fn of_supervised(actor: &Supervised) -> Self {
        let status = actor.status.borrow();
        Self {
            kind: actor.name.clone(),
            active: usize::from(status.state == ActorState::Running),
            started: status.starts,
            passivated: 0,
            restarts: status.starts.saturating_sub(1),
            panics: status.panics,
            conflicts: 0,
            last_exit: status.last_exit.clone(),
            is_halted: status.state == ActorState::Halted,
        }
    }
}
