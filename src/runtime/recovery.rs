//! Brings an aggregate back into memory: a snapshot if one fits, then the rest of its stream.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::envelope::Key;
use super::error::SendError;
use super::kind::Kind;
use super::known_ids::KnownIds;
use super::world::World;
use crate::aggregate::{Aggregate, SnapshotPolicy};
use crate::event::{EventSet, Position, RecordedEvent, Revision, StreamId};
use crate::sql::SnapshotKey;
use crate::store::{StoreError, StreamRead};

/// An aggregate in memory, and where in its stream it stands.
pub(super) struct Loaded<A> {
    pub state: A,
    pub revision: Revision,
    pub position: Position,
    pub ids: KnownIds,
    /// The revision of the newest snapshot; 0 when there is none.
    pub snapshot: Revision,
}

/// Why an aggregate could not be loaded; every command that waits for it is told.
#[derive(Clone, Debug)]
pub(super) enum RecoveryError {
    Store(StoreError),
    Unreadable { stream: StreamId, revision: Revision, problem: String },
    Panicked,
}

impl<R> From<RecoveryError> for SendError<R> {
    fn from(error: RecoveryError) -> Self {
        match error {
            RecoveryError::Store(error) => Self::Read(error),
            RecoveryError::Unreadable { stream, revision, problem } => {
                Self::Unreadable { stream, revision, problem }
            }
            RecoveryError::Panicked => Self::Panicked,
        }
    }
}

/// Loads an aggregate; at most so many at once as the configuration allows.
pub(super) async fn recover<A: Aggregate>(
    kind: Arc<Kind<A>>,
    key: Key,
) -> Result<Loaded<A>, RecoveryError> {
    let world = &kind.world;
    // The semaphore is never closed, so without a permit there is still no reason to fail.
    let _permit = world.recoveries.acquire().await;
    let mut loaded = match from_snapshot(&kind, &key).await {
        Some(loaded) => loaded,
        None => fresh(world)?,
    };
    let page_events = world.store.limits().page_events_max.min(1_000);
    loop {
        let (tenant, stream) = (key.tenant.clone(), key.stream.clone());
        let read = StreamRead::after(tenant, stream, loaded.revision, page_events);
        let page = world.store.read_stream(read).await.map_err(RecoveryError::Store)?;
        for event in &page.events {
            fold(&mut loaded, &key, event)?;
        }
        if page.next.is_none() {
            return Ok(loaded);
        }
    }
}

/// Names the snapshot of an aggregate under the policy that its code has today.
pub(super) fn snapshot_key<A>(key: &Key, policy: &SnapshotPolicy<A>) -> SnapshotKey {
    SnapshotKey {
        tenant: key.tenant.clone(),
        stream: key.stream.clone(),
        aggregate: std::any::type_name::<A>().to_owned(),
        schema_hash: policy.codec.schema_hash,
        logic_version: policy.logic_version,
    }
}

fn fresh<A: Aggregate>(world: &World) -> Result<Loaded<A>, RecoveryError> {
    let state = catch_unwind(A::default).map_err(|_| RecoveryError::Panicked)?;
    Ok(Loaded {
        state,
        revision: Revision::ZERO,
        position: Position::ZERO,
        ids: KnownIds::complete(world.config.known_ids_max),
        snapshot: Revision::ZERO,
    })
}

async fn from_snapshot<A: Aggregate>(kind: &Kind<A>, key: &Key) -> Option<Loaded<A>> {
    let policy = kind.policy.as_ref()?;
    let record = kind.world.snapshots.load(snapshot_key(key, policy)).await.ok()??;
    let (position, bytes) = record.state.split_first_chunk()?;
    // A codec that panics on old bytes is no worse than one that refuses them.
    let state = catch_unwind(AssertUnwindSafe(|| (policy.codec.load)(bytes))).ok()??;
    Some(Loaded {
        state,
        revision: record.revision,
        position: Position::new(u64::from_le_bytes(*position)),
        ids: KnownIds::partial(),
        snapshot: record.revision,
    })
}

fn fold<A: Aggregate>(
    loaded: &mut Loaded<A>,
    key: &Key,
    recorded: &RecordedEvent,
) -> Result<(), RecoveryError> {
    let unreadable = |problem: String| RecoveryError::Unreadable {
        stream: key.stream.clone(),
        revision: recorded.revision(),
        problem,
    };
    if recorded.revision() != loaded.revision.next() {
        return Err(unreadable(format!("expected revision {} here", loaded.revision.next())));
    }
    let folded = catch_unwind(AssertUnwindSafe(|| {
        let event = <A::Event as EventSet>::decode(recorded)?;
        loaded.state.evolve(&event);
        Ok::<_, crate::event::DecodeError>(())
    }));
    folded.map_err(|_| RecoveryError::Panicked)?.map_err(|error| unreadable(error.to_string()))?;
    loaded.revision = recorded.revision();
    loaded.position = recorded.position();
    loaded.ids.insert(recorded.id());
    Ok(())
}
