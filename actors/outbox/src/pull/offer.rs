//! What a lane offers to consumers, and how it learns what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::event::{Position, RecordedEvent};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::deliveries::Nack;
use super::group::Group;
use crate::payload::{Format, PayloadError, render};

/// An event as consumers get it, the same in every delivery of an attempt.
#[derive(Debug)]
pub(crate) struct Message {
    pub position: Position,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    /// The body, which is JSON in every format.
    pub event: Box<RawValue>,
}

/// Where an offer is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Nobody has it.
    Waiting,
    /// A consumer has it, until then.
    Taken { until: Instant },
    /// It is decided.
    Ended(Ended),
}

/// What became of an offer.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub end: End,
    /// Who had it last.
    pub consumer: Option<Arc<str>>,
    /// How long that consumer had it.
    pub held: Duration,
}

/// How an offer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The consumer has dealt with it.
    Acknowledged,
    /// The consumer could not.
    Rejected(Nack),
    /// The consumer did not say anything within this time.
    Expired(Duration),
    /// So many connections broke while they had it.
    Abandoned(u32),
    /// Nobody was asked, or asked any more: the group has closed.
    Untried,
}

/// An offer, which is withdrawn when this is dropped.
pub(crate) struct Offered {
    group: Arc<Group>,
    number: u64,
    stage: watch::Receiver<Stage>,
}

impl Message {
    /// Renders an event.
    ///
    /// # Errors
    /// [`PayloadError`] when its data is not JSON.
    pub fn new(
        (format, source): (Format, &str),
        event: &RecordedEvent,
        attempt: u32,
    ) -> Result<Self, PayloadError> {
        let payload = render(format, source, event)?;
        let position = event.position();
        let event = serde_json::from_slice::<&RawValue>(&payload.body)
            .map_err(|problem| PayloadError::Data { position, problem })?
            .to_owned();
        let (content_type, headers) = (payload.content_type, payload.headers);
        Ok(Self { position, attempt, content_type, headers, event })
    }

    /// Returns about how many bytes it has.
    pub fn bytes(&self) -> usize {
        self.event.get().len()
    }
}

impl Offered {
    pub(super) fn new(group: Arc<Group>, number: u64, stage: watch::Receiver<Stage>) -> Self {
        Self { group, number, stage }
    }

    /// Waits until it is decided, for ever if nobody asks for it.
    pub async fn ended(mut self) -> Ended {
        loop {
            let until = match &*self.stage.borrow_and_update() {
                Stage::Ended(ended) => return ended.clone(),
                Stage::Taken { until } => Some(*until),
                Stage::Waiting => None,
            };
            let changed = match until {
                None => self.stage.changed().await,
                Some(until) => tokio::select! {
                    changed = self.stage.changed() => changed,
                    () = sleep_until(until.into()) => {
                        self.group.expire(self.number, Instant::now());
                        Ok(())
                    }
                },
            };
            if changed.is_err() {
                return Ended { end: End::Untried, consumer: None, held: Duration::ZERO };
            }
        }
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.group.withdraw(self.number);
    }
}
