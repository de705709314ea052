//! Every answer holds at a revision between request and reply; a keyed command that led to no
//! event gets the same answer again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use headwater::aggregate::Receipt;
use headwater::clock::ManualClock;
use headwater::event::{NewEvent, Position, StreamId, Tenant};
use headwater::runtime::{
    AggregateHandle, OUTCOME_CATEGORY, RuntimeConfig, SendError, SendOptions,
};
use headwater::store::{Append, Expected, LogRead, MemoryStore, SharedStore, StoreLimits};

use jiff::Timestamp;

use super::running::{Running, start, start_with};
use super::sample::{Add, Counter, CounterEvent, CounterRejection, add, tenant};

type Told = Result<Receipt, SendError<CounterRejection>>;

fn keyed(key: &str) -> SendOptions {
    SendOptions { idempotency_key: Some(key.into()), ..SendOptions::default() }
}

fn counter(system: &Running) -> AggregateHandle<Counter> {
    system.at::<Counter>(&tenant(), "a").unwrap()
}

/// A command that is refused while the total is greater than 4.
fn at_most_five() -> Add {
    Add { max: 5, ..add(1) }
}

fn nothing() -> Add {
    Add { parts: 0, ..add(1) }
}

/// Appends behind the back of whoever has the aggregate in memory.
async fn append_raw(store: &SharedStore, amount: u64) {
    let event = NewEvent::typed(&CounterEvent::Added { amount, total: 0 }).unwrap();
    let stream = StreamId::new("counter", "a").unwrap();
    store.append(Append::to_stream(tenant(), stream, Expected::Any, vec![event])).await.unwrap();
}

async fn outcomes(store: &SharedStore) -> usize {
    let page = store.read_log(LogRead::after(Position::ZERO, 1_000)).await.unwrap();
    page.events.iter().filter(|event| event.category() == OUTCOME_CATEGORY).count()
}

fn rejection_of(told: Told) -> (u64, u64) {
    match told {
        Err(SendError::Rejected { rejection, revision }) => {
            let CounterRejection::TooMuch { total, .. } = rejection;
            (total, revision.get())
        }
        other => panic!("not rejected: {other:?}"),
    }
}

/// The code, the words and the revision of a rejection that was given before.
fn repeated_of(told: Told) -> (String, String, u64) {
    match told {
        Err(SendError::RejectedBefore { code, detail, revision }) => (code, detail, revision.get()),
        other => panic!("not the earlier rejection: {other:?}"),
    }
}

#[tokio::test]
async fn a_rejection_is_that_of_the_stream_as_it_is_and_tells_its_revision() {
    let store: SharedStore = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = counter(&system);
    counter.send(add(1)).await.unwrap();
    append_raw(&store, 9).await;
    assert_eq!(rejection_of(counter.send(at_most_five()).await), (11, 2));
}

#[tokio::test]
async fn a_command_is_not_rejected_by_a_state_that_is_no_more() {
    let store: SharedStore = MemoryStore::shared();
    let [one, other] = [
        start(store.clone(), RuntimeConfig::default()).await,
        start(store, RuntimeConfig::default()).await,
    ];
    let [one, other] = [counter(&one), counter(&other)];
    one.send(add(1)).await.unwrap();
    other.send(add(1)).await.unwrap();
    // The first node still has the state of revision 1.
    let receipt = one.send(nothing()).await.unwrap();
    assert_eq!((receipt.revision.get(), receipt.position.get(), receipt.events), (2, 2, 0));
    other.send(add(7)).await.unwrap();
    assert_eq!(rejection_of(one.send(at_most_five()).await), (10, 3));
}

#[tokio::test]
async fn nothing_to_do_is_told_of_the_stream_as_it_is() {
    let store: SharedStore = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = counter(&system);
    assert_eq!(counter.send(nothing()).await.unwrap().revision.get(), 0);
    append_raw(&store, 1).await;
    assert_eq!(counter.send(nothing()).await.unwrap().revision.get(), 1);
    assert_eq!(store.head().borrow().get(), 1, "a check stores nothing");
}

#[tokio::test]
async fn a_keyed_command_without_events_gets_the_same_answer_at_once_and_lets_others_by() {
    let store: SharedStore = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = counter(&system);
    counter.send(add(5)).await.unwrap();
    let first = rejection_of(counter.send_with(at_most_five(), keyed("no")).await);
    assert_eq!(first, (6, 1));
    counter.send_with(nothing(), keyed("nothing")).await.unwrap();
    for _ in 0..3 {
        let (code, detail, revision) =
            repeated_of(counter.send_with(at_most_five(), keyed("no")).await);
        assert_eq!((code.as_str(), revision), ("too-much", 1));
        assert_eq!(detail, "total would be 6: at most 5 is allowed");
        let receipt = counter.send_with(nothing(), keyed("nothing")).await.unwrap();
        let told = (receipt.revision.get(), receipt.position.get(), receipt.replayed);
        assert_eq!(told, (1, 1, true));
        counter.send(add(1)).await.unwrap();
    }
    assert_eq!(outcomes(&store).await, 2);
}

#[tokio::test]
async fn the_same_keyed_rejection_sent_many_times_at_once_is_kept_once() {
    let store: SharedStore = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = counter(&system);
    counter.send(add(5)).await.unwrap();
    let sends = (0..50).map(|_| counter.send_with(at_most_five(), keyed("no")));
    let (first, repeated): (Vec<_>, Vec<_>) = join_all(sends)
        .await
        .into_iter()
        .partition(|told| matches!(told, Err(SendError::Rejected { .. })));
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(repeated.into_iter().all(|told| repeated_of(told).2 == 1));
    assert_eq!(outcomes(&store).await, 1);
}

#[tokio::test]
async fn the_outcome_holds_after_a_restart_and_on_every_node_whatever_came_since() {
    let store: SharedStore = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    counter(&system).send(add(5)).await.unwrap();
    rejection_of(counter(&system).send_with(at_most_five(), keyed("no")).await);
    counter(&system).send_with(nothing(), keyed("nothing")).await.unwrap();
    let other = start(store.clone(), RuntimeConfig::default()).await;
    system.shutdown(Duration::from_secs(5)).await;
    counter(&other).send(add(1)).await.unwrap();
    assert_eq!(repeated_of(counter(&other).send_with(at_most_five(), keyed("no")).await).2, 1);
    let receipt = counter(&other).send_with(nothing(), keyed("nothing")).await.unwrap();
    assert_eq!((receipt.revision.get(), receipt.replayed), (1, true));
    let reused = counter(&other).send_with(add(1), keyed("no")).await;
    assert!(matches!(reused, Err(SendError::KeyReused { .. })), "{reused:?}");
    let reused = counter(&other).send_with(add(1), keyed("nothing")).await;
    assert!(matches!(reused, Err(SendError::KeyReused { .. })), "{reused:?}");
}

#[tokio::test]
async fn two_nodes_that_decide_one_keyed_command_give_one_answer() {
    let store: SharedStore = MemoryStore::shared();
    let nodes = [
        start(store.clone(), RuntimeConfig::default()).await,
        start(store.clone(), RuntimeConfig::default()).await,
    ];
    let counters: Vec<_> = nodes.iter().map(counter).collect();
    for round in 0..50_u64 {
        // Between the two the total passes the bound, so that they may decide differently.
        let command = Add { max: round * 2 + 1, ..add(1) };
        let key = format!("k{round}");
        let sends = counters.iter().map(|own| own.send_with(command.clone(), keyed(&key)));
        let (told, _) = tokio::join!(join_all(sends), append_raw(&store, 1));
        let is_done: Vec<bool> = told.iter().map(Result::is_ok).collect();
        assert_eq!(is_done[0], is_done[1], "round {round}: {told:?}");
        counters[0].send(add(u64::from(!is_done[0]))).await.unwrap();
    }
}

#[tokio::test]
async fn an_outcome_counts_for_a_day_and_then_the_command_is_decided_afresh() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let store: SharedStore = Arc::new(MemoryStore::new(StoreLimits::default(), clock.clone()));
    let own = clock.clone();
    let system =
        start_with(store.clone(), RuntimeConfig::default(), |builder| builder.clock(own)).await;
    let counter = counter(&system);
    counter.send(add(5)).await.unwrap();
    rejection_of(counter.send_with(at_most_five(), keyed("no")).await);
    clock.advance(Duration::from_secs(23 * 3600));
    repeated_of(counter.send_with(at_most_five(), keyed("no")).await);
    clock.advance(Duration::from_secs(2 * 3600));
    rejection_of(counter.send_with(at_most_five(), keyed("no")).await);
    repeated_of(counter.send_with(at_most_five(), keyed("no")).await);
    clock.advance(Duration::from_secs(25 * 3600));
    let done = counter.send_with(add(1), keyed("no")).await.unwrap();
    let again = counter.send_with(add(1), keyed("no")).await.unwrap();
    assert_eq!((done.events, done.replayed), (1, false));
    assert_eq!((again.revision, again.replayed), (done.revision, true));
}

#[tokio::test]
async fn a_tenant_past_its_bound_of_outcomes_is_told_and_others_are_not() {
    let store: SharedStore = MemoryStore::shared();
    let config = RuntimeConfig { outcomes_per_day_max: 3, ..RuntimeConfig::default() };
    let system = start(store.clone(), config).await;
    let own = counter(&system);
    for key in ["1", "2", "3"] {
        own.send_with(nothing(), keyed(key)).await.unwrap();
    }
    let told = own.send_with(nothing(), keyed("4")).await;
    assert!(matches!(told, Err(SendError::TooManyOutcomes { max: 3 })), "{told:?}");
    own.send(nothing()).await.unwrap();
    own.send_with(add(1), keyed("5")).await.unwrap();
    own.send_with(nothing(), keyed("1")).await.unwrap();
    let other = system.at::<Counter>(&Tenant::new("other").unwrap(), "a").unwrap();
    other.send_with(nothing(), keyed("4")).await.unwrap();
    assert_eq!(outcomes(&store).await, 4);
}
