//! Endpoints that are paused, removed or just registered, and servers that stop.

use std::time::{Duration, Instant};

use headwater_outbox::endpoint::{EndpointConfig, Pause, Remove, Resume, Start};
use serde_json::json;

use super::kit::{Desk, ack_timeout_ms, event_of};

#[tokio::test]
async fn a_paused_endpoint_hands_out_nothing_says_so_and_takes_acknowledgements() {
    let desk = Desk::open(|_| {}).await;
    desk.world.append("a", 1).await;
    let held = desk.client.take_one().await;
    desk.world.tell("one", Pause { reason: None }).await.unwrap();
    while desk.client.page("wait_s=0").await["phase"] != "paused" {}
    desk.world.append("b", 1).await;
    assert_eq!(desk.client.page("wait_s=1").await["deliveries"], json!([]));
    assert_eq!(desk.client.acknowledge(&[held]).await, ["ok"]);
    let client = desk.client.clone();
    // A poll that waits is answered when the endpoint goes on.
    let waiting = tokio::spawn(async move { client.take_one().await });
    desk.world.tell("one", Resume {}).await.unwrap();
    assert_eq!(event_of(&waiting.await.unwrap()).0, "thing/b");
}

#[tokio::test]
async fn a_poll_waits_for_what_is_appended() {
    let desk = Desk::open(|_| {}).await;
    assert!(desk.client.take("wait_s=0").await.is_empty());
    let client = desk.client.clone();
    let waiting = tokio::spawn(async move { client.take("wait_s=20").await });
    desk.world.append("a", 1).await;
    assert_eq!(waiting.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_poll_whose_client_is_gone_takes_nothing() {
    let desk = Desk::open(|config| ack_timeout_ms(config, 3_600_000)).await;
    assert!(desk.client.take("wait_s=0").await.is_empty());
    for _ in 0..2 {
        let path = "/v1/endpoints/one/events?wait_s=60";
        drop(desk.client.send("GET", path, None).await.unwrap());
    }
    // The one thread of the server has seen both ends before this.
    desk.client.follow("").await.line("event: phase").await.unwrap();
    desk.world.append("a", 1).await;
    assert_eq!(event_of(&desk.client.take_one().await), ("thing/a".into(), 1));
}

#[tokio::test]
async fn a_server_that_stops_answers_polls_that_wait_at_once() {
    let mut desk = Desk::open(|_| {}).await;
    // The endpoint is there.
    assert!(desk.client.take("wait_s=0").await.is_empty());
    let began = Instant::now();
    let poll = desk.client.send("GET", "/v1/endpoints/one/events?wait_s=60", None).await.unwrap();
    // The one thread of the server has read the poll before this.
    desk.client.follow("").await.line("event: phase").await.unwrap();
    desk.stop_server().await;
    let page = poll.reply().await.unwrap().body;
    assert_eq!((&page["deliveries"], &page["phase"]), (&json!([]), &json!("active")));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn an_endpoint_can_be_asked_as_soon_as_it_is_registered_and_not_when_it_is_removed() {
    let desk = Desk::open(|_| {}).await;
    desk.world.append("a", 1).await;
    desk.world.register_as("two", EndpointConfig::pull(), Start::Now).await;
    desk.world.append("a", 1).await;
    let path = "/v1/endpoints/two/events?wait_s=20";
    let reply = desk.client.ask("GET", path, None).await;
    let taken = reply.body["deliveries"].as_array().unwrap();
    assert_eq!(taken.iter().map(|own| event_of(own).1).collect::<Vec<_>>(), [2]);
    let cursors = "select count(*) from outbox_cursors where endpoint = 'two'";
    desk.world.until(cursors, 1).await;
    desk.world.tell("two", Remove {}).await.unwrap();
    desk.world.until(cursors, 0).await;
    assert_eq!(desk.client.ask("GET", path, None).await.status, 404);
}
