//! Consumers that ask for events as receivers. Success is a consumer's acknowledgement.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use headwater::event::RecordedEvent;

use super::{Delivery, Sink};
use crate::endpoint::{Endpoint, EndpointConfig};
use crate::payload::Format;
use crate::plugin::Shared;
use crate::pull::{End, Ended, Message, Seat, Settings};
use crate::table::EndpointKey;
use crate::webhook::Verdict;

/// Offers events to an endpoint's consumers.
pub(crate) struct PullSink {
    seat: Seat,
    source: String,
    format: Format,
}

impl PullSink {
    /// Opens the group of the endpoint's consumers.
    pub fn new(
        shared: &Shared,
        key: &EndpointKey,
        (endpoint, config): (&Endpoint, &EndpointConfig),
        ack_timeout_ms: u32,
    ) -> Self {
        let ack_timeout = Duration::from_millis(ack_timeout_ms.into());
        let settings = Settings { ack_timeout, phase: endpoint.phase };
        let (source, format) = (shared.source.clone(), config.format);
        Self { seat: shared.groups.open(key, settings), source, format }
    }
}

impl Sink for PullSink {
    fn deliver(&self, event: &RecordedEvent, attempt: u32) -> LocalBoxFuture<'static, Delivery> {
        match Message::new((self.format, &self.source), event, attempt) {
            Ok(message) => self.seat.group().offer(message).ended().map(delivery).boxed_local(),
            Err(error) => {
                std::future::ready(Delivery::refused(error.to_string(), true)).boxed_local()
            }
        }
    }

    fn close(&self) {
        self.seat.group().close();
    }
}

/// Says what the end of an offer means for the event.
fn delivery(ended: Ended) -> Delivery {
    let Ended { end, consumer, held } = ended;
    let failed =
        |words: String, is_hopeless| Delivery::ended(Verdict::Failed, Some(words), is_hopeless);
    let mut delivery = match end {
        End::Untried => Delivery::untried(),
        End::Acknowledged => Delivery::ended(Verdict::Delivered, None, false),
        End::Expired(had) => {
            failed(format!("not acknowledged within {} ms", had.as_millis()), false)
        }
        End::Abandoned(times) => {
            failed(format!("{times} connections broke while they had it"), false)
        }
        End::Rejected(nack) => {
            let words = nack.reason.unwrap_or_else(|| "the consumer gave no reason".to_owned());
            let mut delivery = failed(words, nack.is_hopeless);
            delivery.attempted.retry_after = nack.retry_after;
            delivery
        }
    };
    delivery.attempted.took = held;
    // Whom it was with stands where an answer stands otherwise.
    delivery.attempted.response = consumer.map(|name| format!("consumer {name}"));
    delivery
}
