//! An exchange of RabbitMQ as receiver. Success is the confirmation that a queue has the message.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use headwater::event::{RecordedEvent, Tenant};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::{Delivery, Sink, attempt};
use crate::broker::{Link, RabbitmqConnection, RabbitmqMessage, Refusal};
use crate::endpoint::{EndpointConfig, Template};
use crate::payload::{Format, attributes, message_id, render};
use crate::plugin::Shared;

/// What comes before the names of attributes in headers (CloudEvents 1.0.2, AMQP binding,
/// section 3.1.3.1).
const PREFIX: &str = "cloudEvents:";
/// Makes queues that are durable keep messages on disk.
const PERSISTENT: u8 = 2;

/// Publishes events to an exchange.
pub(crate) struct RabbitmqSink {
    link: Arc<Link<RabbitmqConnection>>,
    owner: Tenant,
    source: String,
    exchange: ShortString,
    routing_key: Template,
    format: Format,
    limit: Duration,
}

impl RabbitmqSink {
    /// Sets it up; an error says in words what is wrong.
    pub fn new(
        shared: &Shared,
        config: &EndpointConfig,
        (exchange, routing_key): (&str, &str),
    ) -> Result<Self, String> {
        let missing = "this node knows no RabbitMQ: set outbox.rabbitmq to its address";
        let routing_key = Template::routing_key("target.routing_key", routing_key);
        Ok(Self {
            link: shared.brokers.rabbitmq.clone().ok_or(missing)?,
            // Only the operator has endpoints of brokers.
            owner: shared.brokers.operator.clone(),
            source: shared.source.clone(),
            exchange: ShortString::try_new(exchange).map_err(|error| error.to_string())?,
            routing_key: routing_key.map_err(|error| error.to_string())?,
            format: config.format,
            limit: Duration::from_millis(config.timeout_ms.into()),
        })
    }

    fn message(&self, event: &RecordedEvent) -> Result<RabbitmqMessage, Refusal> {
        let hopeless = |error: &dyn std::error::Error| Refusal::hopeless(error.to_string());
        let short = |text: String| ShortString::try_new(text).map_err(|error| hopeless(&error));
        let payload = render(self.format, &self.source, event).map_err(|error| hopeless(&error))?;
        let mut headers = FieldTable::default();
        let value = |text: String| AMQPValue::LongString(text.into());
        if self.format == Format::CloudEventsBinary {
            let attributes = attributes(&self.source, event).map_err(|error| hopeless(&error))?;
            for (name, text) in attributes {
                headers.insert(short(format!("{PREFIX}{name}"))?, value(text));
            }
        }
        let trace = payload.headers.into_iter().find(|(name, _)| *name == "traceparent");
        if let Some((name, text)) = trace {
            headers.insert(short(name.to_owned())?, value(text));
        }
        let id = message_id(&self.owner, std::slice::from_ref(event));
        let seconds = u64::try_from(event.occurred_at().as_second()).unwrap_or(0);
        let properties = BasicProperties::default()
            .with_message_id(short(id.clone())?)
            .with_content_type(short(payload.content_type.to_owned())?)
            .with_type(short(format!("{}.{}", event.category(), event.event_type()))?)
            .with_timestamp(seconds)
            .with_delivery_mode(PERSISTENT)
            .with_headers(headers);
        let routing_key = short(self.routing_key.fill(event))?;
        let exchange = self.exchange.clone();
        Ok(RabbitmqMessage { id, exchange, routing_key, properties, body: payload.body })
    }
}

impl Sink for RabbitmqSink {
    fn deliver(&self, event: &RecordedEvent, _: u32) -> LocalBoxFuture<'static, Delivery> {
        let (link, message) = (Arc::clone(&self.link), self.message(event));
        attempt(self.limit, "RabbitMQ", async move {
            let message = message?;
            link.get().await.map_err(Refusal::again)?.publish(message).await
        })
    }
}
