//! Where events go and how; every bound of it.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::event::Position;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::target::default_ack_timeout_ms;
use super::{EndpointRejection, Filter, Target};
use crate::payload::Format;
use crate::schedule::RetrySchedule;

/// The most bytes of a note or reason.
const NOTE_LEN_MAX: usize = 200;
/// Where events go and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where they go.
    pub target: Target,
    /// Which.
    #[serde(default)]
    pub filter: Filter,
    /// What a failed event holds back.
    #[serde(default)]
    pub ordering: Ordering,
    /// The shape of what is sent.
    #[serde(default)]
    pub format: Format,
    /// How many events go in one message; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batching>,
    /// The most requests under way, from 1 to 256; one when the ordering is strict.
    #[serde(default = "default_concurrency")]
    pub concurrency: u16,
    /// The most requests a second, from 1 to 100,000; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// How long a request may take in all, from 100 to 60,000 ms.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// How often and when a failed event is tried again.
    #[serde(default)]
    pub retry: RetrySchedule,
    /// After how many hours of nothing but failures the endpoint is disabled, from 1 to 720.
    #[serde(default = "default_disable_after_hours")]
    pub disable_after_hours: u16,
}

/// How many events go in one message; only in the format `cloudevents-batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// The most events of a message, from 1 to 1,000; fewer when they have more than 1 MiB.
    #[schema(minimum = 1, maximum = 1_000)]
    pub events_max: u16,
    /// How long a message with room for more events waits for them, at most 60,000 ms.
    #[serde(default)]
    #[schema(maximum = 60_000)]
    pub wait_ms: u16,
}

/// What an event that fails holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// The later events of its stream.
    #[default]
    PerStream,
    /// Every later event.
    Strict,
    /// Nothing.
    None,
}

/// Where an endpoint starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Behind its own registration.
    #[default]
    Now,
    /// With the first event there is.
    Beginning,
    /// Behind this position.
    #[schema(value_type = u64)]
    After(Position),
}

const fn default_concurrency() -> u16 {
    16
}

const fn default_timeout_ms() -> u32 {
    15_000
}

const fn default_disable_after_hours() -> u16 {
    120
}

impl EndpointConfig {
    /// Sets up a webhook with every default.
    #[must_use]
    pub fn webhook(url: impl Into<String>) -> Self {
        let (url, headers) = (url.into(), BTreeMap::new());
        Self::new(Target::Webhook { url, headers, handshake: None })
    }

    /// Sets up an endpoint whose consumers ask for its events, with every default.
    #[must_use]
    pub fn pull() -> Self {
        Self::new(Target::Pull { ack_timeout_ms: default_ack_timeout_ms() })
    }

    /// Sets up an endpoint with every default.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let retry = match target {
            Target::Pull { .. } => RetrySchedule::pulled(),
            _ => RetrySchedule::default(),
        };
        Self {
            description: None,
            target,
            filter: Filter::default(),
            ordering: Ordering::default(),
            format: Format::default(),
            batch: None,
            concurrency: default_concurrency(),
            rate_per_second: None,
            timeout_ms: default_timeout_ms(),
            retry,
            disable_after_hours: default_disable_after_hours(),
        }
    }

    /// Returns how many requests may be under way.
    #[must_use]
    pub fn in_flight_max(&self) -> usize {
        match self.ordering {
            Ordering::Strict => 1,
            _ => usize::from(self.concurrency.max(1)),
        }
    }

    /// Returns the least time from one request to the next: by its own rate, and by the one that
    /// the endpoint allows.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        let allowed = match &self.target {
            Target::Webhook { handshake: Some(allowed), .. } => allowed.per_minute,
            _ => None,
        };
        let allowed = allowed.map(|rate| Duration::from_secs(60) / rate.get());
        let own = self.rate_per_second.map(|rate| Duration::from_secs(1) / rate.max(1));
        own.max(allowed)
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] naming the field and its bounds.
    pub fn check(&self) -> Result<(), EndpointRejection> {
        checked_note("description", self.description.clone())?;
        self.target.check()?;
        self.filter.check()?;
        self.check_batch()?;
        within("concurrency", u32::from(self.concurrency), 1, 256)?;
        if let Some(rate) = self.rate_per_second {
            within("rate_per_second", rate, 1, 100_000)?;
        }
        within("timeout_ms", self.timeout_ms, 100, 60_000)?;
        within("disable_after_hours", u32::from(self.disable_after_hours), 1, 720)
    }

    fn check_batch(&self) -> Result<(), EndpointRejection> {
        let Some(Batching { events_max, wait_ms }) = self.batch else { return Ok(()) };
        let is_webhook = matches!(self.target, Target::Webhook { .. });
        if !is_webhook || self.format != Format::CloudEventsBatch {
            let problem = "is only for webhooks in the format cloudevents-batch: leave it out";
            return Err(EndpointRejection::invalid("batch", problem));
        }
        within("batch.events_max", events_max.into(), 1, 1_000)?;
        within("batch.wait_ms", wait_ms.into(), 0, 60_000)
    }
}

pub(super) fn within(
    field: &str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), EndpointRejection> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => {
            let problem = format!("is {value}: must be from {least} to {most}");
            Err(EndpointRejection::invalid(field, problem))
        }
    }
}

/// Checks what an operator wrote for people.
pub(super) fn checked_note(
    field: &str,
    note: Option<String>,
) -> Result<Option<String>, EndpointRejection> {
    match &note {
        Some(text) if text.len() > NOTE_LEN_MAX || text.chars().any(char::is_control) => {
            let problem =
                format!("must have at most {NOTE_LEN_MAX} bytes and no control character");
            Err(EndpointRejection::invalid(field, problem))
        }
        _ => Ok(note),
    }
}
