//! Where an endpoint's events go, as callers write it.

use std::collections::BTreeMap;

use headwater::api::{Problem, ProblemKind};
use headwater::event::Tenant;
use serde::Deserialize;
use utoipa::ToSchema;

use super::document::unsealed;
use crate::broker::{HAS_KAFKA, NO_KAFKA};
use crate::endpoint::{EndpointConfig, Target};
use crate::plugin::Shared;
use crate::secret::Sealed;
use crate::table::EndpointKey;

/// Where events go.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = TargetBody)]
pub(super) enum TargetBody {
    /// An HTTP server, by POST.
    Webhook {
        /// Its address. Keys with the scope `read` see it: put what is secret in `headers`.
        #[schema(max_length = 2000)]
        url: String,
        /// Headers that go with each request. Their values are kept sealed and never shown;
        /// null keeps the value that there is, as long as `url` keeps its scheme, host and port.
        #[serde(default)]
        headers: BTreeMap<String, Option<String>>,
        /// Whether it is asked, by OPTIONS, if it wants deliveries (CloudEvents, HTTP 1.1 Web
        /// Hooks 1.0.2, section 4): when it is registered, and when the address changes. One that
        /// does not allow them is refused; the rate that it allows is kept.
        #[serde(default)]
        handshake: bool,
    },
    /// A stream of NATS JetStream on the servers of `outbox.nats`. Only for admins of the
    /// operator's tenant. Messages have the event's id as `Nats-Msg-Id`.
    Nats {
        /// The subject. `{category}`, `{type}` and `{tenant}` stand for those of the event, each
        /// at most once, percent-encoded but for ASCII letters, digits, `-` and `_`.
        #[schema(max_length = 200, example = "events.{category}.{type}")]
        subject: String,
        /// The stream that must have the messages; any that takes the subject when absent.
        #[schema(max_length = 255)]
        stream: Option<String>,
    },
    /// An exchange of RabbitMQ on the server of `outbox.rabbitmq`. Only for admins of the
    /// operator's tenant. Messages have the event's id as `message_id`.
    Rabbitmq {
        /// Its name; the default exchange, which knows every queue by its name, when empty.
        #[schema(max_length = 255)]
        exchange: String,
        /// The routing key, with the same placeholders as a subject of NATS; empty when absent.
        #[serde(default)]
        #[schema(max_length = 200)]
        routing_key: String,
    },
    /// A topic of Kafka on the cluster of `outbox.kafka`. Only for admins of the operator's
    /// tenant, and in programs that were built with the feature `kafka`. The key of a message is
    /// the event's stream.
    Kafka {
        /// Its name.
        #[schema(max_length = 249)]
        topic: String,
    },
    /// Nowhere: consumers ask for the events under `/v1/endpoints/{id}/events`.
    Pull {
        /// How long a consumer may take over an event until another gets it, in ms; 30,000 when
        /// absent.
        #[schema(minimum = 100, maximum = 3_600_000)]
        ack_timeout_ms: Option<u32>,
    },
}

impl TargetBody {
    /// Returns whether it is asked if it wants deliveries.
    pub const fn asks(&self) -> bool {
        matches!(self, Self::Webhook { handshake: true, .. })
    }

    /// Returns the headers whose values stay as they are.
    pub fn kept_headers(&self) -> Vec<String> {
        let Self::Webhook { headers, .. } = self else { return Vec::new() };
        let kept = headers.iter().filter(|(_, value)| value.is_none());
        kept.map(|(name, _)| name.clone()).collect()
    }

    /// Makes the target, with values of headers sealed; those that stay as they were `before` are
    /// left out.
    pub fn target(
        self,
        shared: &Shared,
        key: &EndpointKey,
        before: Option<&EndpointConfig>,
    ) -> Result<Target, Problem> {
        let target = match self {
            Self::Webhook { url, headers, .. } => {
                let allowed = shared.client.rules().parse(&url);
                allowed.map_err(|error| Problem::field("/target/url", error.to_string()))?;
                let seal = |(name, value)| sealed(shared, key, before, (name, value));
                let headers = headers.into_iter().map(seal).collect::<Result<Vec<_>, _>>()?;
                let headers = headers.into_iter().flatten().collect();
                Target::Webhook { url, headers, handshake: None }
            }
            Self::Nats { subject, stream } => Target::Nats { subject, stream },
            Self::Rabbitmq { exchange, routing_key } => Target::Rabbitmq { exchange, routing_key },
            Self::Kafka { topic } => Target::Kafka { topic },
            Self::Pull { ack_timeout_ms: None } => EndpointConfig::pull().target,
            Self::Pull { ack_timeout_ms: Some(ack_timeout_ms) } => Target::Pull { ack_timeout_ms },
        };
        check_broker(shared, &key.tenant, &target)?;
        Ok(target)
    }
}

/// Refuses a target that the tenant may not have, or that this server does not know.
fn check_broker(shared: &Shared, tenant: &Tenant, target: &Target) -> Result<(), Problem> {
    let brokers = &shared.brokers;
    if target.is_published() && *tenant != brokers.operator {
        let detail = format!("{}: use a key of it, or a webhook", target.not_operator());
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    let missing = match target {
        Target::Nats { .. } if brokers.nats.is_none() => "outbox.nats",
        Target::Rabbitmq { .. } if brokers.rabbitmq.is_none() => "outbox.rabbitmq",
        Target::Kafka { .. } if !HAS_KAFKA => {
            return Err(Problem::field("/target/kind", NO_KAFKA));
        }
        Target::Kafka { .. } if !brokers.has_kafka_address => "outbox.kafka",
        _ => return Ok(()),
    };
    let detail = format!("is a broker this server does not know: set {missing} first");
    Err(Problem::field("/target/kind", detail))
}

fn sealed(
    shared: &Shared,
    key: &EndpointKey,
    before: Option<&EndpointConfig>,
    (name, value): (String, Option<String>),
) -> Result<Option<(String, Sealed)>, Problem> {
    let pointer = format!("/target/headers/{name}");
    match value {
        Some(value) => {
            check_header_value(&pointer, &value)?;
            let value = shared.seal()?.seal(&value, &key.place());
            Ok(Some((name, value.map_err(|error| unsealed(&error))?)))
        }
        None if before.is_some() => Ok(None),
        None => Err(Problem::field(pointer, "is null, but there is no value to keep: write one")),
    }
}

fn check_header_value(pointer: &str, value: &str) -> Result<(), Problem> {
    let is_plain = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    match is_plain && value.len() <= 4_096 {
        true => Ok(()),
        false => {
            let detail = "must have at most 4,096 visible ASCII characters, spaces and tabs";
            Err(Problem::field(pointer, detail))
        }
    }
}
