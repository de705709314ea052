//! Brokers go and come back.

use std::collections::BTreeMap;

use headwater_outbox::payload::Format;

use super::gate::Gate;
use super::kit::{World, fresh, operator};
use super::nats::in_order;
use super::nats_kit::{self, Server, Stream};
use super::rabbitmq_kit::{self, Queue};

#[tokio::test]
async fn a_nats_server_that_stops_and_starts_gets_everything_in_order() {
    let Some(mut server) = Server::start() else { return };
    let stream = Stream::make(&server.url(), "shop").await;
    let world = World::start(nats_kit::knowing(&server.url())).await;
    let binary = Format::CloudEventsBinary;
    world.register((&operator(), "n"), nats_kit::to("shop.x"), |own| own.format = binary).await;
    append_to_twenty(&world, 0).await;
    world.until("select delivered > 50 from outbox_cursors", 1).await;
    server.stop();
    append_to_twenty(&world, 20).await;
    world.until("select is_broken from outbox_cursors", 1).await;
    let told = "select last_error from outbox_retries where last_error like '%reached%'";
    world.until_told(told, &["NATS at nats://127.0.0.1:", "outbox.nats"]).await;
    server.start_again();
    world.until("select delivered from outbox_cursors", 800).await;
    world.until("select count(*) from outbox", 0).await;
    let counts = in_order(&stream.messages(800).await);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [40; 20]);
    world.stop().await;
}

#[tokio::test]
async fn a_rabbitmq_that_is_gone_for_a_while_gets_everything_in_order() {
    let Some(url) = rabbitmq_kit::url() else { return };
    let name = fresh("gone");
    let mut queue = Queue::make(&url, &name).await.bind("#").await;
    let parsed = url::Url::parse(&url).unwrap();
    let host = parsed.host_str().unwrap();
    let mut gate = Gate::before(&format!("{host}:{}", parsed.port().unwrap_or(5672))).await;
    let mut through = parsed.clone();
    through.set_host(Some("127.0.0.1")).unwrap();
    through.set_port(Some(gate.port())).unwrap();
    let world = World::start(rabbitmq_kit::knowing(through.as_str())).await;
    let binary = Format::CloudEventsBinary;
    let target = rabbitmq_kit::to(&name, "x");
    world.register((&operator(), "r"), target, |own| own.format = binary).await;
    append_to_twenty(&world, 0).await;
    world.until("select delivered > 50 from outbox_cursors", 1).await;
    gate.shut().await;
    append_to_twenty(&world, 20).await;
    world.until("select is_broken from outbox_cursors", 1).await;
    let told = "select last_error from outbox_retries where last_error like '%reached%'";
    world.until_told(told, &["RabbitMQ at amqp://127.0.0.1:", "outbox.rabbitmq"]).await;
    gate.open().await;
    world.until("select delivered from outbox_cursors", 800).await;
    let (mut last, mut distinct) = (BTreeMap::<String, String>::new(), 0);
    while distinct < 800 {
        let message = queue.next().await;
        let sequence = rabbitmq_kit::header(&message, "cloudEvents:sequence");
        let before = last.entry(rabbitmq_kit::header(&message, "cloudEvents:subject"));
        let before = before.or_default();
        // Not confirmed before the connection broke, and so sent again.
        if *before != sequence {
            assert!(*before < sequence, "{sequence} after {before}");
            (*before, distinct) = (sequence, distinct + 1);
        }
    }
    world.stop().await;
    queue.remove().await;
}

async fn append_to_twenty(world: &World, from: u64) {
    for stream in 0..20 {
        world.append(&format!("s{stream}"), "Done", from..from + 20).await;
    }
}
