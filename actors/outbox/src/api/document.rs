//! What is sent to and from the addresses of endpoints.

use headwater::aggregate::Receipt;
use headwater::api::{Problem, ProblemKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::target::TargetBody;
use crate::endpoint::{
    Batching, EndpointConfig, EndpointRejection, Filter, Ordering, Phase, Start,
};
use crate::payload::Format;
use crate::plugin::{NoKey, Shared};
use crate::read_model::{EndpointRow, Warned};
use crate::schedule::RetrySchedule;
use crate::secret::{SealError, SecretKind, SigningSecret};
use crate::table::{EndpointKey, Standing};

/// How an endpoint is to be set up. What is left out has its default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndpointBody)]
pub(super) struct EndpointBody {
    /// Its id, 1 to 256 bytes; one is made when absent. Only when it is registered.
    pub id: Option<String>,
    /// Where it starts; behind its own registration when absent. Only when it is registered.
    pub start: Option<Start>,
    /// What its messages are signed with, `whsec_…` or `whsk_…`; one is made when absent. Only
    /// for webhooks, when they are registered.
    pub secret: Option<String>,
    /// Which kind of secret is made. Only for webhooks, when they are registered.
    pub secret_kind: Option<SecretKind>,
    /// What people call it, at most 200 bytes.
    pub description: Option<String>,
    /// Where events go.
    pub target: TargetBody,
    /// Which events.
    #[serde(default)]
    pub filter: Filter,
    /// What a failed event holds back.
    #[serde(default)]
    pub ordering: Ordering,
    /// The shape of what is sent.
    #[serde(default)]
    pub format: Format,
    /// How many events go in one message; one when absent.
    pub batch: Option<Batching>,
    /// The most requests under way; 16 when absent.
    #[schema(minimum = 1, maximum = 256)]
    pub concurrency: Option<u16>,
    /// The most requests a second; no bound when absent.
    #[schema(minimum = 1, maximum = 100_000)]
    pub rate_per_second: Option<u32>,
    /// How long a request may take, in ms; 15,000 when absent.
    #[schema(minimum = 100, maximum = 60_000)]
    pub timeout_ms: Option<u32>,
    /// When a failed event is tried again, as delays in ms; the schedule of the Standard
    /// Webhooks specification when absent, or a shorter one for the target `pull`.
    #[schema(value_type = Option<Vec<u64>>)]
    pub retry: Option<RetrySchedule>,
    /// After how many hours of nothing but failures it is disabled; 120 when absent.
    #[schema(minimum = 1, maximum = 720)]
    pub disable_after_hours: Option<u16>,
}

/// An endpoint: how it is set up, and how it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub(crate) struct EndpointDocument {
    /// Its id.
    pub id: String,
    /// Whether it gets events.
    pub phase: Phase,
    /// Why it is disabled or paused.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// How it is set up; the headers are left out.
    pub config: EndpointConfig,
    /// The names of the headers that go with each request.
    pub headers: Vec<String>,
    /// Where it started.
    pub start: Start,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    /// The last warning that it only fails; null while it works.
    #[schema(required = true)]
    pub warned: Option<Warned>,
    /// Until when messages carry two signatures.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    pub previous_secret_until: Option<Timestamp>,
    /// The revision of its stream.
    pub revision: u64,
    /// How its deliveries stand; null before the dispatcher has met it.
    #[schema(required = true)]
    pub delivery: Option<Standing>,
}

/// An endpoint that was just registered.
#[derive(Serialize, ToSchema)]
#[schema(as = NewEndpoint)]
pub(super) struct NewEndpointDocument {
    /// Its id.
    pub id: String,
    /// What its messages are signed with, shown this once; null for a broker, to which messages
    /// are not signed.
    #[schema(required = true)]
    pub secret: Option<String>,
    /// What receivers verify with when the secret is of the kind ed25519.
    #[schema(required = true)]
    pub public_key: Option<String>,
    /// The position of its registration: pass it as `at_least`.
    pub position: u64,
}

/// The receipt of a command to an endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointReceipt)]
pub(super) struct ReceiptDocument {
    /// The revision of the endpoint's stream.
    pub revision: u64,
    /// The position to read what follows: pass it as `at_least`.
    pub position: u64,
}

impl EndpointBody {
    /// Refuses what is said only at the registration.
    pub fn check_change(&self) -> Result<(), Problem> {
        let said = [
            ("/id", self.id.is_some()),
            ("/start", self.start.is_some()),
            ("/secret", self.secret.is_some()),
            ("/secret_kind", self.secret_kind.is_some()),
        ];
        match said.into_iter().find(|(_, is_said)| *is_said) {
            Some((pointer, _)) => {
                Err(Problem::field(pointer, "can only be said when the endpoint is registered"))
            }
            None => Ok(()),
        }
    }

    /// Makes the configuration, with values of headers sealed; those that are kept come from
    /// `before`.
    pub fn config(
        self,
        shared: &Shared,
        key: &EndpointKey,
        before: Option<&EndpointConfig>,
    ) -> Result<EndpointConfig, Problem> {
        let mut config = EndpointConfig::new(self.target.target(shared, key, before)?);
        config.description = self.description;
        config.filter = self.filter;
        config.ordering = self.ordering;
        config.format = self.format;
        config.batch = self.batch;
        config.rate_per_second = self.rate_per_second;
        config.concurrency = self.concurrency.unwrap_or(config.concurrency);
        config.timeout_ms = self.timeout_ms.unwrap_or(config.timeout_ms);
        config.retry = self.retry.unwrap_or(config.retry);
        config.disable_after_hours = self.disable_after_hours.unwrap_or(config.disable_after_hours);
        config.check().map_err(|error| invalid(&error))?;
        if key.tenant != shared.brokers.operator && config.filter.names_others(&key.tenant) {
            let detail = format!("filter.tenants {}", Filter::NOT_OPERATOR);
            return Err(Problem::new(ProblemKind::Forbidden, detail));
        }
        Ok(config)
    }
}

impl ReceiptDocument {
    pub const fn new(receipt: &Receipt) -> Self {
        Self { revision: receipt.revision.get(), position: receipt.position.get() }
    }
}

impl NewEndpointDocument {
    pub fn new(id: String, secret: Option<&SigningSecret>, receipt: &Receipt) -> Self {
        Self {
            id,
            secret: secret.map(SigningSecret::reveal),
            public_key: secret.and_then(SigningSecret::public_key),
            position: receipt.position.get(),
        }
    }
}

impl EndpointDocument {
    pub fn new(row: EndpointRow, delivery: Option<Standing>) -> Self {
        // A warning counts while the failures go on that it is about.
        let failing_since = delivery.as_ref().and_then(|own| own.failing_since);
        let warned = row.warned.filter(|own| Some(own.failing_since) == failing_since);
        let reason = row.disabled.as_ref().map(|cause| cause.to_string()).or(row.paused);
        Self {
            id: row.id,
            phase: row.phase,
            reason,
            config: row.config,
            headers: row.headers,
            start: row.start,
            registered_at: row.registered_at,
            warned,
            previous_secret_until: row.previous_secret_until,
            revision: row.revision,
            delivery,
        }
    }
}

/// Makes a rejection a problem of the body's field that it names.
pub(crate) fn invalid(error: &EndpointRejection) -> Problem {
    match error {
        EndpointRejection::Invalid { field, problem } => {
            Problem::field(format!("/{}", field.replace('.', "/")), problem.as_str())
        }
        other => Problem::new(ProblemKind::Rejected, other.to_string()),
    }
}

pub(super) fn unsealed(error: &SealError) -> Problem {
    tracing::error!(%error, "secret could not be sealed");
    let detail = "secret could not be sealed: the cause is logged";
    Problem::new(ProblemKind::Internal, detail)
}

impl From<NoKey> for Problem {
    fn from(error: NoKey) -> Self {
        Self::new(ProblemKind::Rejected, error.to_string()).with("code", "no-key")
    }
}
