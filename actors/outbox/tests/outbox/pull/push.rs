//! Deliveries by server-sent events.

use headwater_outbox::endpoint::{Ordering, Pause, Remove, Resume};
use serde_json::json;

use super::kit::{Desk, ack_timeout_ms, event_of};

#[tokio::test]
async fn a_connection_is_sent_events_as_they_come_and_no_more_than_its_bound_at_once() {
    let desk = Desk::open(|config| config.ordering = Ordering::None).await;
    let mut follower = desk.client.follow("max=2").await;
    assert_eq!(follower.line("data: ").await.unwrap(), r#"{"phase":"active"}"#);
    desk.world.append("a", 3).await;
    let (one, two) = (follower.next().await, follower.next().await);
    // The third is there, for others.
    let third = desk.client.take_one().await;
    assert_eq!([&one, &two, &third].map(|own| event_of(own).1), [1, 2, 3]);
    desk.world.append("a", 1).await;
    assert_eq!(desk.client.acknowledge(&[one]).await, ["ok"]);
    assert_eq!(event_of(&follower.next().await).1, 4);
}

#[tokio::test]
async fn a_connection_that_breaks_returns_what_it_had_at_once_and_nothing_has_failed() {
    let desk = Desk::open(|config| ack_timeout_ms(config, 3_600_000)).await;
    desk.world.append("a", 1).await;
    desk.world.append("b", 1).await;
    let mut follower = desk.client.follow("max=16").await;
    let had = [follower.next().await, follower.next().await];
    drop(follower);
    let mut again = Vec::new();
    while again.len() < 2 {
        again.extend(desk.client.take("wait_s=20").await);
    }
    again.sort_by_key(event_of);
    for (before, now) in had.iter().zip(&again) {
        assert_eq!((event_of(before), &before["attempt"]), (event_of(now), &now["attempt"]));
        assert_eq!((&before["returned"], &now["returned"]), (&json!(0), &json!(1)));
    }
    assert_eq!(desk.client.acknowledge(&had).await, ["gone", "gone"]);
    assert_eq!(desk.client.acknowledge(&again).await, ["ok", "ok"]);
    desk.world.until("select delivered from outbox_cursors", 2).await;
    assert_eq!(desk.world.count("select failed from outbox_cursors").await, 0);
    assert_eq!(desk.world.count("select count(*) from outbox_attempts").await, 2);
}

#[tokio::test]
async fn an_event_over_which_connections_break_again_and_again_has_failed() {
    let desk = Desk::open(|_| {}).await;
    desk.world.append("a", 1).await;
    for returned in 0..=8 {
        let mut follower = desk.client.follow("").await;
        let had = follower.next().await;
        assert_eq!((&had["attempt"], &had["returned"]), (&json!(1), &json!(returned)));
    }
    let again = desk.client.take_one().await;
    assert_eq!((&again["attempt"], &again["returned"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn a_connection_is_told_when_the_endpoint_is_paused_and_goes_on_with_it() {
    let desk = Desk::open(|_| {}).await;
    let mut follower = desk.client.follow("").await;
    assert_eq!(follower.line("data: ").await.unwrap(), r#"{"phase":"active"}"#);
    desk.world.tell("one", Pause { reason: None }).await.unwrap();
    assert_eq!(follower.line("data: ").await.unwrap(), r#"{"phase":"paused"}"#);
    desk.world.append("a", 1).await;
    desk.world.tell("one", Resume {}).await.unwrap();
    assert_eq!(follower.line("data: ").await.unwrap(), r#"{"phase":"active"}"#);
    assert_eq!(event_of(&follower.next().await).1, 1);
}

#[tokio::test]
async fn a_connection_ends_when_the_endpoint_is_removed() {
    let desk = Desk::open(|_| {}).await;
    let mut follower = desk.client.follow("").await;
    follower.line("event: phase").await.unwrap();
    desk.world.tell("one", Remove {}).await.unwrap();
    assert_eq!(follower.line("event: delivery").await, None);
}

#[tokio::test]
async fn a_server_that_stops_ends_its_connections_and_nothing_has_failed() {
    let mut desk = Desk::open(|_| {}).await;
    desk.world.append("a", 1).await;
    let mut follower = desk.client.follow("").await;
    follower.next().await;
    desk.stop_server().await;
    assert_eq!(follower.line("event: delivery").await, None);
    desk.restart().await;
    let again = desk.client.take_one().await;
    assert_eq!((event_of(&again).1, &again["attempt"]), (1, &json!(1)));
    assert_eq!(desk.world.count("select failed from outbox_cursors").await, 0);
}
