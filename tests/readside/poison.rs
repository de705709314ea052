//! Poison events: retried, isolated, then what the policy says (G7).

use std::sync::atomic::{AtomicU32, Ordering};

use headwater::event::{NewEvent, Position, Recorded, StreamId};
use headwater::projection::{
    Definition, Projection, ProjectionError, ProjectionState, QueryError, Step,
};
use headwater::runtime::feed::{Catalog, Runner, StepError};
use headwater::sql::{SqlError, Tx};

use super::fixture::{
    AccountEvent, BAD_CENTS, Balances, Deposits, World, bank, deposited, dump, opened, run_to,
    step_until,
};

async fn sick_world() -> (World, Position, Position) {
    let world = World::new();
    world.append("bank", "ada", &[opened("ada"), deposited(1)]).await;
    world.append("bank", "bob", &[opened("bob")]).await;
    let bad = world.append("bank", "ada", &[deposited(BAD_CENTS)]).await;
    world.append("bank", "ada", &[deposited(2)]).await;
    let end = world.append("bank", "bob", &[deposited(3)]).await;
    (world, bad, end)
}

async fn start<const POLICY: u8>(world: &World) -> (Balances<1, POLICY>, Catalog, Runner) {
    let balances = Balances::<1, POLICY>::default();
    let catalog = world.catalog(vec![Definition::of_rows(balances.clone())]).await;
    let runner = catalog.runner("balances").await.unwrap();
    (balances, catalog, runner)
}

async fn cents(catalog: &Catalog, account: &str) -> i64 {
    let row = catalog.get("balances", bank(), account.into()).await.unwrap().unwrap();
    let row: super::fixture::Balance = serde_json::from_str(row.row.get()).unwrap();
    row.cents
}

fn ada() -> StreamId {
    StreamId::new("account", "ada").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_poison_event_is_retried_with_growing_waits_before_the_policy_holds() {
    let (world, bad, _) = sick_world().await;
    let (_, _, mut runner) = start::<0>(&world).await;
    let begin = tokio::time::Instant::now();
    let step = step_until(&mut runner, |step| matches!(step, Step::Poisoned { .. })).await;
    assert!(matches!(step, Step::Poisoned { position, .. } if position == bad), "{step:?}");
    let waits = (1..=world.config.retries_max).map(|n| world.config.retry_wait(n));
    assert!(begin.elapsed() >= waits.sum::<std::time::Duration>());
}

#[tokio::test(start_paused = true)]
async fn halt_stops_before_the_event_and_says_why_over_a_restart() {
    let (world, bad, end) = sick_world().await;
    let (_, _, mut runner) = start::<0>(&world).await;
    step_until(&mut runner, |step| matches!(step, Step::Poisoned { .. })).await;
    assert_eq!(runner.step().await.unwrap(), Step::Halted);
    let (_, catalog, mut runner) = start::<0>(&world).await;
    let status = catalog.status("balances").unwrap();
    assert_eq!((status.state, status.position), (ProjectionState::Halted, bad.previous()));
    let error = status.last_error.unwrap();
    assert!(error.contains("position 4") && error.contains("the devil's deposit"), "{error}");
    let wait = catalog.wait_for("balances", end, std::time::Duration::from_secs(600)).await;
    assert!(matches!(wait, Err(QueryError::Halted { .. })));
    assert_eq!(runner.step().await.unwrap(), Step::Halted);
    assert_eq!(cents(&catalog, "ada").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_halted_projection_goes_on_once_the_cause_is_gone() {
    let (world, _, end) = sick_world().await;
    let (balances, catalog, mut runner) = start::<0>(&world).await;
    step_until(&mut runner, |step| matches!(step, Step::Poisoned { .. })).await;
    balances.is_strict.store(false, Ordering::SeqCst);
    runner.resume().await.unwrap();
    run_to(&mut runner, end).await;
    assert_eq!(cents(&catalog, "ada").await, 3 + BAD_CENTS);
    assert_eq!(catalog.status("balances").unwrap().last_error, None);
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_skip_the_event_that_halts() {
    let (world, bad, end) = sick_world().await;
    let (_, catalog, mut runner) = start::<0>(&world).await;
    assert!(matches!(runner.skip_halted("x").await, Err(StepError::Refused { .. })));
    step_until(&mut runner, |step| matches!(step, Step::Poisoned { .. })).await;
    assert_eq!(runner.skip_halted("known, see ticket 7").await.unwrap(), bad);
    run_to(&mut runner, end).await;
    assert_eq!(cents(&catalog, "ada").await, 3);
    let skipped = catalog.skipped("balances", Position::ZERO, 10).await.unwrap();
    assert_eq!(skipped[0].reason.as_deref(), Some("known, see ticket 7"));
}

#[tokio::test(start_paused = true)]
async fn skip_records_the_event_and_applies_all_the_others() {
    let (world, bad, end) = sick_world().await;
    let (_, catalog, mut runner) = start::<1>(&world).await;
    run_to(&mut runner, end).await;
    assert_eq!((cents(&catalog, "ada").await, cents(&catalog, "bob").await), (3, 3));
    let skipped = catalog.skipped("balances", Position::ZERO, 10).await.unwrap();
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].position, skipped[0].stream.as_str()), (bad, "ada"));
    assert!(skipped[0].reason.as_ref().unwrap().contains("devil"));
    assert_eq!(catalog.status("balances").unwrap().skipped, 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_sql_form_is_poison_and_isolated_from_its_batch() {
    let (world, bad, end) = sick_world().await;
    let catalog = world.catalog(vec![Definition::of(Deposits)]).await;
    run_to(&mut catalog.runner("deposits").await.unwrap(), end).await;
    assert_eq!(dump(&world.database().await, "deposits").await.len(), 3);
    let skipped = catalog.skipped("deposits", Position::ZERO, 10).await.unwrap();
    assert_eq!(skipped[0].position, bad);
    assert!(skipped[0].reason.as_ref().unwrap().contains("no such deposit"));
}

#[tokio::test(start_paused = true)]
async fn park_holds_back_the_stream_and_nothing_else_until_it_is_retried() {
    let (world, bad, end) = sick_world().await;
    let (_, catalog, mut runner) = start::<2>(&world).await;
    run_to(&mut runner, end).await;
    assert_eq!((cents(&catalog, "ada").await, cents(&catalog, "bob").await), (1, 3));
    let parked = catalog.parked("balances", Position::ZERO, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].first.position, parked[0].events), (1, bad, 2));
    // Over a restart, later events of the stream still wait.
    let (balances, catalog, mut runner) = start::<2>(&world).await;
    let end = world.append("bank", "ada", &[deposited(10)]).await;
    run_to(&mut runner, end).await;
    assert_eq!(cents(&catalog, "ada").await, 1);
    let refused = runner.retry_parked(&bank(), &ada()).await;
    assert!(matches!(refused, Err(StepError::Refused { .. })), "{refused:?}");
    assert_eq!(catalog.status("balances").unwrap().parked, 3);
    balances.is_strict.store(false, Ordering::SeqCst);
    assert_eq!(runner.retry_parked(&bank(), &ada()).await.unwrap(), 3);
    assert_eq!(cents(&catalog, "ada").await, 13 + BAD_CENTS);
    let end = world.append("bank", "ada", &[deposited(100)]).await;
    run_to(&mut runner, end).await;
    assert_eq!(cents(&catalog, "ada").await, 113 + BAD_CENTS);
    assert_eq!(catalog.status("balances").unwrap().parked, 0);
}

#[tokio::test(start_paused = true)]
async fn a_parked_event_that_is_discarded_is_recorded_and_the_rest_applied() {
    let (world, bad, end) = sick_world().await;
    let (_, catalog, mut runner) = start::<2>(&world).await;
    run_to(&mut runner, end).await;
    assert_eq!(runner.discard_parked(&bank(), &ada(), "wrong").await.unwrap(), 1);
    assert_eq!(cents(&catalog, "ada").await, 3);
    let status = catalog.status("balances").unwrap();
    assert_eq!((status.parked, status.skipped), (0, 1));
    let skipped = catalog.skipped("balances", Position::ZERO, 10).await.unwrap();
    assert_eq!((skipped[0].position, skipped[0].reason.as_deref()), (bad, Some("wrong")));
}

#[tokio::test(start_paused = true)]
async fn data_that_does_not_decode_is_poison_at_once() {
    let world = World::new();
    world.append("bank", "ada", &[opened("ada")]).await;
    let torn = NewEvent::json("Deposited", 1, r#"{"cents":"many"}"#).unwrap();
    world.append_raw("bank", "ada", vec![torn]).await;
    let end = world.append("bank", "ada", &[deposited(2)]).await;
    let (_, catalog, mut runner) = start::<1>(&world).await;
    let begin = tokio::time::Instant::now();
    run_to(&mut runner, end).await;
    assert!(begin.elapsed().is_zero());
    assert_eq!(cents(&catalog, "ada").await, 2);
    assert_eq!(catalog.status("balances").unwrap().skipped, 1);
}

#[tokio::test(start_paused = true)]
async fn more_skipped_events_than_the_bound_halt_the_projection() {
    let mut world = World::new();
    world.config.skipped_max = 1;
    for _ in 0..2 {
        world.append("bank", "ada", &[deposited(BAD_CENTS)]).await;
    }
    let (_, catalog, mut runner) = start::<1>(&world).await;
    while runner.step().await.unwrap() != Step::Halted {}
    let status = catalog.status("balances").unwrap();
    assert_eq!((status.state, status.skipped), (ProjectionState::Halted, 1));
}

/// Finds the database gone for so many batches.
struct Cut(AtomicU32);

impl Projection for Cut {
    const NAME: &'static str = "cut";
    const VERSION: u32 = 1;
    const SCHEMA: &'static str = "create table {cut} (id bigint primary key)";
    type Event = AccountEvent;

    fn apply(&self, _: &[Recorded<AccountEvent>], _: &mut Tx<'_>) -> Result<(), ProjectionError> {
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(SqlError::Unavailable("the server is away".into()).into()),
            Err(_) => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_any_length_halts_nothing() {
    let (world, _, end) = sick_world().await;
    let catalog = world.catalog(vec![Definition::of(Cut(AtomicU32::new(1_000)))]).await;
    let mut runner = catalog.runner("cut").await.unwrap();
    let step = step_until(&mut runner, |step| matches!(step, Step::Failed { attempt: 999, .. }));
    step.await;
    let status = catalog.status("cut").unwrap();
    assert_eq!(status.state, ProjectionState::Running);
    assert!(status.last_error.unwrap().contains("the server is away"));
    run_to(&mut runner, end).await;
    assert_eq!(catalog.status("cut").unwrap().position, end);
}
