//! Where events go and how; every bound of it.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::event::Position;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EndpointRejection, Filter, Template};
use crate::payload::Format;
use crate::schedule::RetrySchedule;
use crate::secret::Sealed;
use crate::webhook::HandshakeAllowed;

/// The most bytes of a note or reason.
const NOTE_LEN_MAX: usize = 200;
/// The most bytes of a URL.
const URL_LEN_MAX: usize = 2_000;
/// The most bytes of the name of an exchange, as AMQP has it.
const EXCHANGE_LEN_MAX: usize = 255;
/// The most bytes of the name of a topic of Kafka.
const TOPIC_LEN_MAX: usize = 249;
/// The most bytes of the name of a stream, which is the name of a folder too.
const STREAM_LEN_MAX: usize = 255;
/// The most headers of one endpoint.
const HEADERS_MAX: usize = 32;
/// Headers that say what the request is, and so are not the endpoint's to set.
const OWN_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

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

/// Where events go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// An HTTP server, by POST.
    Webhook {
        /// Its address.
        url: String,
        /// Headers that go with each request; their values are sealed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, Sealed>,
        /// What it said when it was asked whether it wants deliveries; absent when it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handshake: Option<HandshakeAllowed>,
    },
    /// A stream of the operator's NATS JetStream.
    Nats {
        /// The subject. `{category}`, `{type}` and `{tenant}` stand for those of the event, each
        /// at most once, percent-encoded but for ASCII letters, digits, `-` and `_`.
        subject: String,
        /// The stream that must have the messages; any that takes the subject when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<String>,
    },
    /// An exchange of the operator's RabbitMQ.
    Rabbitmq {
        /// Its name; the default exchange, which knows every queue by its name, when empty.
        exchange: String,
        /// The routing key, with the same placeholders as a subject of NATS.
        #[serde(default)]
        routing_key: String,
    },
    /// A topic of the operator's Kafka.
    Kafka {
        /// Its name.
        topic: String,
    },
    /// Nowhere: consumers ask for them, and say what they have dealt with.
    Pull {
        /// How long a consumer may take over an event until another gets it, from 100 to
        /// 3,600,000 ms.
        #[serde(default = "default_ack_timeout_ms")]
        ack_timeout_ms: u32,
    },
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

const fn default_ack_timeout_ms() -> u32 {
    30_000
}

const fn default_disable_after_hours() -> u16 {
    120
}

impl Target {
    /// Returns the name of the kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Nats { .. } => "nats",
            Self::Rabbitmq { .. } => "rabbitmq",
            Self::Kafka { .. } => "kafka",
            Self::Pull { .. } => "pull",
        }
    }

    /// Returns whether messages are signed, so that there must be a secret.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        matches!(self, Self::Webhook { .. })
    }

    /// Returns whether events are published to a broker, which is the operator's.
    #[must_use]
    pub const fn is_published(&self) -> bool {
        matches!(self, Self::Nats { .. } | Self::Rabbitmq { .. } | Self::Kafka { .. })
    }

    /// Returns whether consumers ask for the events.
    #[must_use]
    pub const fn is_pulled(&self) -> bool {
        matches!(self, Self::Pull { .. })
    }

    /// Says that a tenant may not publish to the operator's brokers.
    pub(crate) fn not_operator(&self) -> String {
        let kind = self.kind();
        format!("only endpoints of the operator's tenant may have targets of the kind {kind}")
    }
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

impl Target {
    fn check(&self) -> Result<(), EndpointRejection> {
        match self {
            Self::Webhook { url, headers, .. } => check_webhook(url, headers),
            Self::Nats { subject, stream } => {
                Template::subject("target.subject", subject)?;
                stream.as_deref().map_or(Ok(()), check_stream)
            }
            Self::Rabbitmq { exchange, routing_key } => {
                if exchange.len() > EXCHANGE_LEN_MAX || exchange.chars().any(char::is_control) {
                    let problem = format!(
                        "must have at most {EXCHANGE_LEN_MAX} bytes and no control character"
                    );
                    return Err(EndpointRejection::invalid("target.exchange", problem));
                }
                Template::routing_key("target.routing_key", routing_key).map(drop)
            }
            Self::Kafka { topic } => check_topic(topic),
            Self::Pull { ack_timeout_ms } => {
                within("target.ack_timeout_ms", *ack_timeout_ms, 100, 3_600_000)
            }
        }
    }
}

fn check_webhook(url: &str, headers: &BTreeMap<String, Sealed>) -> Result<(), EndpointRejection> {
    if url.len() > URL_LEN_MAX {
        let problem = format!("has more than {URL_LEN_MAX} bytes");
        return Err(EndpointRejection::invalid("target.url", problem));
    }
    if headers.len() > HEADERS_MAX {
        let problem = format!("has more than {HEADERS_MAX} entries");
        return Err(EndpointRejection::invalid("target.headers", problem));
    }
    headers.keys().try_for_each(|name| check_header(name))
}

fn check_topic(name: &str) -> Result<(), EndpointRejection> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = !matches!(name, "" | "." | "..") && name.chars().all(is_allowed);
    match is_name && name.len() <= TOPIC_LEN_MAX {
        true => Ok(()),
        false => {
            let problem = "is not the name of a topic: write at most 249 ASCII letters, digits, \
                           dots, underscores and hyphens";
            Err(EndpointRejection::invalid("target.topic", problem))
        }
    }
}

fn check_stream(name: &str) -> Result<(), EndpointRejection> {
    let is_allowed = |c: char| c.is_ascii_graphic() && !".*>/\\".contains(c);
    match !name.is_empty() && name.len() <= STREAM_LEN_MAX && name.chars().all(is_allowed) {
        true => Ok(()),
        false => {
            let problem = "is not the name of a stream: write at most 255 visible ASCII characters \
                           without . * > / and \\";
            Err(EndpointRejection::invalid("target.stream", problem))
        }
    }
}

fn check_header(name: &str) -> Result<(), EndpointRejection> {
    let lower = name.to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let problem = match () {
        () if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) => {
            "is not the name of a header"
        }
        () if OWN_HEADERS.contains(&lower.as_str()) => "is not yours to set",
        () if lower.starts_with("webhook-") || lower.starts_with("ce-") => {
            "belongs to the message: choose another name"
        }
        () => return Ok(()),
    };
    Err(EndpointRejection::invalid(format!("target.headers.{name}"), problem))
}

fn within(field: &str, value: u32, least: u32, most: u32) -> Result<(), EndpointRejection> {
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
