//! How deliveries look in answers and messages.

use std::collections::BTreeMap;
use std::time::Instant;

use headwater::clock::{Clock, SystemClock};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::endpoint::Phase;
use crate::pull::Handed;

/// Events for a consumer.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryPage)]
pub(super) struct DeliveryPageDocument {
    /// The events, the oldest first.
    pub deliveries: Vec<DeliveryDocument>,
    /// Whether the endpoint gets events: when it is `paused` or `disabled` none are handed out.
    pub phase: Phase,
}

/// An event for a consumer.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryDocument {
    /// Names this delivery: send it back with what became of it.
    pub delivery: String,
    /// Which attempt it is, from 1.
    #[schema(minimum = 1)]
    pub attempt: u32,
    /// How often the event was handed out before in the same attempt, to connections that broke.
    pub returned: u32,
    /// Until when others do not get it.
    #[schema(value_type = String, format = DateTime)]
    pub acknowledge_by: Timestamp,
    /// The event's place in the log.
    pub position: u64,
    /// What `event` is.
    pub content_type: &'static str,
    /// What the endpoint's format puts beside the body.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub headers: BTreeMap<&'static str, String>,
    /// The event in the endpoint's format.
    #[schema(value_type = serde_json::Value)]
    pub event: Box<RawValue>,
}

impl DeliveryDocument {
    pub fn new(handed: &Handed) -> Self {
        let message = &handed.message;
        Self {
            delivery: handed.token.to_string(),
            attempt: message.attempt,
            returned: handed.returned,
            acknowledge_by: wall(handed.until),
            position: message.position.get(),
            content_type: message.content_type,
            headers: message.headers.iter().cloned().collect(),
            event: message.event.clone(),
        }
    }
}

/// Returns the time of day of a moment near now.
pub(super) fn wall(at: Instant) -> Timestamp {
    let left = SignedDuration::try_from(at.saturating_duration_since(Instant::now()));
    let now = SystemClock.now();
    now.saturating_add(left.unwrap_or_default()).unwrap_or(now)
}
