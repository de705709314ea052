//! Nodes in one process: each with a store, a read side and actors of its own, over one schema.

use std::sync::Arc;
use std::time::Duration;

use headwater::event::{Position, Recorded};
use headwater::nodes::{NodeConfig, NodeState, Roster};
use headwater::projection::{ProjectionError, RowProjection};
use headwater::runtime::{System, SystemBuilder};
use headwater::sql::PostgresConfig;
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::test::ScratchSchema;
use serde::{Deserialize, Serialize};

use super::sample::{Counter, CounterEvent, add, counter, tenant};

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(60);

/// The names of the projections of [`Place::node`].
pub const PROJECTIONS: [&str; 4] = ["totals", "second", "third", "fourth"];

#[derive(Serialize, Deserialize)]
pub struct Total {
    total: u64,
}

/// Rows of totals under several names, since a name is a constant of its type.
macro_rules! totals {
    ($type:ident, $name:literal) => {
        pub struct $type<const VERSION: u32>;

        impl<const VERSION: u32> RowProjection for $type<VERSION> {
            const NAME: &'static str = $name;
            const VERSION: u32 = VERSION;
            type Event = CounterEvent;
            type Key = String;
            type Row = Total;

            fn route(&self, event: &Recorded<CounterEvent>) -> impl IntoIterator<Item = String> {
                [event.stream_id().to_owned()]
            }

            fn evolve(
                &self,
                _: &String,
                row: &mut Option<Total>,
                event: &Recorded<CounterEvent>,
            ) -> Result<(), ProjectionError> {
                if let CounterEvent::Added { amount, .. } = event.data {
                    row.get_or_insert(Total { total: 0 }).total += amount;
                }
                Ok(())
            }
        }
    };
}

totals!(Totals, "totals");
totals!(Second, "second");
totals!(Third, "third");
totals!(Fourth, "fourth");

/// A schema that nodes share.
pub struct Place(ScratchSchema);

impl Place {
    pub fn new() -> Self {
        Self(ScratchSchema::with_log().unwrap())
    }

    /// Starts a node with four projections of version 1 that is soon taken for dead.
    pub async fn node(&self, name: &str) -> System {
        let config = NodeConfig { silence: Duration::from_millis(600), ..patient(name) };
        self.start(config, four::<1>).await
    }

    pub async fn start(
        &self,
        config: NodeConfig,
        parts: impl FnOnce(SystemBuilder) -> SystemBuilder,
    ) -> System {
        let store = PostgresStore::open(PostgresStoreConfig::new(self.0.address().clone()));
        let database = PostgresConfig::at(self.0.address().clone()).open().unwrap();
        let builder = System::builder(Arc::new(store.unwrap()), database).node(config);
        parts(builder.aggregate(counter())).start().await.unwrap()
    }
}

/// A node that nobody takes for dead while a test runs.
pub fn patient(name: &str) -> NodeConfig {
    NodeConfig {
        name: name.to_owned(),
        heartbeat: Duration::from_millis(50),
        silence: LONG,
        ..NodeConfig::default()
    }
}

pub fn four<const VERSION: u32>(builder: SystemBuilder) -> SystemBuilder {
    builder
        .rows(Totals::<VERSION>)
        .rows(Second::<VERSION>)
        .rows(Third::<VERSION>)
        .rows(Fourth::<VERSION>)
}

/// Adds one to counter `a`, and returns where that lies.
pub async fn count(node: &System) -> Position {
    node.at::<Counter>(&tenant(), "a").unwrap().send(add(1)).await.unwrap().position
}

/// Returns the row of counter `a`.
pub async fn total(node: &System, projection: &str) -> u64 {
    let row = node.catalog().get(projection, tenant(), "a".into()).await.unwrap();
    serde_json::from_str::<Total>(row.unwrap().row.get()).unwrap().total
}

/// Returns how many leases each living node holds, by name.
pub fn shares(roster: &Roster) -> Vec<(&str, usize)> {
    let alive = roster.nodes.iter().filter(|node| node.state == NodeState::Alive);
    let mut shares: Vec<_> =
        alive.map(|node| (node.name.as_str(), roster.held_by(&node.id).count())).collect();
    shares.sort_unstable();
    shares
}

/// Waits until the leases are shared so.
pub async fn until_shared(node: &System, wanted: &[(&str, usize)]) {
    let shared = node.membership().until(|roster| shares(roster) == wanted);
    if tokio::time::timeout(LONG, shared).await.is_err() {
        panic!("wanted {wanted:?}, got {:?}", node.membership().roster());
    }
}
