//! Messages of several events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};

use headwater_outbox::endpoint::{Batching, EndpointConfig};
use headwater_outbox::payload::Format;
use headwater_outbox::schedule::RetrySchedule;
use serde_json::Value;

use super::kit::{Ledger, Message, Reply, World};
use crate::receiver::header;

fn together(events_max: u16, wait_ms: u16) -> impl FnOnce(&mut EndpointConfig) {
    move |config| {
        config.format = Format::CloudEventsBatch;
        config.batch = Some(Batching { events_max, wait_ms });
        config.concurrency = 4;
    }
}

fn events(message: &Message) -> &[Value] {
    message.event.as_array().unwrap()
}

fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}

/// Returns the sequences that were taken of each stream, as they came.
fn taken(messages: &[Message]) -> BTreeMap<&str, Vec<&str>> {
    let mut streams: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in messages.iter().filter(|own| own.is_taken()).flat_map(events) {
        let sequence = event["sequence"].as_str().unwrap();
        streams.entry(event["subject"].as_str().unwrap()).or_default().push(sequence);
    }
    streams
}

fn count(messages: &[Message]) -> usize {
    taken(messages).values().map(Vec::len).sum()
}

#[tokio::test]
async fn events_come_together_in_the_order_of_their_streams_each_once() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    for _ in 0..20 {
        for stream in ["a", "b", "c"] {
            world.append(stream, 10).await;
        }
    }
    world.register("one", &ledger, together(50, 0)).await;
    let messages = ledger.until(|messages| count(messages) >= 600).await;
    assert!(messages.iter().all(|own| events(own).len() <= 50));
    assert!(messages.len() <= 60, "{} messages", messages.len());
    for (stream, sequences) in taken(&messages) {
        assert!(sequences.len() == 200 && sequences.is_sorted(), "{stream}: {sequences:?}");
    }
    let ids: BTreeSet<&str> = messages.iter().map(Message::id).collect();
    assert_eq!(ids.len(), messages.len());
    world.until("select delivered from outbox_cursors", 600).await;
    let of_600 = "select count(*) from outbox_attempts where verdict = 'delivered' and attempt = 1";
    world.until(of_600, 600).await;
}

#[tokio::test]
async fn one_event_that_is_refused_is_given_up_alone() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    let is_bad = |event: &Value| event["subject"] == "thing/bad" && event["data"]["n"] == 2;
    ledger.answer(move |message| {
        Reply::Status(if events(message).iter().any(is_bad) { 400 } else { 204 })
    });
    for stream in ["bad", "good", "other"] {
        world.append(stream, 5).await;
    }
    world
        .register("one", &ledger, |config| {
            together(100, 0)(config);
            config.retry = RetrySchedule::new(vec![100]).unwrap();
        })
        .await;
    world.until("select count(*) from outbox_dead_letters", 1).await;
    world.until("select count(*) from outbox_retries", 0).await;
    world.until("select delivered from outbox_cursors", 12).await;
    world.until("select waiting from outbox_dead_letters", 2).await;
    let messages = ledger.until(|messages| count(messages) >= 12).await;
    let counts: Vec<usize> = taken(&messages).values().map(Vec::len).collect();
    assert_eq!(counts, [2, 5, 5]);
    // What comes later goes together again.
    ledger.take_all();
    world.append("good", 40).await;
    let messages = ledger.until(|messages| count(messages) >= 52).await;
    assert!(messages.iter().any(|own| own.is_taken() && events(own).len() > 1));
}

#[tokio::test]
async fn a_message_that_met_an_endpoint_under_load_comes_again_with_the_same_id_and_bytes() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    let tries = Arc::new(AtomicUsize::new(0));
    ledger.answer(move |_| {
        Reply::Status(if tries.fetch_add(1, Atomic::SeqCst) < 2 { 502 } else { 204 })
    });
    world.append("a", 10).await;
    world.append("b", 10).await;
    world.register("one", &ledger, together(20, 0)).await;
    let messages = ledger.until(|messages| count(messages) >= 20).await;
    let first = &messages[0];
    assert_eq!((messages.len(), events(first).len()), (3, 20));
    assert!(messages.iter().all(|own| own.id() == first.id() && own.body == first.body));
    assert!(events(first).iter().all(|event| id(event) != first.id()));
    assert!(header(&first.head, "content-type").unwrap().contains("cloudevents-batch"));
    world.until("select delivered from outbox_cursors", 20).await;
    let nothing = "select count(*) from outbox";
    assert_eq!(world.count(nothing).await, 0);
}

#[tokio::test]
async fn what_comes_within_the_wait_goes_in_one_message() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.register("one", &ledger, together(3, 60_000)).await;
    for _ in 0..3 {
        world.append("a", 1).await;
    }
    let messages = ledger.until(|messages| count(messages) >= 3).await;
    assert_eq!(messages.len(), 1);
}
