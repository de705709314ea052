//! A topic of Kafka as receiver. Success is the acknowledgement of all replicas in sync.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use headwater::clock::SharedClock;
use headwater::event::RecordedEvent;
use rskafka::chrono::DateTime;
use rskafka::record::Record;

use super::{Delivery, Sink, attempt};
use crate::broker::{KafkaConnection, KafkaMessage, Link, Refusal};
use crate::endpoint::EndpointConfig;
use crate::payload::{Format, attributes, render};
use crate::plugin::Shared;

/// What comes before the names of attributes in headers (CloudEvents 1.0.2, Kafka binding,
/// section 3.2.3.1).
const PREFIX: &str = "ce_";
const CONTENT_TYPE: &str = "content-type";

/// Publishes events to a topic.
pub(crate) struct KafkaSink {
    link: Arc<Link<KafkaConnection>>,
    clock: SharedClock,
    source: String,
    topic: Arc<str>,
    format: Format,
    limit: Duration,
}

impl KafkaSink {
    /// Sets it up; an error says in words what is wrong.
    pub fn new(shared: &Shared, config: &EndpointConfig, topic: &str) -> Result<Self, String> {
        let missing = "this node knows no Kafka: set outbox.kafka to its address";
        Ok(Self {
            link: shared.brokers.kafka.clone().ok_or(missing)?,
            clock: shared.clock.clone(),
            source: shared.source.clone(),
            topic: topic.into(),
            format: config.format,
            limit: Duration::from_millis(config.timeout_ms.into()),
        })
    }

    fn message(&self, event: &RecordedEvent) -> Result<KafkaMessage, Refusal> {
        let hopeless = |error: &dyn std::error::Error| Refusal::hopeless(error.to_string());
        let payload = render(self.format, &self.source, event).map_err(|error| hopeless(&error))?;
        let mut headers = BTreeMap::from([(CONTENT_TYPE.to_owned(), payload.content_type.into())]);
        if self.format == Format::CloudEventsBinary {
            let attributes = attributes(&self.source, event).map_err(|error| hopeless(&error))?;
            let named = |(name, text): (&str, String)| (format!("{PREFIX}{name}"), text.into());
            headers.extend(attributes.into_iter().map(named));
        }
        let trace = payload.headers.into_iter().find(|(name, _)| *name == "traceparent");
        headers.extend(trace.map(|(name, text)| (name.to_owned(), text.into())));
        let key = format!("{}/{}", event.category(), event.stream_id()).into_bytes();
        // The time of the message, not of the event: Kafka forgets messages by it.
        let now = self.clock.now().as_millisecond();
        let record = Record {
            key: Some(key.clone()),
            value: Some(payload.body.into()),
            headers,
            timestamp: DateTime::from_timestamp_millis(now).unwrap_or_default(),
        };
        Ok(KafkaMessage { topic: Arc::clone(&self.topic), key, record })
    }
}

impl Sink for KafkaSink {
    fn deliver(&self, event: &RecordedEvent, _: u32) -> LocalBoxFuture<'static, Delivery> {
        let (link, message) = (Arc::clone(&self.link), self.message(event));
        attempt(self.limit, "Kafka", async move {
            let message = message?;
            link.get().await.map_err(Refusal::again)?.publish(message).await
        })
    }
}
