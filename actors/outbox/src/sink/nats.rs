//! A stream of NATS JetStream as receiver. Success is the stream's acknowledgement.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use futures_util::future::LocalBoxFuture;
use headwater::event::{RecordedEvent, Tenant};

use super::{Delivery, Sink, attempt};
use crate::broker::{Link, NatsConnection, NatsMessage, Refusal};
use crate::endpoint::{EndpointConfig, Template};
use crate::payload::{Format, message_id, render};
use crate::plugin::Shared;

/// By this a stream knows what it has already, for as long as its duplicate window is.
const ID: HeaderName = HeaderName::from_static("Nats-Msg-Id");
/// The stream that must have the message.
const STREAM: HeaderName = HeaderName::from_static("Nats-Expected-Stream");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");

/// Publishes events to a subject.
pub(crate) struct NatsSink {
    link: Arc<Link<NatsConnection>>,
    owner: Tenant,
    source: String,
    subject: Template,
    stream: Option<String>,
    format: Format,
    limit: Duration,
}

impl NatsSink {
    /// Sets it up; an error says in words what is wrong.
    pub fn new(
        shared: &Shared,
        config: &EndpointConfig,
        (subject, stream): (&str, Option<&str>),
    ) -> Result<Self, String> {
        let missing = "this node knows no NATS: set outbox.nats to its address";
        let subject = Template::subject("target.subject", subject);
        Ok(Self {
            link: shared.brokers.nats.clone().ok_or(missing)?,
            // Only the operator has endpoints of brokers.
            owner: shared.brokers.operator.clone(),
            source: shared.source.clone(),
            subject: subject.map_err(|error| error.to_string())?,
            stream: stream.map(str::to_owned),
            format: config.format,
            limit: Duration::from_millis(config.timeout_ms.into()),
        })
    }

    fn message(&self, event: &RecordedEvent) -> Result<NatsMessage, Refusal> {
        let hopeless = |error: &dyn std::error::Error| Refusal::hopeless(error.to_string());
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| hopeless(&error));
        let payload = render(self.format, &self.source, event).map_err(|error| hopeless(&error))?;
        let mut headers = HeaderMap::new();
        let id = message_id(&self.owner, std::slice::from_ref(event));
        headers.insert(ID, value(&id)?);
        headers.insert(CONTENT_TYPE, value(payload.content_type)?);
        if let Some(stream) = &self.stream {
            headers.insert(STREAM, value(stream)?);
        }
        for (name, text) in payload.headers {
            headers.insert(HeaderName::from_static(name), value(&text)?);
        }
        Ok(NatsMessage { subject: self.subject.fill(event), headers, body: payload.body })
    }
}

impl Sink for NatsSink {
    fn deliver(&self, event: &RecordedEvent, _: u32) -> LocalBoxFuture<'static, Delivery> {
        let (link, message) = (Arc::clone(&self.link), self.message(event));
        attempt(self.limit, "NATS", async move {
            let message = message?;
            link.get().await.map_err(Refusal::again)?.publish(message).await
        })
    }
}
