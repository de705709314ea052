//! Where events go: one shape for every kind of receiver.

#[cfg(feature = "kafka")]
mod kafka;
mod nats;
mod pull;
mod rabbitmq;
mod webhook;

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use headwater::event::RecordedEvent;
use tokio::time::timeout;

use crate::broker::Refusal;
use crate::endpoint::{Endpoint, EndpointConfig, Target};
use crate::plugin::Shared;
use crate::table::EndpointKey;
use crate::webhook::{Attempted, Verdict};
#[cfg(feature = "kafka")]
use kafka::KafkaSink;
use nats::NatsSink;
use pull::PullSink;
use rabbitmq::RabbitmqSink;
use webhook::WebhookSink;

/// Takes events to a receiver.
pub(crate) trait Sink {
    /// Makes one attempt, which has this number, from 1. Dropping the future breaks it off.
    fn deliver(&self, event: &RecordedEvent, attempt: u32) -> LocalBoxFuture<'static, Delivery>;

    /// Makes one attempt with several events in one message, if it knows such messages.
    fn deliver_together(&self, _: &[RecordedEvent]) -> LocalBoxFuture<'static, Delivery> {
        let words = "its messages hold one event each";
        Box::pin(std::future::ready(Delivery::refused(words, true)))
    }

    /// Notes that nothing more comes: what waits for a receiver to ask for it ends now.
    fn close(&self) {}
}

/// Sets up what an endpoint's events go through; an error says in words what is wrong.
pub(crate) fn open(
    shared: &Shared,
    key: &EndpointKey,
    endpoint: &Endpoint,
    config: &EndpointConfig,
) -> Result<Rc<dyn Sink>, String> {
    let is_operator = key.tenant == shared.brokers.operator;
    Ok(match &config.target {
        Target::Webhook { url, headers, handshake } => {
            let mut sink = WebhookSink::new(shared, key, (endpoint, config), (url, headers))?;
            if handshake.is_some() {
                sink.name_origin(shared.origin.as_deref())?;
            }
            Rc::new(sink)
        }
        Target::Pull { ack_timeout_ms } => {
            Rc::new(PullSink::new(shared, key, (endpoint, config), *ack_timeout_ms))
        }
        // Checked here too, because an event can be written without the routes.
        _ if !is_operator => return Err(config.target.not_operator()),
        Target::Nats { subject, stream } => {
            Rc::new(NatsSink::new(shared, config, (subject, stream.as_deref()))?)
        }
        Target::Rabbitmq { exchange, routing_key } => {
            Rc::new(RabbitmqSink::new(shared, config, (exchange, routing_key))?)
        }
        #[cfg(feature = "kafka")]
        Target::Kafka { topic } => Rc::new(KafkaSink::new(shared, config, topic)?),
        #[cfg(not(feature = "kafka"))]
        Target::Kafka { .. } => return Err(crate::broker::NO_KAFKA.to_owned()),
    })
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub attempted: Attempted,
    /// Whether it is of no use to send this event again, whatever happens.
    pub is_hopeless: bool,
    /// Whether there was an attempt at all; one that was not made does not count.
    pub was_made: bool,
}

impl Delivery {
    /// Makes the end of an attempt that was not made.
    pub fn refused(words: impl Into<String>, is_hopeless: bool) -> Self {
        Self::ended(Verdict::Refused, Some(words.into()), is_hopeless)
    }

    const fn ended(verdict: Verdict, error: Option<String>, is_hopeless: bool) -> Self {
        let (status, response, retry_after) = (None, None, None);
        let took = Duration::ZERO;
        let attempted = Attempted { verdict, status, error, response, retry_after, took };
        Self { attempted, is_hopeless, was_made: true }
    }

    /// Makes the end of an attempt that was broken off before it began.
    fn untried() -> Self {
        Self { was_made: false, ..Self::ended(Verdict::Refused, None, false) }
    }
}

/// Publishes to a broker, within a time.
fn attempt(
    limit: Duration,
    broker: &'static str,
    publishing: impl Future<Output = Result<(), Refusal>> + 'static,
) -> LocalBoxFuture<'static, Delivery> {
    let publishing = async move {
        let began = Instant::now();
        let ended = timeout(limit, publishing).await.unwrap_or_else(|_| {
            let ms = limit.as_millis();
            Err(Refusal::again(format!("{broker} did not acknowledge the message within {ms} ms")))
        });
        let mut delivery = match ended {
            Ok(()) => Delivery::ended(Verdict::Delivered, None, false),
            Err(Refusal { words, is_hopeless }) => {
                Delivery::ended(Verdict::Failed, Some(words), is_hopeless)
            }
        };
        delivery.attempted.took = began.elapsed();
        delivery
    };
    publishing.boxed_local()
}

/// Refuses everything: what stands in for a receiver that cannot be set up.
pub(crate) struct Unusable(pub String);

impl Sink for Unusable {
    fn deliver(&self, _: &RecordedEvent, _: u32) -> LocalBoxFuture<'static, Delivery> {
        Box::pin(std::future::ready(Delivery::refused(self.0.clone(), false)))
    }
}
