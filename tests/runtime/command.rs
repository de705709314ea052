//! Commands through the running system: receipts, refusals, order, idempotency.

use std::sync::Arc;
use std::time::Duration;

use super::running::start;
use super::sample::{self, Counter, CounterRejection, add, tenant};
use futures_util::future::join_all;
use headwater::event::{Metadata, Revision, StreamId};
use headwater::runtime::{JsonCommand, JsonSendError, RuntimeConfig, SendError, SendOptions};
use headwater::store::{EventStore, MemoryStore, StreamRead};

#[tokio::test]
async fn a_command_gives_its_events_and_a_receipt_that_says_where_they_are() {
    let store = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let first = counter.send(add(1)).await.unwrap();
    let second = counter.send(sample::Add { parts: 3, ..add(2) }).await.unwrap();
    assert_eq!((first.revision.get(), first.position.get(), first.events), (1, 1, 1));
    assert_eq!((second.revision.get(), second.position.get(), second.events), (4, 4, 3));
    let stream = StreamId::new("counter", "a").unwrap();
    let read = StreamRead::after(tenant(), stream, Revision::ZERO, 10);
    let page = store.read_stream(read).await.unwrap();
    assert_eq!(page.revision.get(), 4);
    assert_eq!(page.events[3].data(), br#"{"amount":2,"total":7}"#);
    system.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_no_of_the_rules_reaches_the_sender_and_records_nothing() {
    let store = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let refused = counter.send(sample::Add { max: 4, ..add(5) }).await;
    let Err(SendError::Rejected { rejection: no, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(no, CounterRejection::TooMuch { total: 5, max: 4 });
    assert_eq!(store.head().borrow().get(), 0);
}

#[tokio::test]
async fn many_senders_of_one_aggregate_get_each_its_own_place() {
    let store = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = Arc::new(system.at::<Counter>(&tenant(), "a").unwrap());
    let sends = (0..1_000).map(|_| {
        let counter = Arc::clone(&counter);
        async move { counter.send(add(1)).await.unwrap().revision.get() }
    });
    let revisions = join_all(sends).await;
    assert_eq!(revisions, (1..=1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_key_gives_the_earlier_receipt_even_when_sent_at_once_and_after_restart() {
    let store = MemoryStore::shared();
    let options = || SendOptions { idempotency_key: Some("k".into()), ..SendOptions::default() };
    for round in 0..3 {
        let system = start(store.clone(), RuntimeConfig::default()).await;
        let counter = system.at::<Counter>(&tenant(), "a").unwrap();
        let sends = (0..20).map(|_| counter.send_with(add(3), options()));
        let receipts: Vec<_> = join_all(sends).await.into_iter().map(Result::unwrap).collect();
        assert!(receipts.iter().all(|receipt| receipt.revision.get() == 1), "{receipts:?}");
        let fresh = receipts.iter().filter(|receipt| !receipt.replayed).count();
        assert_eq!(fresh, usize::from(round == 0));
        let other = counter.send_with(add(4), options()).await;
        assert!(matches!(other, Err(SendError::KeyReused { .. })), "{other:?}");
        system.shutdown(Duration::from_secs(5)).await;
    }
    assert_eq!(store.head().borrow().get(), 1);
}

#[tokio::test]
async fn an_expected_revision_that_does_not_hold_is_refused_with_the_actual_one() {
    let system = start(MemoryStore::shared(), RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    counter.send(add(1)).await.unwrap();
    let options = SendOptions { expected: Some(Revision::ZERO), ..SendOptions::default() };
    let refused = counter.send_with(add(1), options).await;
    let Err(SendError::RevisionMismatch { expected, actual }) = refused else { panic!() };
    assert_eq!((expected.get(), actual.get()), (0, 1));
}

fn json(category: &str, command: &str, body: &str) -> JsonCommand {
    JsonCommand {
        tenant: tenant(),
        category: category.into(),
        id: "a".into(),
        command: command.into(),
        body: body.to_owned().into(),
        options: SendOptions::default(),
    }
}

#[tokio::test]
async fn a_json_command_that_does_not_fit_is_told_where() {
    let system = start(MemoryStore::shared(), RuntimeConfig::default()).await;
    let receipt = system.send_json(json("counter", "add", r#"{"amount":1}"#)).await.unwrap();
    assert_eq!(receipt.revision.get(), 1);
    let told = system.send_json(json("nothing", "add", "{}")).await;
    assert!(matches!(told, Err(JsonSendError::UnknownCategory { .. })), "{told:?}");
    let told = system.send_json(json("counter", "sub", "{}")).await.unwrap_err();
    assert!(told.to_string().contains(r#"known are add, explode, curse"#), "{told}");
    let told = system.send_json(json("counter", "add", "{\"amount\":\n\"x\"}")).await;
    let Err(JsonSendError::Body(body)) = told else { panic!("{told:?}") };
    assert_eq!(body.pointer, "/amount");
    for garbage in ["", "{", "[]", "null", r#"{"amount":1} x"#, r#"{"amount":1,"b":2}"#] {
        let told = system.send_json(json("counter", "add", garbage)).await;
        assert!(matches!(told, Err(JsonSendError::Body(_))), "{garbage}: {told:?}");
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_leaves_the_state_and_the_neighbours_alone() {
    let system = start(MemoryStore::shared(), RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let neighbour = system.at::<Counter>(&tenant(), "b").unwrap();
    counter.send(add(2)).await.unwrap();
    let told = counter.send(sample::Explode {}).await;
    assert!(matches!(told, Err(SendError::Panicked)), "{told:?}");
    neighbour.send(add(1)).await.unwrap();
    let refused = counter.send(sample::Add { max: 0, ..add(1) }).await;
    let Err(SendError::Rejected { rejection: CounterRejection::TooMuch { total, .. }, .. }) =
        refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(total, 3);
    assert_eq!(system.report().actors[0].panics, 1);
}

#[tokio::test]
async fn events_carry_cause_and_thread_of_the_command() {
    let store = MemoryStore::shared();
    let system = start(store.clone(), RuntimeConfig::default()).await;
    let counter = system.at::<Counter>(&tenant(), "a").unwrap();
    let cause = Metadata {
        correlation_id: Some("thread".into()),
        causation_id: Some("event 7".into()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        who: Some("ada".into()),
        ..Metadata::default()
    };
    headwater::runtime::caused_by(cause.clone(), counter.send(add(1))).await.unwrap();
    counter.send(add(1)).await.unwrap();
    let stream = StreamId::new("counter", "a").unwrap();
    let read = StreamRead::after(tenant(), stream, Revision::ZERO, 10);
    let events = store.read_stream(read).await.unwrap().events;
    assert_eq!(events[0].metadata(), cause);
    assert_eq!(events[1].metadata().correlation_id, Some(events[1].id().to_string()));
}
