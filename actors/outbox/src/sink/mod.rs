//! Where events go: one shape for every kind of receiver.

mod webhook;

pub(crate) use webhook::WebhookSink;

use futures_util::future::LocalBoxFuture;
use headwater::event::RecordedEvent;

use crate::webhook::{Attempted, Verdict};

/// Takes events to a receiver.
pub(crate) trait Sink {
    /// Makes one attempt. Dropping the future breaks it off.
    fn deliver(&self, event: &RecordedEvent) -> LocalBoxFuture<'static, Delivery>;
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub attempted: Attempted,
    /// Whether it is of no use to send this event again, whatever happens.
    pub is_hopeless: bool,
}

impl Delivery {
    /// Makes the end of an attempt that was not made.
    pub fn refused(words: impl Into<String>, is_hopeless: bool) -> Self {
        let attempted = Attempted {
            verdict: Verdict::Refused,
            status: None,
            error: Some(words.into()),
            response: None,
            retry_after: None,
            took: std::time::Duration::ZERO,
        };
        Self { attempted, is_hopeless }
    }
}

/// Refuses everything: what stands in for a receiver that cannot be set up.
pub(crate) struct Unusable(pub String);

impl Sink for Unusable {
    fn deliver(&self, _: &RecordedEvent) -> LocalBoxFuture<'static, Delivery> {
        Box::pin(std::future::ready(Delivery::refused(self.0.clone(), false)))
    }
}
