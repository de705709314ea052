//! Nodes in one process: each with a store, a read side and actors of its own, over one schema.

use std::sync::Arc;
use std::time::Duration;

use headwater::event::Position;
use headwater::nodes::{NodeConfig, NodeState, Roster};
use headwater::projection::ProjectionStatus;
use headwater::runtime::{System, SystemBuilder};
use headwater::sql::PostgresConfig;
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::test::ScratchSchema;

use super::sample::{Counter, Total, add, counter, tenant, totals};

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(60);

/// The names of the projections of [`Place::node`].
pub const PROJECTIONS: [&str; 4] = ["totals", "second", "third", "fourth"];

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
        self.start_over(self, config, parts).await
    }

    /// Starts a node whose log lies in another place.
    pub async fn start_over(
        &self,
        log: &Self,
        config: NodeConfig,
        parts: impl FnOnce(SystemBuilder) -> SystemBuilder,
    ) -> System {
        let store = PostgresStore::open(PostgresStoreConfig::new(log.0.address().clone()));
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

/// Returns how a node sees a projection.
pub fn status(node: &System, name: &str) -> ProjectionStatus {
    node.projections().into_iter().find(|status| status.name == name).unwrap()
}

/// Looks until a node sees a projection as wanted.
pub async fn until_seen(node: &System, name: &str, is_so: impl Fn(&ProjectionStatus) -> bool) {
    let seen = async {
        while !is_so(&status(node, name)) {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LONG, seen).await.is_ok(), "{:?}", status(node, name));
}
