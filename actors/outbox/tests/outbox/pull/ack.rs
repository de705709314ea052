//! What follows when a consumer says yes, no, nothing, or something too late.

use std::time::{Duration, Instant};

use headwater_outbox::endpoint::Redrive;
use serde_json::json;

use super::kit::{Desk, ack_timeout_ms, event_of};
use crate::system::kit::all;

#[tokio::test]
async fn an_event_that_is_not_acknowledged_in_time_comes_again_and_the_late_word_is_gone() {
    let desk = Desk::open(|config| ack_timeout_ms(config, 150)).await;
    desk.world.append("a", 2).await;
    let first = desk.client.take("wait_s=20&consumer=sleeper").await;
    let again = desk.client.take_one().await;
    assert_eq!((event_of(&again), &again["attempt"]), (event_of(&first[0]), &json!(2)));
    assert_ne!(again["delivery"], first[0]["delivery"]);
    assert_eq!(desk.client.acknowledge(&first).await, ["gone"]);
    let again = [again];
    assert_eq!(desk.client.acknowledge(&again).await, ["ok"]);
    // Whose reply was lost says it again.
    assert_eq!(desk.client.acknowledge(&again).await, ["ok"]);
    assert_eq!(event_of(&desk.client.take_one().await).1, 2);
    let late = "select count(*) from outbox_attempts where verdict = 'failed' \
        and response = 'consumer sleeper' and error = 'not acknowledged within 150 ms'";
    desk.world.until(late, 1).await;
}

#[tokio::test]
async fn an_event_that_is_extended_stays_with_its_consumer() {
    let desk = Desk::open(|config| ack_timeout_ms(config, 2_000)).await;
    desk.world.append("a", 1).await;
    let began = Instant::now();
    let one = desk.client.take_one().await;
    while began.elapsed() < Duration::from_millis(2_500) {
        // Meanwhile nobody else gets it.
        assert!(desk.client.take("wait_s=1").await.is_empty());
        assert_eq!(desk.client.say(json!({ "extend": [one["delivery"]] })).await, ["ok"]);
    }
    assert_eq!(desk.client.acknowledge(&[one]).await, ["ok"]);
}

#[tokio::test]
async fn an_event_that_a_consumer_rejects_comes_again_not_before_the_delay_it_asked_for() {
    let desk = Desk::open(|_| {}).await;
    desk.world.append("a", 1).await;
    desk.world.append("b", 1).await;
    let one = desk.client.take_one().await;
    let (began, why) = (Instant::now(), "no stock");
    let nack = json!({ "delivery": one["delivery"], "retry_after_s": 1, "reason": why });
    assert_eq!(desk.client.say(json!({ "nacks": [nack] })).await, ["ok"]);
    // Only its own stream waits.
    let other = [desk.client.take_one().await];
    assert_eq!(event_of(&other[0]).0, "thing/b");
    desk.client.acknowledge(&other).await;
    let again = desk.client.take_one().await;
    assert_eq!((event_of(&again).0.as_str(), &again["attempt"]), ("thing/a", &json!(2)));
    assert!(began.elapsed() >= Duration::from_secs(1));
    let found = "select count(*) from outbox_attempts where error = 'no stock'";
    desk.world.until(found, 1).await;
}

#[tokio::test]
async fn an_event_that_is_hopeless_is_a_dead_letter_at_once_and_its_stream_waits_behind_it() {
    let desk = Desk::open(|_| {}).await;
    desk.world.append("a", 3).await;
    let one = desk.client.take_one().await;
    let nack = json!({ "delivery": one["delivery"], "is_hopeless": true, "reason": "unreadable" });
    desk.client.say(json!({ "nacks": [nack] })).await;
    let dead = "select waiting from outbox_dead_letters where revision = 1 and attempts = 1 \
        and last_error = 'unreadable'";
    desk.world.until(dead, 2).await;
    desk.world.append("b", 1).await;
    let other = desk.client.take("wait_s=20").await;
    assert_eq!(other.iter().map(event_of).collect::<Vec<_>>(), [("thing/b".into(), 1)]);
    desk.world.tell("one", Redrive { selection: all(), rate_per_second: None }).await.unwrap();
    for revision in 1..=3 {
        let one = [desk.client.take_one().await];
        assert_eq!(event_of(&one[0]), ("thing/a".into(), revision));
        desk.client.acknowledge(&one).await;
    }
    desk.world.until("select count(*) from outbox", 0).await;
}

#[tokio::test]
async fn consumers_that_only_fail_neither_open_the_breaker_nor_have_the_endpoint_disabled() {
    let desk = Desk::open(|config| config.retry = vec![100; 50].try_into().unwrap()).await;
    desk.world.append("a", 1).await;
    for _ in 0..20 {
        let one = desk.client.take_one().await;
        desk.client.say(json!({ "nacks": [{ "delivery": one["delivery"] }] })).await;
    }
    desk.world.until("select failed from outbox_cursors", 20).await;
    let standing = "select is_broken + case when failing_since is null then 0 else 1 end \
        from outbox_cursors";
    assert_eq!(desk.world.count(standing).await, 0);
}
