//! Where events go: every kind of receiver, and its bounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::config::within;
use super::{EndpointRejection, Template};
use crate::secret::Sealed;
use crate::webhook::HandshakeAllowed;

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

pub(super) const fn default_ack_timeout_ms() -> u32 {
    30_000
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

    /// Checks every bound of it.
    pub(super) fn check(&self) -> Result<(), EndpointRejection> {
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

impl Target {
    /// Takes over headers of another target, whose values are meant for its server alone.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] naming the header that the other one does not have, or that
    /// would be sent to another server.
    pub(super) fn keep_headers(
        &mut self,
        other: &Self,
        names: Vec<String>,
    ) -> Result<(), EndpointRejection> {
        let is_same_server = self.has_origin_of(other);
        let Self::Webhook { headers, .. } = self else { return Ok(()) };
        for name in names {
            let value = match other {
                Self::Webhook { headers, .. } => headers.get(&name).cloned(),
                _ => None,
            };
            let missing = "is null, but there is no value to keep: write one";
            let field = format!("target.headers.{name}");
            let value = value.ok_or_else(|| EndpointRejection::invalid(field.as_str(), missing))?;
            if !is_same_server {
                let moved = "is null, but url names another scheme, host or port: give the value \
                             again if that server may have it";
                return Err(EndpointRejection::invalid(field, moved));
            }
            headers.insert(name, value);
        }
        Ok(())
    }
}

impl Target {
    /// Returns whether both are webhooks at one origin: scheme, host and port.
    fn has_origin_of(&self, other: &Self) -> bool {
        let origin = |target: &Self| match target {
            Self::Webhook { url, .. } => Url::parse(url).ok().map(|url| url.origin()),
            _ => None,
        };
        origin(self).is_some_and(|own| origin(other) == Some(own))
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
