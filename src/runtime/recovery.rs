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
    if let Some(loaded) = from_snapshot(&kind, &key).await {
        if let Some(loaded) = catch_up(world, &key, loaded).await? {
            return Ok(loaded);
        }
        discard(&kind, &key, "it is not of this log: the stream ends before it").await;
    }
    let loaded = catch_up(world, &key, fresh(world)?).await?;
    loaded.ok_or_else(|| unreadable(&key, Revision::FIRST, "its positions run backwards".into()))
}

/// Folds the rest of a stream; `None` when the state does not belong to the stream's history,
/// such as after an older log was put under a newer read side.
async fn catch_up<A: Aggregate>(
    world: &World,
    key: &Key,
    mut loaded: Loaded<A>,
) -> Result<Option<Loaded<A>>, RecoveryError> {
    let page_events = world.store.limits().page_events_max.min(1_000);
    loop {
        let (tenant, stream) = (key.tenant.clone(), key.stream.clone());
        let read = StreamRead::after(tenant, stream, loaded.revision, page_events);
        let page = world.store.read_stream(read).await.map_err(RecoveryError::Store)?;
        let is_older = |event: &RecordedEvent| event.position() <= loaded.position;
        if page.revision < loaded.revision || page.events.first().is_some_and(is_older) {
            return Ok(None);
        }
        for event in &page.events {
            fold(&mut loaded, key, event)?;
        }
        if page.next.is_none() {
            return Ok(Some(loaded));
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
    let record = match kind.world.snapshots.load(snapshot_key(key, policy)).await {
        Ok(found) => found?,
        Err(error) => {
            tracing::warn!(tenant = %key.tenant, stream = %key.stream, %error, "snapshot was not read");
            return None;
        }
    };
    // A codec that panics on old bytes is no worse than one that refuses them.
    let read = |bytes: &[u8]| catch_unwind(AssertUnwindSafe(|| (policy.codec.load)(bytes)));
    let parts = record.state.split_first_chunk();
    let parts = parts.and_then(|(position, bytes)| Some((position, read(bytes).ok()??)));
    let Some((position, state)) = parts else {
        discard(kind, key, "its codec does not read it").await;
        return None;
    };
    Some(Loaded {
        state,
        revision: record.revision,
        position: Position::new(u64::from_le_bytes(*position)),
        ids: KnownIds::partial(),
        snapshot: record.revision,
    })
}

/// Forgets a snapshot that cannot be used, so that it is not taken for a good one later on.
async fn discard<A: Aggregate>(kind: &Kind<A>, key: &Key, reason: &str) {
    tracing::warn!(tenant = %key.tenant, stream = %key.stream, reason, "snapshot discarded");
    let Some(policy) = &kind.policy else { return };
    if let Err(error) = kind.world.snapshots.forget(snapshot_key(key, policy)).await {
        tracing::warn!(tenant = %key.tenant, stream = %key.stream, %error, "snapshot was not forgotten");
    }
}

fn unreadable(key: &Key, revision: Revision, problem: String) -> RecoveryError {
    RecoveryError::Unreadable { stream: key.stream.clone(), revision, problem }
}

fn fold<A: Aggregate>(
    loaded: &mut Loaded<A>,
    key: &Key,
    recorded: &RecordedEvent,
) -> Result<(), RecoveryError> {
    let unreadable = |problem| unreadable(key, recorded.revision(), problem);
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
