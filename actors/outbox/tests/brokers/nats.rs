//! NATS JetStream takes events.

use std::collections::BTreeMap;

use headwater::event::{NewEvent, Tenant};
use headwater_outbox::endpoint::Target;
use headwater_outbox::payload::Format;

use super::kit::{World, fresh, operator};
use super::nats_kit::{Message, Stream, knowing, to, url};

/// Asserts that each stream's events come in order, and returns how many there are of each.
pub fn in_order(messages: &[Message]) -> BTreeMap<String, usize> {
    let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in messages {
        let (stream, sequence) = (message.header("ce-subject"), message.header("ce-sequence"));
        streams.entry(stream.to_owned()).or_default().push(sequence.to_owned());
    }
    for (stream, sequences) in &streams {
        assert!(sequences.is_sorted_by(|a, b| a < b), "{stream}: {sequences:?}");
    }
    streams.into_iter().map(|(stream, sequences)| (stream, sequences.len())).collect()
}

#[tokio::test]
async fn acknowledged_events_lie_in_the_stream_in_order_with_their_ids() {
    let Some(url) = url() else { return };
    let name = fresh("order");
    let stream = Stream::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    for id in ["a", "b", "c d"] {
        world.append(id, "Done", 0..40).await;
    }
    let target = Target::Nats {
        subject: format!("{name}.{{tenant}}.{{category}}.{{type}}"),
        stream: Some(name.clone()),
    };
    let binary = Format::CloudEventsBinary;
    world.register((&operator(), "n"), target, |own| own.format = binary).await;
    let messages = stream.messages(120).await;
    let counts = in_order(&messages);
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [40, 40, 40]);
    let message = &messages[0];
    assert_eq!(message.subject, format!("{name}.{}.thing.Done", operator()));
    assert_eq!(message.header("Nats-Msg-Id"), message.header("ce-id"));
    assert_eq!(message.header("content-type"), "application/json");
    assert_eq!((message.header("ce-specversion"), &*message.body), ("1.0", &b"{\"n\":0}"[..]));
    world.until("select delivered from outbox_cursors", 120).await;
    world.until("select failed from outbox_cursors", 0).await;
    world.stop().await;
    stream.remove().await;
}

#[tokio::test]
async fn what_is_published_twice_lies_in_the_stream_once() {
    let Some(url) = url() else { return };
    let name = fresh("twice");
    let stream = Stream::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    world.append("a", "Done", 0..20).await;
    for id in ["first", "second"] {
        world.register((&operator(), id), to(format!("{name}.x")), |_| {}).await;
    }
    world.until("select sum(delivered) from outbox_cursors", 40).await;
    assert_eq!(stream.len().await, 20);
    world.stop().await;
    stream.remove().await;
}

#[tokio::test]
async fn a_subject_that_no_stream_takes_is_tried_again_and_the_words_say_what_to_do() {
    let Some(url) = url() else { return };
    let (name, world) = (fresh("nobody"), World::start(knowing(&url)).await);
    world.append("a", "Done", 0..5).await;
    world.register((&operator(), "n"), to(format!("{name}.x")), |_| {}).await;
    let told = "select last_error from outbox_retries";
    let fix = format!("nats stream add NAME --subjects {name}.x");
    world.until_told(told, &["no stream of NATS takes the subject", &fix]).await;
    let stream = Stream::make(&url, &name).await;
    world.until("select delivered from outbox_cursors", 5).await;
    assert_eq!(stream.messages(5).await.len(), 5);
    world.stop().await;
    stream.remove().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_a_dead_letter_at_once_and_others_go_on() {
    let Some(url) = url() else { return };
    let name = fresh("large");
    let stream = Stream::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    let data = format!("\"{}\"", "x".repeat((1 << 20) - 100));
    world.append_events("a", vec![NewEvent::json("Done", 1, data).unwrap()]).await;
    world.append("b", "Done", 0..5).await;
    world.register((&operator(), "n"), to(format!("{name}.x")), |_| {}).await;
    world.until("select attempts from outbox_dead_letters", 1).await;
    let told = "select last_error from outbox_dead_letters";
    let sizes = ["too large for NATS", "limit of 1048576", "message size of 1048", "max_payload"];
    world.until_told(told, &sizes).await;
    assert_eq!(stream.messages(5).await.len(), 5);
    world.stop().await;
    stream.remove().await;
}

#[tokio::test]
async fn a_message_for_another_stream_is_refused_and_the_words_name_the_field() {
    let Some(url) = url() else { return };
    let name = fresh("other");
    let stream = Stream::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    world.append("a", "Done", 0..1).await;
    let target = Target::Nats { subject: format!("{name}.x"), stream: Some("elsewhere".into()) };
    world.register((&operator(), "n"), target, |_| {}).await;
    world.until_told("select last_error from outbox_retries", &["change target.stream"]).await;
    assert_eq!(stream.len().await, 0);
    world.stop().await;
    stream.remove().await;
}

#[tokio::test]
async fn a_tenant_that_is_not_the_operators_publishes_nothing() {
    let Some(url) = url() else { return };
    let name = fresh("tenant");
    let stream = Stream::make(&url, &name).await;
    let world = World::start(knowing(&url)).await;
    let other = Tenant::new("guest").unwrap();
    let subject = to(format!("{name}.x"));
    let own = |own: &mut headwater_outbox::endpoint::EndpointConfig| {
        own.filter.categories = vec!["endpoint".to_owned()];
    };
    world.register((&other, "n"), subject, own).await;
    let told = "select last_error from outbox_retries";
    world.until_told(told, &["only endpoints of the operator's tenant"]).await;
    assert_eq!(stream.len().await, 0);
    world.stop().await;
    stream.remove().await;
}

#[tokio::test]
async fn a_broker_that_no_setting_names_is_told_with_the_setting() {
    let world = World::start(Default::default()).await;
    world.append("a", "Done", 0..1).await;
    world.register((&operator(), "n"), to("a.b"), |_| {}).await;
    world.until_told("select last_error from outbox_retries", &["set outbox.nats"]).await;
    world.stop().await;
}
