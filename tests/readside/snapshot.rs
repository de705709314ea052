//! Snapshots are a cache: what does not fit exactly is as if it were not there (G11).

use headwater::event::{Revision, StreamId};
use headwater::sql::{SnapshotKey, SnapshotStore, StoredSnapshot};

use super::fixture::{World, bank};
use super::place::Place;

fn key() -> SnapshotKey {
    SnapshotKey {
        tenant: bank(),
        stream: StreamId::new("account", "ada").unwrap(),
        aggregate: "Account".into(),
        schema_hash: u64::MAX - 3,
        logic_version: 2,
    }
}

fn snapshot(revision: u64) -> StoredSnapshot {
    StoredSnapshot { revision: Revision::new(revision), state: b"{}".to_vec() }
}

#[tokio::test]
async fn a_snapshot_comes_back_and_an_older_one_does_not_replace_it() {
    let world = World::new();
    let store = SnapshotStore::new(world.database().await);
    assert_eq!(store.load(key()).await.unwrap(), None);
    assert!(store.save(key(), snapshot(9)).await.unwrap());
    assert!(!store.save(key(), snapshot(8)).await.unwrap());
    assert_eq!(store.load(key()).await.unwrap(), Some(snapshot(9)));
    store.forget(key()).await.unwrap();
    assert_eq!(store.load(key()).await.unwrap(), None);
}

#[tokio::test]
async fn a_snapshot_of_another_shape_logic_or_type_is_none() {
    let world = World::new();
    let store = SnapshotStore::new(world.database().await);
    store.save(key(), snapshot(9)).await.unwrap();
    for other in [
        SnapshotKey { schema_hash: 1, ..key() },
        SnapshotKey { logic_version: 3, ..key() },
        SnapshotKey { aggregate: "Customer".into(), ..key() },
    ] {
        assert_eq!(store.load(other.clone()).await.unwrap(), None, "{other:?}");
    }
    let newer_logic = SnapshotKey { logic_version: 3, ..key() };
    assert!(store.save(newer_logic.clone(), snapshot(4)).await.unwrap());
    assert_eq!(store.load(newer_logic).await.unwrap(), Some(snapshot(4)));
}

#[tokio::test]
async fn damaged_and_oversized_snapshots_are_none() {
    let world = World::new();
    let database = world.database().await;
    let store = SnapshotStore::new(database.clone()).with_bytes_max(2);
    let large = StoredSnapshot { revision: Revision::FIRST, state: b"{ }".to_vec() };
    assert!(!store.save(key(), large).await.unwrap());
    store.save(key(), snapshot(9)).await.unwrap();
    database.write(move |tx| tx.execute(Place::DAMAGE, &[])).await.unwrap();
    assert_eq!(store.load(key()).await.unwrap(), None);
}
