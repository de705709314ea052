//! Several consumers of one endpoint, and what each stream keeps.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater::event::Position;
use headwater_outbox::endpoint::{Filter, Ordering, Replay};
use headwater_outbox::payload::Format;
use parking_lot::Mutex;
use serde_json::json;

use super::kit::{Desk, ack_timeout_ms, event_of};

#[tokio::test]
async fn an_event_is_with_one_consumer_at_a_time_and_its_stream_waits_for_it() {
    let desk = Desk::open(|_| {}).await;
    for stream in ["a", "b", "c"] {
        desk.world.append(stream, 2).await;
    }
    let mut taken = Vec::new();
    for consumer in ["anna", "bert", "cleo"] {
        taken.extend(desk.client.take(&format!("max=1&wait_s=20&consumer={consumer}")).await);
    }
    let events: BTreeSet<(String, u64)> = taken.iter().map(event_of).collect();
    let wanted = ["thing/a", "thing/b", "thing/c"].map(|stream| (stream.to_owned(), 1));
    assert_eq!(events, BTreeSet::from(wanted));
    assert!(desk.client.take("wait_s=0").await.is_empty());
    assert_eq!(desk.client.acknowledge(&taken[1..2]).await, ["ok"]);
    let next = desk.client.take_one().await;
    assert_eq!(event_of(&next), (event_of(&taken[1]).0, 2));
    let of_bert = "select count(*) from outbox_attempts where verdict = 'delivered' \
        and response = 'consumer bert'";
    desk.world.until(of_bert, 1).await;
}

#[tokio::test]
async fn consumers_that_ask_side_by_side_get_everything_once_and_each_stream_in_order() {
    let desk = Desk::open(|_| {}).await;
    for stream in ["a", "b", "c", "d", "e"] {
        desk.world.append(stream, 60).await;
    }
    let ledger = Arc::new(Mutex::new(Vec::new()));
    let consumers = ["anna", "bert"].map(|name| {
        let (client, ledger) = (desk.client.clone(), Arc::clone(&ledger));
        tokio::spawn(async move {
            while ledger.lock().len() < 300 {
                let taken = client.take(&format!("max=3&wait_s=1&consumer={name}")).await;
                ledger.lock().extend(taken.iter().map(event_of));
                if !taken.is_empty() {
                    client.acknowledge(&taken).await;
                }
            }
        })
    });
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let ledger = ledger.lock();
    for stream in ["thing/a", "thing/b", "thing/c", "thing/d", "thing/e"] {
        let own = ledger.iter().filter(|(name, _)| name == stream).map(|(_, revision)| *revision);
        assert_eq!(own.collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>(), "{stream}");
    }
}

#[tokio::test]
async fn strictly_one_event_is_with_consumers_at_a_time() {
    let desk = Desk::open(|config| config.ordering = Ordering::Strict).await;
    desk.world.append("a", 1).await;
    desk.world.append("b", 1).await;
    let first = desk.client.take("wait_s=20").await;
    assert_eq!(first.iter().map(event_of).collect::<Vec<_>>(), [("thing/a".into(), 1)]);
    assert!(desk.client.take("wait_s=0").await.is_empty());
    desk.client.acknowledge(&first).await;
    assert_eq!(event_of(&desk.client.take_one().await), ("thing/b".into(), 1));
}

#[tokio::test]
async fn no_more_than_the_concurrency_is_with_consumers() {
    let desk = Desk::open(|config| {
        config.concurrency = 3;
        config.ordering = Ordering::None;
        ack_timeout_ms(config, 3_600_000);
    })
    .await;
    desk.world.append("a", 10).await;
    let mut taken = Vec::new();
    while taken.len() < 3 {
        taken.extend(desk.client.take("max=256&wait_s=20").await);
    }
    assert!(taken.len() == 3 && desk.client.take("wait_s=0").await.is_empty());
    desk.client.acknowledge(&taken).await;
    assert!(!desk.client.take("wait_s=20").await.is_empty());
}

#[tokio::test]
async fn consumers_get_what_the_filter_lets_through_in_the_format_of_the_endpoint() {
    let desk = Desk::open(|config| {
        let expression = Some("data.n >= 2".to_owned());
        config.filter = Filter { expression, ..Filter::default() };
        config.format = Format::CloudEventsBinary;
    })
    .await;
    desk.world.append("a", 3).await;
    let one = desk.client.take_one().await;
    assert_eq!(one["event"], json!({ "n": 2 }));
    assert_eq!(one["headers"]["ce-subject"], "thing/a");
    assert_eq!((&one["content_type"], &one["position"]), (&json!("application/json"), &json!(4)));
    assert_eq!((&one["attempt"], &one["returned"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_replay_is_handed_out_to_the_same_consumers() {
    let desk = Desk::open(|_| {}).await;
    let last = desk.world.append("a", 3).await;
    let mut first = Vec::new();
    for _ in 0..3 {
        let one = [desk.client.take_one().await];
        desk.client.acknowledge(&one).await;
        first.extend(one);
    }
    let from = Position::new(last.get() - 1);
    let replay = Replay { from, to: last, rate_per_second: None };
    desk.world.tell("one", replay).await.unwrap();
    for before in &first[1..] {
        let again = [desk.client.take_one().await];
        assert_eq!(again[0]["event"], before["event"]);
        desk.client.acknowledge(&again).await;
    }
    desk.world.until("select count(*) from outbox_attempts where feed <> 0", 2).await;
    desk.world.until("select count(*) from outbox_cursors", 1).await;
}

#[tokio::test]
async fn a_restart_goes_on_at_the_stored_cursor() {
    let mut desk = Desk::open(|_| {}).await;
    desk.world.append("a", 2).await;
    let taken = [desk.client.take_one().await];
    desk.client.acknowledge(&taken).await;
    let held = desk.client.take_one().await;
    desk.restart().await;
    // What was not acknowledged comes again, under another name and as the same attempt.
    let again = desk.client.take_one().await;
    assert_eq!((event_of(&again), &again["attempt"]), (("thing/a".into(), 2), &json!(1)));
    assert_eq!(desk.client.acknowledge(&[held]).await, ["gone"]);
    assert_eq!(desk.client.acknowledge(&[again]).await, ["ok"]);
    assert_eq!(desk.world.count("select failed from outbox_cursors").await, 0);
}
