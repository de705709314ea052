//! Exchanges and queues of RabbitMQ that go with the connection that made them.

use futures_util::StreamExt;
use headwater_outbox::broker::BrokerConfig;
use headwater_outbox::endpoint::Target;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use tokio::time::timeout;

use super::kit::{BOUND, broker};

/// A queue with all that comes to it.
pub struct Queue {
    connection: Connection,
    channel: Channel,
    exchange: String,
    name: String,
    consumer: Consumer,
}

/// Returns where RabbitMQ is; `None` when there is none.
pub fn url() -> Option<String> {
    broker("AMQP_URL", (5672, "amqp://guest:guest@127.0.0.1:5672"))
}

pub fn knowing(url: &str) -> BrokerConfig {
    BrokerConfig { rabbitmq: Some(url.parse().unwrap()), ..BrokerConfig::default() }
}

pub fn to(exchange: &str, routing_key: &str) -> Target {
    let (exchange, routing_key) = (exchange.to_owned(), routing_key.to_owned());
    Target::Rabbitmq { exchange, routing_key }
}

impl Queue {
    /// Makes an exchange and a queue that is not bound to it yet.
    pub async fn make(url: &str, exchange: &str) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(url, properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let gone_with_us = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
        let (table, topic) = (FieldTable::default, ExchangeKind::Topic);
        channel.exchange_declare(exchange.into(), topic, gone_with_us, table()).await.unwrap();
        let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), own, table()).await.unwrap();
        let name = queue.name().to_string();
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(name.as_str().into(), "".into(), options, table());
        let consumer = consumer.await.unwrap();
        Self { connection, channel, exchange: exchange.to_owned(), name, consumer }
    }

    /// Lets messages with these routing keys come.
    pub async fn bind(self, routing_key: &str) -> Self {
        let (queue, exchange) = (self.name.as_str().into(), self.exchange.as_str().into());
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let bound = self.channel.queue_bind(queue, exchange, routing_key.into(), options, table);
        bound.await.unwrap();
        self
    }

    pub async fn next(&mut self) -> Delivery {
        timeout(BOUND, self.consumer.next()).await.expect("no message came").unwrap().unwrap()
    }

    pub async fn remove(self) {
        self.connection.close(200, "done".into()).await.unwrap();
    }
}

/// Returns a header's text; empty when there is none.
pub fn header(message: &Delivery, name: &str) -> String {
    let headers = message.properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get(name)) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        _ => String::new(),
    }
}

/// Returns the id that a message has.
pub fn id(message: &Delivery) -> String {
    message.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default()
}
