//! Endpoints that fail for days, and clocks that jump.

use headwater_outbox::schedule::RetrySchedule;

use super::kit::{Ledger, Reply, World};

#[tokio::test]
async fn an_endpoint_that_has_only_failed_for_long_is_warned_of_in_steps_and_disabled() {
    let (mut world, ledger) = (World::start().await, Ledger::open().await);
    ledger.answer(|_| Reply::Status(500));
    world
        .register("one", &ledger, |own| {
            own.disable_after_hours = 1;
            own.retry = RetrySchedule::new(vec![3_600_000]).unwrap();
        })
        .await;
    world.append("a", 1).await;
    let failing = "select count(*) from outbox_cursors where failing_since is not null";
    world.until(failing, 1).await;
    let left = world.system.shutdown(std::time::Duration::from_secs(60)).await;
    assert_eq!(left, Default::default());
    // As if it had been an hour ago.
    let back = "update outbox_cursors set failing_since = '2026-01-01T00:00:00Z'";
    world.database.write(move |tx| tx.execute(back, &[]).map(drop)).await.unwrap();
    world.restart_stopped().await;
    let disabled =
        r#"select count(*) from outbox_endpoints where data like '%"phase":"disabled"%'"#;
    world.until(disabled, 1).await;
    let stream = headwater::event::StreamId::new("endpoint", "one").unwrap();
    let tenant = headwater::event::Tenant::default_tenant();
    let read = headwater::store::StreamRead::after(tenant, stream, Default::default(), 100);
    let events = world.store.read_stream(read).await.unwrap().events;
    let told: Vec<String> = events
        .iter()
        .map(|event| String::from_utf8_lossy(event.data()).into_owned())
        .filter(|data| data.contains("percent"))
        .collect();
    for (data, percent) in told.iter().zip([50, 70, 90, 100]) {
        assert!(data.contains(&format!("\"percent\":{percent}")), "{told:?}");
    }
    assert_eq!((told.len(), events.last().unwrap().event_type()), (4, "Disabled"));
}

#[tokio::test]
async fn a_retry_that_is_long_due_by_a_clock_that_was_moved_is_made_once() {
    let (mut world, ledger) = (World::start().await, Ledger::open().await);
    ledger.answer(|_| Reply::Status(500));
    let later = RetrySchedule::new(vec![3_600_000]).unwrap();
    world.register("one", &ledger, |own| own.retry = later).await;
    world.append("a", 1).await;
    world.until("select count(*) from outbox_retries", 1).await;
    let left = world.system.shutdown(std::time::Duration::from_secs(60)).await;
    assert_eq!(left, Default::default());
    for (column, at) in
        [("due_at", "2000-01-01T00:00:00Z"), ("recorded_at", "2999-01-01T00:00:00Z")]
    {
        let moved = format!("update outbox_retries set {column} = '{at}'");
        world.database.write(move |tx| tx.execute(&moved, &[]).map(drop)).await.unwrap();
    }
    ledger.take_all();
    world.restart_stopped().await;
    ledger.taken(1).await;
    world.until("select count(*) from outbox_retries", 0).await;
}
