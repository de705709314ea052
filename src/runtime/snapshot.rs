//! Where snapshots are kept, and what stands in them (G11).

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use crate::event::{Revision, StreamId, Tenant};

/// Names a snapshot: the stream, and the generation of state and logic that may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotKey {
    /// Who owns the stream.
    pub tenant: Tenant,
    /// The stream.
    pub stream: StreamId,
    /// The aggregate's Rust type.
    pub aggregate: &'static str,
    /// The shape of the state.
    pub schema_hash: u64,
    /// The generation of the logic.
    pub logic_version: u32,
}

/// A state as it was at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRecord {
    /// The last revision that is folded in.
    pub revision: Revision,
    /// The state as its codec wrote it, behind the position of that revision.
    pub bytes: Vec<u8>,
}

/// Keeps snapshots. Only a cache: it may forget, and failures are its own business.
pub trait SnapshotCache: Send + Sync + 'static {
    /// Returns the newest snapshot that fits the whole key; `None` when there is none.
    fn load(&self, key: SnapshotKey) -> BoxFuture<'static, Option<SnapshotRecord>>;

    /// Keeps a snapshot in place of an older one of the same stream.
    fn save(&self, key: SnapshotKey, record: SnapshotRecord) -> BoxFuture<'static, ()>;
}

/// A cache that can be shared.
pub(super) type SharedSnapshots = Arc<dyn SnapshotCache>;

/// Keeps nothing: every state is folded from its events.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSnapshots;

impl SnapshotCache for NoSnapshots {
    fn load(&self, _: SnapshotKey) -> BoxFuture<'static, Option<SnapshotRecord>> {
        ready(None).boxed()
    }

    fn save(&self, _: SnapshotKey, _: SnapshotRecord) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
}
