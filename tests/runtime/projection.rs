//! Projections run by their actors: several at once, waited for, paused, resumed, rebuilt.

use std::time::Duration;

use headwater::event::Recorded;
use headwater::projection::{Projection, ProjectionError, ProjectionState, ProjectionStatus};
use headwater::runtime::{ControlError, RuntimeConfig};
use headwater::sql::Tx;
use headwater::store::MemoryStore;

use super::running::{Running, start_with};
use super::sample::{Counter, CounterEvent, add, tenant, totals};

const LONG: Duration = Duration::from_secs(10);

totals!(Totals, "totals");

/// One row per event.
struct Journal;

impl Projection for Journal {
    const NAME: &'static str = "journal";
    const VERSION: u32 = 1;
    const SCHEMA: &'static str = "create table {journal} (position bigint primary key)";
    type Event = CounterEvent;

    fn apply(
        &self,
        batch: &[Recorded<CounterEvent>],
        tx: &mut Tx<'_>,
    ) -> Result<(), ProjectionError> {
        for event in batch {
            tx.execute("insert into {journal} values ($1)", &[&event.position()])?;
        }
        Ok(())
    }
}

async fn system() -> Running {
    let parts =
        |builder: headwater::runtime::SystemBuilder| builder.rows(Totals::<1>).projection(Journal);
    start_with(MemoryStore::shared(), RuntimeConfig::default(), parts).await
}

async fn total(system: &Running) -> serde_json::Value {
    let row = system.catalog().get("totals", tenant(), "a".into()).await.unwrap();
    serde_json::from_str::<serde_json::Value>(row.unwrap().row.get()).unwrap()["total"].clone()
}

fn status(system: &Running, name: &str) -> ProjectionStatus {
    system.projections().into_iter().find(|status| status.name == name).unwrap()
}

#[tokio::test]
async fn what_was_written_can_be_read_once_its_position_was_waited_for() {
    let system = system().await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    for round in 1..=20 {
        let receipt = counter.send(add(1)).await.unwrap();
        for name in ["totals", "journal"] {
            let at = system.wait_for(name, receipt.position, LONG).await.unwrap();
            assert!(at >= receipt.position);
        }
        assert_eq!(total(&system).await, round);
    }
    let leftover = system.shutdown(LONG).await;
    assert_eq!(leftover, headwater::runtime::Leftover::default());
}

#[tokio::test]
async fn a_system_that_has_started_takes_orders_for_its_projections_at_once() {
    for _ in 0..10 {
        let system = system().await;
        system.pause("totals").await.unwrap();
        system.rebuild("journal").await.unwrap();
    }
}

#[tokio::test]
async fn a_paused_projection_stands_still_until_it_is_resumed() {
    let system = system().await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let first = counter.send(add(1)).await.unwrap();
    system.wait_for("totals", first.position, LONG).await.unwrap();
    system.pause("totals").await.unwrap();
    let second = counter.send(add(1)).await.unwrap();
    system.wait_for("journal", second.position, LONG).await.unwrap();
    let paused = status(&system, "totals");
    assert_eq!((paused.state, paused.position), (ProjectionState::Paused, first.position));
    system.resume("totals").await.unwrap();
    system.wait_for("totals", second.position, LONG).await.unwrap();
    assert_eq!(total(&system).await, 2);
}

#[tokio::test]
async fn a_rebuild_takes_over_with_the_same_rows() {
    let system = system().await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let mut last = counter.send(add(1)).await.unwrap();
    system.wait_for("totals", last.position, LONG).await.unwrap();
    let before = status(&system, "totals").generation;
    system.rebuild("totals").await.unwrap();
    while status(&system, "totals").generation == before {
        last = counter.send(add(1)).await.unwrap();
        system.wait_for("totals", last.position, LONG).await.unwrap();
    }
    assert_eq!(total(&system).await, last.revision.get());
}

#[tokio::test]
async fn an_unknown_projection_is_refused_with_the_known_ones() {
    let system = system().await;
    let told = system.pause("nothing").await;
    let Err(ControlError::Unknown { known, .. }) = told else { panic!("{told:?}") };
    assert_eq!(known, ["journal", "totals"]);
}
