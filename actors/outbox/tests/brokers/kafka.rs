//! Kafka takes events.

use headwater::event::NewEvent;
use headwater_outbox::endpoint::Ordering;
use headwater_outbox::payload::Format;

use super::kafka_kit::{Topic, knowing, streams, to, url};
use super::kit::{World, fresh, operator};

#[tokio::test]
async fn acknowledged_events_lie_in_one_partition_a_stream_in_order_with_their_headers() {
    let Some(url) = url() else { return };
    let name = fresh("order");
    let topic = Topic::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    let ids: Vec<String> = (0..8).map(|n| format!("é {n}")).collect();
    for id in &ids {
        world.append(id, "Done", 0..25).await;
    }
    let binary = Format::CloudEventsBinary;
    world.register((&operator(), "k"), to(&name), |own| own.format = binary).await;
    let messages = topic.messages(200).await;
    let streams = streams(&messages);
    assert_eq!(streams.len(), 8);
    for (stream, (partitions, sequences)) in &streams {
        assert!(partitions.iter().all(|own| *own == partitions[0]), "{stream}: {partitions:?}");
        let is_in_order = sequences.is_sorted_by(|a, b| a < b);
        assert!(sequences.len() == 25 && is_in_order, "{stream}: {sequences:?}");
    }
    for message in &messages {
        assert_eq!(message.key(), message.header("ce_subject"));
        assert_eq!(message.header("ce_partitionkey"), message.key());
        assert_eq!(message.header("ce_type"), "thing.Done");
        assert_eq!(message.header("ce_specversion"), "1.0");
        assert_eq!(message.header("content-type"), "application/json");
        assert_eq!(message.header("ce_datacontenttype"), "");
        assert!(message.value()["n"].is_u64() && message.header("ce_id").len() == 36);
    }
    world.until("select delivered from outbox_cursors", 200).await;
    world.until("select failed from outbox_cursors", 0).await;
    world.stop().await;
}

#[tokio::test]
async fn a_structured_event_is_the_value_and_carries_its_trace_in_a_header() {
    let Some(url) = url() else { return };
    let name = fresh("structured");
    let topic = Topic::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut event = NewEvent::json("Done", 1, "{\"n\":7}").unwrap();
    event.metadata.traceparent = Some(trace.into());
    world.append_events("a", vec![event]).await;
    let ordering = Ordering::Strict;
    world.register((&operator(), "k"), to(&name), |own| own.ordering = ordering).await;
    let messages = topic.messages(1).await;
    let (message, value) = (&messages[0], messages[0].value());
    assert!(message.header("content-type").starts_with("application/cloudevents+json"));
    assert_eq!(
        (value["data"]["n"].as_u64(), value["subject"].as_str()),
        (Some(7), Some("thing/a"))
    );
    assert_eq!((message.header("traceparent"), message.key()), (trace, "thing/a"));
    world.stop().await;
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_named_and_gets_what_waited_once_it_is() {
    let Some(url) = url() else { return };
    let name = fresh("late");
    let world = World::start(knowing(&url)).await;
    world.append("a", "Done", 0..5).await;
    world.register((&operator(), "k"), to(&name), |_| {}).await;
    let told = "select last_error from outbox_retries";
    world.until_told(told, &["Kafka has no topic", &name, "create it"]).await;
    let topic = Topic::make(&url, &name).await;
    let messages = topic.messages(5).await;
    let numbers: Vec<u64> =
        messages.iter().filter_map(|own| own.value()["data"]["n"].as_u64()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    world.stop().await;
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_named_with_its_setting() {
    let world = World::start(knowing("kafka://ann:canary@127.0.0.1:1")).await;
    world.append("a", "Done", 0..1).await;
    world.register((&operator(), "k"), to("shop"), |_| {}).await;
    let told = "select last_error from outbox_retries";
    let words = ["Kafka at kafka://127.0.0.1:1 cannot be reached", "mend outbox.kafka"];
    world.until_told(told, &words).await;
    let shown = "select count(*) from outbox_retries where last_error like '%canary%'";
    world.until(shown, 0).await;
    world.stop().await;
}
