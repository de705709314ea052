//! Commands over a store that misbehaves: conflicts, lost answers, refusals, delays.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use headwater::event::{NewEvent, Revision, StreamId};
use headwater::runtime::{RuntimeConfig, SendError, SendOptions};
use headwater::store::{Append, AppendError, EventStore, Expected, MemoryStore, StreamRead};
use headwater::test::{AppendFault, FaultyStore};

use super::running::{Running, start};
use super::sample::{Add, Counter, CounterEvent, CounterRejection, add, tenant};

fn stream() -> StreamId {
    StreamId::new("counter", "a").unwrap()
}

fn foreign(amount: u64) -> Append {
    let event = NewEvent::typed(&CounterEvent::Added { amount, total: amount }).unwrap();
    Append::to_stream(tenant(), stream(), Expected::Any, vec![event])
}

fn keyed(key: &str) -> SendOptions {
    SendOptions { idempotency_key: Some(key.into()), ..SendOptions::default() }
}

async fn faulty(config: RuntimeConfig) -> (Arc<FaultyStore>, Running) {
    let store = FaultyStore::over(MemoryStore::shared());
    let system = start(store.clone(), config).await;
    (store, system)
}

async fn totals(store: &FaultyStore) -> Vec<u64> {
    let read = StreamRead::after(tenant(), stream(), Revision::ZERO, 1_000);
    let events = store.read_stream(read).await.unwrap().events;
    let total = |event: &headwater::event::RecordedEvent| {
        let data: serde_json::Value = serde_json::from_slice(event.data()).unwrap();
        data["total"].as_u64().unwrap()
    };
    events.iter().map(total).collect()
}

#[tokio::test]
async fn a_command_that_a_foreign_writer_overtook_is_decided_again_on_what_is_true() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    counter.send(add(1)).await.unwrap();
    store.fail_next(AppendFault::Overtake(foreign(10)));
    let receipt = counter.send(add(1)).await.unwrap();
    assert_eq!(receipt.revision.get(), 3);
    assert_eq!(totals(&store).await, [1, 10, 12]);
    assert_eq!(system.report().actors[0].conflicts, 1);
}

#[tokio::test]
async fn commands_behind_an_overtaken_one_are_decided_again_in_their_order() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    store.hold();
    store.fail_next(AppendFault::Overtake(foreign(100)));
    let sends = async { join_all((1..=20).map(|amount| counter.send(add(amount)))).await };
    let (answers, ()) = tokio::join!(sends, async {
        store.wait_held(1).await;
        store.release();
    });
    let revisions: Vec<_> = answers.into_iter().map(|r| r.unwrap().revision.get()).collect();
    assert_eq!(revisions, (2..=21).collect::<Vec<_>>());
    let expected: Vec<u64> = (0..=20).map(|n: u64| 100 + n * (n + 1) / 2).collect();
    assert_eq!(totals(&store).await[1..], expected[1..]);
}

#[tokio::test]
async fn a_refusal_decided_on_events_that_never_were_is_decided_again() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    store.hold();
    let full = AppendError::DiskFull { path: "x".into() };
    store.fail_next(AppendFault::Refuse(full));
    let first = counter.send(add(5));
    let second = counter.send(Add { max: 5, ..add(1) });
    let release = async {
        store.wait_held(1).await;
        store.release();
    };
    let (first, second, ()) = tokio::join!(first, second, release);
    assert!(matches!(first, Err(SendError::Store(AppendError::DiskFull { .. }))), "{first:?}");
    assert_eq!(second.unwrap().revision.get(), 1);
}

#[tokio::test]
async fn a_conflict_that_never_ends_is_reported_after_the_bound() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    (0..5).for_each(|_| store.fail_next(AppendFault::Overtake(foreign(1))));
    let told = counter.send(add(1)).await;
    assert!(matches!(told, Err(SendError::Conflict { attempts: 5 })), "{told:?}");
    assert_eq!(counter.send(add(1)).await.unwrap().revision.get(), 6);
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_found_and_not_done_twice() {
    for options in [SendOptions::default(), keyed("k")] {
        let (store, system) = faulty(RuntimeConfig::default()).await;
        let counter = system.at::<Counter>(&tenant(), "a").unwrap();
        store.fail_next(AppendFault::LoseAnswer);
        let parts = Add { parts: 3, ..add(1) };
        let receipt = counter.send_with(parts, options).await.unwrap();
        assert_eq!((receipt.revision.get(), receipt.events), (3, 3));
        assert_eq!(totals(&store).await, [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_key_used_by_another_process_meanwhile_gives_that_ones_receipt() {
    let memory = MemoryStore::shared();
    let store = FaultyStore::over(memory.clone());
    let near = start(store.clone(), RuntimeConfig::default()).await;
    let far = start(memory, RuntimeConfig::default()).await;
    let one = near.at::<Counter>(&tenant(), "a").unwrap();
    let other = far.at::<Counter>(&tenant(), "a").unwrap();
    one.send(add(1)).await.unwrap();
    store.hold();
    let late = one.send_with(add(7), keyed("k"));
    let (late, ()) = tokio::join!(late, async {
        store.wait_held(1).await;
        assert!(!other.send_with(add(7), keyed("k")).await.unwrap().replayed);
        store.release();
    });
    let late = late.unwrap();
    assert!(late.replayed && late.revision.get() == 2, "{late:?}");
    assert_eq!(totals(&store).await, [1, 8]);
}

#[tokio::test]
async fn commands_past_the_bound_of_an_aggregate_are_refused_at_once() {
    let config = RuntimeConfig {
        waiting_per_aggregate_max: 3,
        append_commands_max: 1,
        ..RuntimeConfig::default()
    };
    let (store, system) = faulty(config).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    store.hold();
    let sends = async { join_all((0..10).map(|_| counter.send(add(1)))).await };
    let (answers, ()) = tokio::join!(sends, async {
        store.wait_held(1).await;
        store.release();
    });
    let refused = answers.iter().filter(|a| matches!(a, Err(SendError::Overloaded))).count();
    let done = answers.iter().filter(|a| a.is_ok()).count();
    assert!(refused >= 1 && refused + done == 10, "{answers:?}");
    assert_eq!(totals(&store).await.len(), done);
}

#[tokio::test]
async fn commands_past_the_bound_of_the_system_are_refused_at_once() {
    let config = RuntimeConfig { waiting_commands_max: 2, ..RuntimeConfig::default() };
    let (store, system) = faulty(config).await;
    let [a, b, c] = ["a", "b", "c"].map(|id| system.at::<Counter>(&tenant(), id).unwrap());
    store.hold();
    let (a, b, c) = tokio::join!(a.send(add(1)), b.send(add(1)), async {
        store.wait_held(2).await;
        let told = c.send(add(1)).await;
        store.release();
        told
    });
    assert!(matches!(c, Err(SendError::Overloaded)), "{c:?}");
    assert!(a.is_ok() && b.is_ok());
}

#[tokio::test]
async fn a_sender_is_told_when_the_store_takes_too_long() {
    let config =
        RuntimeConfig { command_timeout: Duration::from_millis(20), ..RuntimeConfig::default() };
    let (store, system) = faulty(config).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    store.hold();
    let told = counter.send(add(1)).await;
    assert!(matches!(told, Err(SendError::TimedOut)), "{told:?}");
}

#[tokio::test]
async fn one_command_that_the_store_refuses_does_not_take_its_batch_mates_with_it() {
    let limits = headwater::store::StoreLimits { append_events_max: 10, ..Default::default() };
    let memory = MemoryStore::new(limits, headwater::clock::SystemClock::shared());
    let store = FaultyStore::over(Arc::new(memory));
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    store.hold();
    let parts = [1, 1, 11, 1].map(|parts| counter.send(Add { parts, ..add(1) }));
    let (answers, ()) = tokio::join!(join_all(parts), async {
        store.wait_held(1).await;
        store.release();
    });
    let told: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(told, [true, true, false, true], "{answers:?}");
    assert_eq!(totals(&store).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_stream_that_cannot_be_folded_refuses_every_command_and_names_the_place() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let odd = NewEvent::json("Subtracted", 1, "{}").unwrap();
    store.append(foreign(1)).await.unwrap();
    let odd = Append::to_stream(tenant(), stream(), Expected::Any, vec![odd]);
    store.append(odd).await.unwrap();
    for _ in 0..2 {
        let told = counter.send(add(1)).await.unwrap_err().to_string();
        let expected = "stream counter/a cannot be folded at revision 2: event type \
                        \"Subtracted\" of category \"counter\" is not known here";
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn an_aggregate_whose_history_panics_goes_on_answering() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let cursed = NewEvent::typed(&CounterEvent::Cursed {}).unwrap();
    let cursed = Append::to_stream(tenant(), stream(), Expected::Any, vec![cursed]);
    store.append(cursed).await.unwrap();
    for _ in 0..3 {
        let told = counter.send(add(1)).await;
        assert!(matches!(told, Err(SendError::Panicked)), "{told:?}");
    }
    let neighbour = system.at::<Counter>(&tenant(), "b").unwrap();
    let refused = neighbour.send(Add { max: 0, ..add(1) }).await;
    let no = CounterRejection::TooMuch { total: 1, max: 0 };
    assert!(matches!(refused, Err(SendError::Rejected { rejection: told, .. }) if told == no));
}

#[tokio::test]
async fn shutdown_waits_for_what_is_under_way_and_takes_nothing_new() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    store.hold();
    let (answer, leftover) = tokio::join!(counter.send(add(1)), async {
        store.wait_held(1).await;
        let shutdown = system.shutdown(Duration::from_secs(10));
        let late = async {
            let told = counter.send(add(1)).await;
            store.release();
            told
        };
        let (leftover, late) = tokio::join!(shutdown, late);
        assert!(matches!(late, Err(SendError::Stopping)), "{late:?}");
        leftover
    });
    assert_eq!(answer.unwrap().revision.get(), 1);
    assert_eq!(leftover.commands, 0);
}

#[tokio::test]
async fn shutdown_reports_what_did_not_end_in_time() {
    let (store, system) = faulty(RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    store.hold();
    let (answer, leftover) = tokio::join!(counter.send(add(1)), async {
        store.wait_held(1).await;
        system.shutdown(Duration::ZERO).await
    });
    assert_eq!(leftover.commands, 1);
    assert!(answer.is_err(), "{answer:?}");
}
