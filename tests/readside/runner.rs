//! The runner: exactly once, fenced, paused, resumed.

use std::time::Duration;

use futures_util::FutureExt;
use headwater::event::{NewEvent, Position};
use headwater::projection::{Definition, QueryError, RowQuery, Step};
use headwater::runtime::feed::{Catalog, StepError};
use headwater::store::MemoryStore;
use proptest::prelude::*;

use super::fixture::{
    AccountEvent, Balances, Deposits, World, bank, deposited, dump, opened, run_to,
};
use super::place::Place;

fn both() -> Vec<Definition> {
    vec![Definition::of_rows(Balances::<1>::default()), Definition::of(Deposits)]
}

#[tokio::test]
async fn rows_follow_the_log_and_batches_touch_each_row_once() {
    let world = World::new();
    let end = world.fill().await;
    let catalog = world.catalog(both()).await;
    let mut runner = catalog.runner("balances").await.unwrap();
    run_to(&mut runner, end).await;
    let ada = catalog.get("balances", bank(), "ada".into()).await.unwrap().unwrap();
    let wanted = r#"{"owner":"ada","cents":55,"deposits":10,"is_rich":false}"#;
    assert_eq!(ada.row.get(), wanted);
    assert_eq!(ada.position, Some(Position::new(22)));
    assert!(catalog.get("balances", bank(), "cyd".into()).await.unwrap().is_none());
}

#[tokio::test]
async fn rows_that_are_newer_than_the_log_are_refused_with_the_fix() {
    let mut world = World::new();
    let end = world.fill().await;
    let catalog = world.catalog(both()).await;
    run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
    // An older log in place of the one that the rows were made of.
    world.store = MemoryStore::shared();
    let database = world.database().await;
    let opened = Catalog::open(database, world.store.clone(), both(), world.config.clone()).await;
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("the log ends at 0") && error.contains("aside"), "{error}");
}

#[tokio::test]
async fn rows_of_another_log_are_refused_at_start_with_the_fix() {
    let mut world = World::new();
    let end = world.fill().await;
    let catalog = world.catalog(both()).await;
    run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
    world.store = MemoryStore::shared();
    world.append("bank", "dan", &[opened("dan")]).await;
    let database = world.database().await;
    let opened = Catalog::open(database, world.store.clone(), both(), world.config.clone()).await;
    let error = opened.err().unwrap();
    assert!(matches!(error, StepError::OtherLog { .. }), "{error}");
    assert!(error.to_string().contains("give this log a read side of its own"), "{error}");
}

#[tokio::test]
async fn of_two_logs_that_began_empty_on_one_read_side_the_first_to_write_has_it() {
    let mut world = World::new();
    let first = world.catalog(both()).await;
    let end = world.fill().await;
    world.store = MemoryStore::shared();
    let second = world.catalog(both()).await;
    let mut stale = second.runner("deposits").await.unwrap();
    run_to(&mut first.runner("balances").await.unwrap(), end).await;
    world.fill().await;
    let error = stale.step().await.unwrap_err();
    assert!(matches!(error, StepError::OtherLog { .. }), "{error}");
    let error = second.runner("balances").await.err().unwrap();
    assert!(matches!(error, StepError::OtherLog { .. }), "{error}");
    run_to(&mut first.runner("deposits").await.unwrap(), end).await;
}

#[tokio::test]
async fn a_runner_dropped_at_any_step_and_opened_anew_counts_every_event_once() {
    let world = World::new();
    let end = world.fill().await;
    let catalog = world.catalog(both()).await;
    let mut whole = catalog.runner("deposits").await.unwrap();
    run_to(&mut whole, end).await;
    let steps = dump(&world.database().await, "deposits").await.len();
    for kill_after in 0..steps {
        let world = World { place: Place::new(), ..World::new() };
        let end = world.fill().await;
        for _ in 0..2 {
            // The whole process dies: catalog, runner and database go.
            let catalog = world.catalog(both()).await;
            let mut runner = catalog.runner("balances").await.unwrap();
            for _ in 0..kill_after {
                if runner.status().position < end {
                    runner.step().await.unwrap();
                }
            }
        }
        let catalog = world.catalog(both()).await;
        run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
        let bob = catalog.get("balances", bank(), "bob".into()).await.unwrap().unwrap();
        assert!(bob.row.get().contains(r#""cents":5500,"deposits":10"#), "{bob:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(Place::CASES))]
    #[test]
    fn a_step_cancelled_anywhere_loses_and_doubles_nothing(polls in prop::collection::vec(0..4_u8, 12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let end = world.fill().await;
            let catalog = world.catalog(both()).await;
            let mut runner = catalog.runner("deposits").await.unwrap();
            for polls in polls {
                let mut step = Box::pin(runner.step());
                for _ in 0..polls {
                    if runner_is_done(&mut step).await { break; }
                }
                drop(step);
                if runner.status().position >= end { break; }
            }
            if runner.status().position < end {
                run_to(&mut runner, end).await;
            }
            let database = world.database().await;
            assert_eq!(dump(&database, "deposits").await.len(), 20);
        });
    }
}

async fn runner_is_done(
    step: &mut std::pin::Pin<Box<impl Future<Output = Result<Step, StepError>>>>,
) -> bool {
    let is_done = step.as_mut().now_or_never().is_some();
    tokio::task::yield_now().await;
    is_done
}

#[tokio::test]
async fn a_stale_owner_is_fenced_and_writes_nothing() {
    let world = World::new();
    let end = world.fill().await;
    let catalog = world.catalog(both()).await;
    let mut stale = catalog.runner("balances").await.unwrap();
    stale.step().await.unwrap();
    let mut owner = catalog.runner("balances").await.unwrap();
    let error = stale.step().await.unwrap_err();
    assert!(matches!(error, StepError::Fenced { .. }), "{error}");
    run_to(&mut owner, end).await;
    assert!(matches!(stale.pause().await, Err(StepError::Fenced { .. })));
    assert!(matches!(stale.rebuild().await, Err(StepError::Fenced { .. })));
    assert_eq!(dump(&world.database().await, "balances").await.len(), 2);
}

#[tokio::test]
async fn a_paused_projection_stands_over_a_restart_until_it_is_resumed() {
    let world = World::new();
    let end = world.fill().await;
    let mut runner = world.catalog(both()).await.runner("balances").await.unwrap();
    runner.step().await.unwrap();
    runner.pause().await.unwrap();
    let at = runner.status().position;
    let mut runner = world.catalog(both()).await.runner("balances").await.unwrap();
    assert_eq!(runner.step().await.unwrap(), Step::Paused);
    assert_eq!(runner.status().position, at);
    runner.resume().await.unwrap();
    run_to(&mut runner, end).await;
}

#[tokio::test]
async fn events_of_other_categories_move_the_position_without_a_write_each() {
    let world = World::new();
    let catalog = world.catalog(both()).await;
    let mut runner = catalog.runner("balances").await.unwrap();
    let other = headwater::event::StreamId::new("order", "1").unwrap();
    let events = (0..50).map(|_| NewEvent::json("Placed", 1, "{}").unwrap()).collect();
    let any = headwater::store::Expected::Any;
    let append = headwater::store::Append::to_stream(bank(), other, any, events);
    let end = headwater::store::EventStore::append(&*world.store, append).await.unwrap().position;
    run_to(&mut runner, end).await;
    let page = catalog.query(RowQuery::of("balances", bank())).await.unwrap();
    assert_eq!(page.position, end);
    let sql = "select position from projection_checkpoints where name = 'balances'";
    let stored = world.database().await.read(sql, vec![]).await.unwrap().rows;
    assert_eq!(stored, [[headwater::sql::Value::Int(0)]]);
}

#[tokio::test]
async fn unknown_types_and_versions_are_passed_over_and_counted_once() {
    let world = World::new();
    world.append("bank", "ada", &[opened("ada")]).await;
    let unknown = NewEvent::json("Frozen", 1, "{}").unwrap();
    let newer = NewEvent::json("Deposited", 9, "{}").unwrap();
    world.append_raw("bank", "ada", vec![unknown, newer]).await;
    let end = world.append("bank", "ada", &[deposited(5)]).await;
    let catalog = world.catalog(both()).await;
    run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
    assert_eq!(catalog.status("balances").unwrap().unknown, 2);
    let again = world.catalog(both()).await;
    assert_eq!(again.status("balances").unwrap().unknown, 2);
}

#[tokio::test]
async fn a_reader_waits_for_its_own_write_and_no_longer_than_it_said() {
    let world = World::new();
    let catalog = world.catalog(both()).await;
    let mut runner = catalog.runner("balances").await.unwrap();
    let end = world.append("bank", "ada", &[opened("ada")]).await;
    let waiter = catalog.clone();
    let waiter =
        tokio::spawn(
            async move { waiter.wait_for("balances", end, Duration::from_secs(60)).await },
        );
    runner.step().await.unwrap();
    assert_eq!(waiter.await.unwrap().unwrap(), end);
    let late = catalog.wait_for("balances", end.next(), Duration::from_millis(1)).await;
    assert!(matches!(late, Err(QueryError::NotReached { .. })), "{late:?}");
}

#[tokio::test]
async fn tenants_with_the_same_key_have_rows_apart() {
    let world = World::new();
    world.append("bank", "ada", &[opened("ada"), deposited(1)]).await;
    let end = world.append("other", "ada", &[opened("eve"), deposited(2)]).await;
    let catalog = world.catalog(both()).await;
    run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
    let page = catalog.query(RowQuery::of("balances", bank())).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    assert!(page.rows[0].row.get().contains(r#""owner":"ada","cents":1"#));
}

#[tokio::test]
async fn a_row_deleted_and_made_anew_in_later_batches_is_right() {
    let world = World::new();
    let catalog = world.catalog(both()).await;
    let mut runner = catalog.runner("balances").await.unwrap();
    for round in 1..=3 {
        let end = world.append("bank", "ada", &[opened("ada"), deposited(round)]).await;
        run_to(&mut runner, end).await;
        let row = catalog.get("balances", bank(), "ada".into()).await.unwrap().unwrap();
        assert!(row.row.get().contains(&format!(r#""cents":{round}"#)));
        let end = world.append("bank", "ada", &[AccountEvent::Closed {}]).await;
        run_to(&mut runner, end).await;
        assert!(catalog.get("balances", bank(), "ada".into()).await.unwrap().is_none());
    }
}
