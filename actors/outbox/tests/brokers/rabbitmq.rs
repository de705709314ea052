//! RabbitMQ takes events.

use std::collections::{BTreeMap, BTreeSet};

use headwater_outbox::endpoint::Ordering;
use headwater_outbox::payload::Format;

use super::kit::{World, fresh, operator};
use super::rabbitmq_kit::{Queue, header, id, knowing, to, url};

#[tokio::test]
async fn confirmed_events_come_in_order_with_their_ids_and_properties() {
    let Some(url) = url() else { return };
    let name = fresh("order");
    let mut queue = Queue::make(&url, &name).await.bind("thing.*").await;
    let world = World::start(knowing(&url)).await;
    for stream in ["a", "b é", "c"] {
        world.append(stream, "Done", 0..40).await;
    }
    let binary = Format::CloudEventsBinary;
    let target = to(&name, "{category}.{type}");
    world.register((&operator(), "r"), target, |own| own.format = binary).await;
    let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..120 {
        let message = queue.next().await;
        assert_eq!(message.routing_key.as_str(), "thing.Done");
        assert_eq!(id(&message), header(&message, "cloudEvents:id"));
        let own = &message.properties;
        assert_eq!(own.content_type().as_ref().unwrap().as_str(), "application/json");
        assert_eq!(own.kind().as_ref().unwrap().as_str(), "thing.Done");
        assert_eq!((*own.delivery_mode(), own.timestamp().is_some()), (Some(2), true));
        let stream = streams.entry(header(&message, "cloudEvents:subject")).or_default();
        stream.push(header(&message, "cloudEvents:sequence"));
    }
    assert_eq!(streams.keys().collect::<Vec<_>>(), ["thing/a", "thing/b é", "thing/c"]);
    assert!(streams.values().all(|own| own.len() == 40 && own.is_sorted_by(|a, b| a < b)));
    world.until("select delivered from outbox_cursors", 120).await;
    world.until("select failed from outbox_cursors", 0).await;
    world.stop().await;
    queue.remove().await;
}

#[tokio::test]
async fn what_no_queue_gets_is_tried_again_and_the_words_say_what_to_bind() {
    let Some(url) = url() else { return };
    let name = fresh("unbound");
    let queue = Queue::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    world.append("a", "Done", 0..5).await;
    world.register((&operator(), "r"), to(&name, "orders"), |_| {}).await;
    let told = "select last_error from outbox_retries";
    world.until_told(told, &["no queue gets the message", &name, "orders", "bind"]).await;
    let mut queue = queue.bind("orders").await;
    for number in 0..5 {
        let body: serde_json::Value = serde_json::from_slice(&queue.next().await.data).unwrap();
        assert_eq!(body["data"]["n"], number);
    }
    world.stop().await;
    queue.remove().await;
}

#[tokio::test]
async fn an_exchange_that_is_not_there_breaks_nothing_else() {
    let Some(url) = url() else { return };
    let (name, missing) = (fresh("there"), fresh("missing"));
    let mut queue = Queue::make(&url, &name).await.bind("#").await;
    let world = World::start(knowing(&url)).await;
    world.register((&operator(), "bad"), to(&missing, "x"), |_| {}).await;
    world.append("a", "Done", 0..1).await;
    let told = "select last_error from outbox_retries where endpoint = 'bad'";
    world.until_told(told, &["RabbitMQ has no exchange", &missing, "declare it"]).await;
    world.register((&operator(), "good"), to(&name, "x"), |_| {}).await;
    for stream in 0..50 {
        world.append(&format!("s{stream}"), "Done", 0..4).await;
    }
    world.until("select delivered from outbox_cursors where endpoint = 'good'", 201).await;
    world.until("select failed from outbox_cursors where endpoint = 'good'", 0).await;
    queue.next().await;
    let mut late = Queue::make(&url, &missing).await.bind("#").await;
    late.next().await;
    world.stop().await;
    queue.remove().await;
    late.remove().await;
}

/// The library may pair what comes back with the wrong confirmation, so this mixes many.
#[tokio::test]
async fn nothing_that_came_back_counts_as_delivered() {
    let Some(url) = url() else { return };
    let name = fresh("mixed");
    let mut queue = Queue::make(&url, &name).await.bind("Done").await;
    let world = World::start(knowing(&url)).await;
    for stream in 0..100 {
        let stream = format!("s{stream}");
        world.append(&stream, "Done", 0..1).await;
        world.append(&stream, "Lost", 0..1).await;
        world.append(&stream, "Done", 1..3).await;
    }
    let target = to(&name, "{type}");
    world.register((&operator(), "r"), target, |own| own.ordering = Ordering::None).await;
    let mut came = BTreeSet::new();
    while came.len() < 300 {
        came.insert(id(&queue.next().await));
    }
    let tried = "select count(*) >= 8 from outbox_attempts where event_type = 'Lost'";
    world.until(tried, 1).await;
    let sent = "select count(*) from outbox_attempts where verdict = 'delivered' \
                and event_type = 'Lost'";
    world.until(sent, 0).await;
    world.stop().await;
    queue.remove().await;
}
