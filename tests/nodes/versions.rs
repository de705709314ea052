//! Programs of two versions side by side, as in a rolling deployment.

use headwater::event::Recorded;
use headwater::nodes::ClaimError;
use headwater::projection::{Projection, ProjectionError, QueryError};
use headwater::runtime::{ControlError, System};
use headwater::sql::Tx;

use super::kit::{LONG, Place, Totals, count, patient, total, until_seen, until_shared};
use super::sample::{CounterEvent, tenant};

#[tokio::test]
async fn a_newer_version_takes_a_projection_over_and_an_older_one_keeps_its_hands_off() {
    let place = Place::new();
    let old = place.start(patient("old"), |builder| builder.rows(Totals::<1>)).await;
    let first = count(&old).await;
    old.wait_for("totals", first, LONG).await.unwrap();
    let new = place.start(patient("new"), |builder| builder.rows(Totals::<2>)).await;
    until_shared(&old, &[("new", 1), ("old", 0)]).await;
    let second = count(&old).await;
    for node in [&old, &new] {
        node.wait_for("totals", second, LONG).await.unwrap();
        assert_eq!(total(node, "totals").await, 2);
    }
    assert_eq!(old.projections()[0].version, 2, "an older node tells what is there");
    let told = old.rebuild("totals").await;
    let Err(ControlError::Claim(ClaimError::Newer { version: 2, node, .. })) = told else {
        panic!("{told:?}")
    };
    assert_eq!(node, "new");
}

#[tokio::test]
async fn after_the_newer_program_is_stopped_the_older_one_makes_its_rows_again() {
    let place = Place::new();
    let old = place.start(patient("old"), |builder| builder.rows(Totals::<1>)).await;
    let new = place.start(patient("new"), |builder| builder.rows(Totals::<2>)).await;
    until_shared(&old, &[("new", 1), ("old", 0)]).await;
    let position = count(&old).await;
    new.wait_for("totals", position, LONG).await.unwrap();
    until_seen(&new, "totals", |status| status.version == 2).await;
    new.shutdown(LONG).await;
    until_shared(&old, &[("old", 1)]).await;
    until_seen(&old, "totals", |status| status.version == 1).await;
    let position = count(&old).await;
    old.wait_for("totals", position, LONG).await.unwrap();
    assert_eq!(total(&old, "totals").await, 2);
}

/// The same events in columns of other names.
macro_rules! ledger {
    ($type:ident, $version:literal, $key:literal) => {
        struct $type;

        impl Projection for $type {
            const NAME: &'static str = "ledger";
            const VERSION: u32 = $version;
            const SCHEMA: &'static str = concat!(
                "create table {ledger} (tenant text not null, ",
                $key,
                " text not null,
                    primary key (tenant, ",
                $key,
                "))"
            );
            const KEY: &'static [&'static str] = &[$key];
            type Event = CounterEvent;

            fn apply(
                &self,
                batch: &[Recorded<CounterEvent>],
                tx: &mut Tx<'_>,
            ) -> Result<(), ProjectionError> {
                for event in batch {
                    let sql = "insert into {ledger} values ($1, $2) on conflict do nothing";
                    tx.execute(sql, &[&event.tenant(), &event.stream_id()])?;
                }
                Ok(())
            }
        }
    };
}

ledger!(OldLedger, 1, "counter");
ledger!(NewLedger, 2, "name");

#[tokio::test]
async fn rows_that_an_older_node_cannot_read_are_asked_of_another() {
    let place = Place::new();
    let old = place.start(patient("old"), |builder| builder.projection(OldLedger)).await;
    let first = count(&old).await;
    old.wait_for("ledger", first, LONG).await.unwrap();
    let get = async |node: &System| node.catalog().get("ledger", tenant(), "a".into()).await;
    assert!(get(&old).await.unwrap().is_some());
    let new = place.start(patient("new"), |builder| builder.projection(NewLedger)).await;
    until_seen(&new, "ledger", |status| status.version == 2).await;
    assert!(get(&new).await.unwrap().is_some());
    let told = get(&old).await;
    assert!(matches!(told, Err(QueryError::OtherVersion { rows: 2, own: 1, .. })), "{told:?}");
}
