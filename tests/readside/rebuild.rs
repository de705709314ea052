//! Rebuilds: beside the live rows, swapped in, equal to them (G8).

use headwater::event::Position;
use headwater::projection::{Definition, ProjectionState, RowQuery, Step};
use headwater::runtime::feed::{Catalog, Runner, StepError};
use headwater::sql::Value;
use proptest::prelude::*;

use super::fixture::{
    AccountEvent, Balances, Deposits, World, bank, deposited, dump, opened, run_to, step_until,
};
use super::place::{Place, tables};

async fn start<const V: u32>(world: &World) -> (Catalog, Runner) {
    let catalog = world.catalog(vec![Definition::of_rows(Balances::<V>::default())]).await;
    let runner = catalog.runner("balances").await.unwrap();
    (catalog, runner)
}

#[tokio::test]
async fn a_rebuild_while_events_flow_ends_equal_to_live_and_leaves_one_table() {
    let world = World::new();
    let end = world.fill().await;
    let (catalog, mut runner) = start::<1>(&world).await;
    run_to(&mut runner, end).await;
    assert!(runner.rebuild().await.unwrap());
    assert!(!runner.rebuild().await.unwrap());
    let mut end = end;
    let generation = loop {
        match runner.step().await.unwrap() {
            Step::Swapped { generation } => break generation,
            _ => end = world.append("bank", "ada", &[deposited(1)]).await,
        }
    };
    assert_eq!(generation, 2);
    run_to(&mut runner, end).await;
    let rebuilt = dump(&world.database().await, "balances").await;
    assert_eq!(catalog.status("balances").unwrap().state, ProjectionState::Running);
    let other = World { store: world.store.clone(), ..World::new() };
    run_to(&mut start::<1>(&other).await.1, end).await;
    assert_eq!(rebuilt, dump(&other.database().await, "balances").await);
    assert_eq!(tables(&world.database().await, "balances").await, ["balances"]);
}

#[tokio::test]
async fn readers_never_see_a_gap_nor_an_older_state_over_a_swap() {
    let world = World::new();
    let end = world.fill().await;
    let (catalog, mut runner) = start::<1>(&world).await;
    run_to(&mut runner, end).await;
    runner.rebuild().await.unwrap();
    let before = catalog.query(RowQuery::of("balances", bank())).await.unwrap();
    loop {
        let step = runner.step().await.unwrap();
        let page = catalog.query(RowQuery::of("balances", bank())).await.unwrap();
        assert!(page.position >= before.position);
        let text = |page: &headwater::projection::RowPage| serde_json::to_string(page).unwrap();
        assert_eq!(text(&page), text(&before), "{step:?}");
        if matches!(step, Step::Swapped { .. }) {
            break;
        }
    }
}

#[tokio::test]
async fn a_runner_from_before_the_swap_is_fenced() {
    let world = World::new();
    let end = world.fill().await;
    let (catalog, mut old) = start::<1>(&world).await;
    run_to(&mut old, end).await;
    let mut new = catalog.runner("balances").await.unwrap();
    new.rebuild().await.unwrap();
    step_until(&mut new, |step| matches!(step, Step::Swapped { .. })).await;
    world.append("bank", "ada", &[deposited(1)]).await;
    assert!(matches!(old.step().await, Err(StepError::Fenced { .. })));
}

#[tokio::test]
async fn a_raised_version_keeps_the_old_rows_readable_until_the_new_are_as_far() {
    let world = World::new();
    let end = world.fill().await;
    let (catalog, mut runner) = start::<1>(&world).await;
    run_to(&mut runner, end).await;
    let old = catalog.get("balances", bank(), "ada".into()).await.unwrap().unwrap();
    drop((runner, catalog));
    let end = world.append("bank", "ada", &[deposited(1_000)]).await;
    let (catalog, mut runner) = start::<2>(&world).await;
    assert_eq!(runner.status().state, ProjectionState::Rebuilding);
    assert!(matches!(runner.cancel_rebuild().await, Err(StepError::Refused { .. })));
    runner.step().await.unwrap();
    let read = catalog.get("balances", bank(), "ada".into()).await.unwrap().unwrap();
    assert_eq!(read.row.get(), old.row.get());
    step_until(&mut runner, |step| matches!(step, Step::Swapped { .. })).await;
    run_to(&mut runner, end).await;
    let status = catalog.status("balances").unwrap();
    assert_eq!((status.version, status.generation), (2, 2));
    let read = catalog.get("balances", bank(), "ada".into()).await.unwrap().unwrap();
    assert!(read.row.get().contains(r#""cents":2110"#), "{read:?}");
    assert_eq!(tables(&world.database().await, "balances").await, ["balances"]);
}

#[tokio::test]
async fn a_killed_rebuild_goes_on_and_one_of_another_version_is_dropped() {
    let world = World::new();
    let end = world.fill().await;
    let (_, mut runner) = start::<1>(&world).await;
    run_to(&mut runner, end).await;
    runner.rebuild().await.unwrap();
    runner.step().await.unwrap();
    let (_, runner) = start::<1>(&world).await;
    assert_eq!(runner.status().rebuild_position, Some(Position::new(4)));
    let (_, mut runner) = start::<2>(&world).await;
    assert_eq!(runner.status().rebuild_position, Some(Position::ZERO));
    step_until(&mut runner, |step| matches!(step, Step::Swapped { .. })).await;
    assert_eq!(tables(&world.database().await, "balances").await, ["balances"]);
}

#[tokio::test]
async fn a_cancelled_rebuild_leaves_the_live_rows_as_they_are() {
    let world = World::new();
    let end = world.fill().await;
    let (_, mut runner) = start::<1>(&world).await;
    run_to(&mut runner, end).await;
    let before = dump(&world.database().await, "balances").await;
    runner.rebuild().await.unwrap();
    runner.step().await.unwrap();
    assert!(runner.cancel_rebuild().await.unwrap());
    assert!(!runner.cancel_rebuild().await.unwrap());
    assert_eq!(dump(&world.database().await, "balances").await, before);
    assert_eq!(tables(&world.database().await, "balances").await, ["balances"]);
    assert!(runner.rebuild().await.unwrap());
}

fn history() -> impl Strategy<Value = Vec<(u8, AccountEvent)>> {
    let event = prop_oneof![
        1 => Just(opened("ada")),
        6 => (0..900_i64).prop_map(|cents| deposited(cents % 600)),
        1 => Just(AccountEvent::Closed {}),
    ];
    prop::collection::vec((0..4_u8, event), 1..60)
}

async fn rows_of(world: &World, batch: usize) -> Vec<Vec<Value>> {
    let mut config = world.config.clone();
    config.batch_events_max = batch;
    let other = World { store: world.store.clone(), config, ..World::new() };
    let definitions = vec![Definition::of_rows(Balances::<1>::default()), Definition::of(Deposits)];
    let catalog = other.catalog(definitions).await;
    let end = *headwater::store::EventStore::head(&*world.store).borrow();
    run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
    dump(&other.database().await, "balances").await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(Place::CASES))]
    #[test]
    fn rows_do_not_depend_on_how_the_log_is_cut_into_batches(
        history in history(), batch in 1..9_usize
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            for (account, event) in history {
                world.append("bank", &account.to_string(), &[event]).await;
            }
            assert_eq!(rows_of(&world, batch).await, rows_of(&world, 1_000).await);
        });
    }
}
