//! Snapshots the whole way through an actor: a recovery reads only the tail behind one, and one
//! that does not fit changes nothing but the time it takes (G11).

use std::sync::Arc;
use std::time::Duration;

use headwater::aggregate::Receipt;
use headwater::event::{NewEvent, Revision, StreamId};
use headwater::runtime::{RuntimeConfig, SendError};
use headwater::sql::ToValue;
use headwater::store::{Append, EventStore, Expected, MemoryStore};
use headwater::test::FaultyStore;

use super::records;
use super::running::{Running, start};
use super::sample::{Add, Counter, CounterEvent, CounterRejection, tenant};

/// The sample takes a snapshot every so many events.
const SNAPSHOT_AT: u64 = 10;
/// How many events lie behind the snapshot.
const TAIL: u64 = 3;
const ALL: u64 = SNAPSHOT_AT + TAIL;

/// A system whose aggregates leave memory at once, so that every command recovers its own.
struct World {
    store: Arc<FaultyStore>,
    system: Running,
    id: &'static str,
}

impl World {
    /// Makes a counter of thirteen, with a snapshot at ten.
    async fn with_snapshot(id: &'static str) -> Self {
        records::keep();
        let store = FaultyStore::over(MemoryStore::shared());
        let config = RuntimeConfig { idle_timeout: Duration::ZERO, ..RuntimeConfig::default() };
        let system = start(store.clone(), config).await;
        let world = Self { store, system, id };
        world.add(SNAPSHOT_AT, u64::MAX).await.unwrap();
        world.wait_for_snapshot(SNAPSHOT_AT).await;
        world.append_from_outside(TAIL).await;
        world.store.take_stream_events();
        world
    }

    /// Adds one so many times, unless the counter would be beyond `max` then.
    async fn add(&self, parts: u64, max: u64) -> Result<Receipt, SendError<CounterRejection>> {
        let counter = self.system.at::<Counter>(&tenant(), self.id).unwrap();
        counter.send(Add { amount: 1, parts: u32::try_from(parts).unwrap(), max }).await
    }

    /// Appends behind the actor's back, so that no snapshot is taken of it.
    async fn append_from_outside(&self, events: u64) {
        let event = |at| CounterEvent::Added { amount: 1, total: SNAPSHOT_AT + at };
        let events = (1..=events).map(|at| NewEvent::typed(&event(at)).unwrap()).collect();
        let stream = StreamId::new("counter", self.id).unwrap();
        let append = Append::to_stream(tenant(), stream, Expected::Any, events);
        self.store.append(append).await.unwrap();
    }

    async fn wait_for_snapshot(&self, revision: u64) {
        let sql = "select 1 from snapshots where revision = $1";
        let values = || vec![Revision::new(revision).to_value()];
        while self.system.database().read(sql, values()).await.unwrap().rows.is_empty() {}
    }

    async fn change_snapshot(&self, change: &str) {
        let sql = format!("update snapshots set {change}");
        let changed = self.system.database().write(move |tx| tx.execute(&sql, &[])).await;
        assert_eq!(changed.unwrap(), 1);
    }

    /// Recovers the counter and returns how many events were read for it; a counter of
    /// anything but thirteen fails the test.
    async fn recover(&self) -> u64 {
        let refused = self.add(1, ALL).await.unwrap_err();
        let total = ALL + 1;
        let wanted = CounterRejection::TooMuch { total, max: ALL };
        assert!(
            matches!(&refused, SendError::Rejected { rejection: found, .. } if *found == wanted),
            "{refused:?}"
        );
        self.store.take_stream_events()
    }

    /// Checks that a changed snapshot is not used, that the log says why, and that the next
    /// one takes its place.
    async fn assert_discarded(&self, change: &str, reason: &str) {
        self.change_snapshot(change).await;
        assert_eq!(self.recover().await, ALL);
        let told = records::of(&format!("stream=counter/{}", self.id));
        assert!(!told.is_empty());
        for record in told {
            let is_right = record.contains("WARN snapshot discarded") && record.contains(reason);
            assert!(is_right, "{record}");
        }
        self.add(1, u64::MAX).await.unwrap();
        self.wait_for_snapshot(ALL + 1).await;
        self.store.take_stream_events();
        self.add(1, ALL + 1).await.unwrap_err();
        assert_eq!(self.store.take_stream_events(), 0);
    }
}

#[tokio::test]
async fn a_recovery_reads_only_what_lies_behind_the_snapshot() {
    let world = World::with_snapshot("tail").await;
    assert_eq!(world.recover().await, TAIL);
    assert_eq!(records::of("stream=counter/tail"), Vec::<String>::new());
}

#[tokio::test]
async fn a_snapshot_of_a_state_of_another_shape_is_discarded() {
    let world = World::with_snapshot("shape").await;
    world.assert_discarded("schema_hash = 7", "its state has another shape").await;
}

#[tokio::test]
async fn a_snapshot_of_another_version_of_the_logic_is_discarded() {
    let world = World::with_snapshot("logic").await;
    world.assert_discarded("logic_version = 7", "its logic has another version").await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_discarded() {
    let world = World::with_snapshot("damaged").await;
    world.assert_discarded("state = x'7b7c'", "it is damaged").await;
}

#[tokio::test]
async fn a_snapshot_that_is_ahead_of_the_log_is_discarded() {
    let world = World::with_snapshot("ahead").await;
    world.assert_discarded("revision = 20", "the stream ends before it").await;
}
