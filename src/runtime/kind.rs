//! What the actors of one aggregate type share.

use std::panic::catch_unwind;
use std::sync::Arc;

use super::batch::{Batch, Decided};
use super::tally::Tally;
use super::world::World;
use crate::aggregate::{Aggregate, SnapshotPolicy};

/// The world, seen by one aggregate type.
pub(super) struct Kind<A> {
    pub world: Arc<World>,
    /// Worked out once: its schema hash is not for free.
    pub policy: Option<SnapshotPolicy<A>>,
    pub bounds: Bounds,
    pub tally: Arc<Tally>,
}

/// What a pipeline is held to.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub waiting_max: usize,
    pub commands_max: usize,
    events_max: usize,
    bytes_max: usize,
    pub attempts_max: u32,
}

impl<A: Aggregate> Kind<A> {
    pub fn new(world: Arc<World>) -> Self {
        let policy = catch_unwind(A::snapshots).ok().flatten();
        let bounds = Bounds::new(&world);
        Self { world, policy, bounds, tally: Arc::default() }
    }
}

impl Bounds {
    fn new(world: &World) -> Self {
        let (config, limits) = (&world.config, world.store.limits());
        Self {
            waiting_max: config.waiting_per_aggregate_max.max(1),
            commands_max: config.append_commands_max.max(1),
            events_max: limits.append_events_max,
            bytes_max: limits.append_bytes_max,
            attempts_max: config.attempts_max.max(1),
        }
    }

    /// Returns whether a batch can take what a command led to and is still one append.
    pub fn fit<A: Aggregate>(&self, batch: &Batch<A>, decided: &Decided<A>) -> bool {
        let more = || decided.events.iter().chain(&decided.kept);
        let count = batch.events.len() + batch.kept.len() + more().count();
        let bytes = batch.bytes + more().map(|event| event.data().len()).sum::<usize>();
        count <= self.events_max && bytes <= self.bytes_max
    }
}
