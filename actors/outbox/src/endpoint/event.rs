//! What can happen to an endpoint, and every shape of it that may lie on disk.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EndpointConfig, Order, Start};
use crate::secret::Sealed;

/// What happened to an endpoint. Secrets are sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EndpointEvent {
    /// It is known and gets events.
    Registered {
        /// Where and how.
        config: EndpointConfig,
        /// What its messages are signed with; those to a broker are not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<Sealed>,
        /// Where it starts.
        start: Start,
    },
    /// It is set up in another way.
    Changed {
        /// Where and how.
        config: EndpointConfig,
    },
    /// An operator holds it back.
    Paused {
        /// Why.
        reason: Option<String>,
    },
    /// It gets events again, those first that have waited.
    Resumed {},
    /// It is out of service.
    Disabled {
        /// Why.
        cause: DisableCause,
    },
    /// Its messages are signed with another secret.
    SecretRotated {
        /// The new secret.
        secret: Sealed,
        /// Until when messages carry the old secret's signature too.
        previous_until: Timestamp,
    },
    /// It has only failed for a part of the time after which it is disabled.
    FailureWarned {
        /// That part: 50, 70, 90 or 100 percent.
        percent: u8,
        /// The first failure after its last success.
        failing_since: Timestamp,
    },
    /// It is gone for good.
    Removed {},
    /// An operator wants something done about what it was sent or is to be sent.
    Ordered {
        /// What.
        order: Order,
    },
}

/// Why an endpoint is out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum DisableCause {
    /// An operator said so.
    Operator {
        /// Why, at most 200 bytes.
        reason: Option<String>,
    },
    /// It answered 410 Gone.
    Gone {},
    /// It has only failed for so long.
    Failing {
        /// For so many hours.
        hours: u16,
    },
}

impl fmt::Display for DisableCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { reason: Some(reason) } => f.write_str(reason),
            Self::Operator { reason: None } => f.write_str("an operator disabled it"),
            Self::Gone {} => f.write_str("it answered 410 Gone"),
            Self::Failing { hours } => write!(f, "it only failed for {hours} h"),
        }
    }
}

headwater::event_schema! {
    EndpointEvent in "endpoint" {
        Registered = 1,
        Changed = 1,
        Paused = 1,
        Resumed = 1,
        Disabled = 1,
        SecretRotated = 1,
        FailureWarned = 1,
        Removed = 1,
        Ordered = 1,
    }
}
