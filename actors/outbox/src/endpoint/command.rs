//! What can be asked of an endpoint.
//!
//! None of these can be sent by name: secrets must be sealed first, which the routes under
//! `/v1/endpoints` do.

use headwater::aggregate::Command;
use headwater::event::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DisableCause, EndpointConfig, Selection, Start};
use crate::secret::Sealed;

macro_rules! commands {
    ($( $(#[$doc:meta])* $name:ident = $text:literal {
        $( $(#[$field_doc:meta])* $field:ident: $type:ty, )*
    } )+) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

        impl Command for $name {
            const NAME: &'static str = $text;
        }
    )+ };
}

commands! {
    /// Makes an endpoint known, which gets events from then on.
    Register = "register" {
        /// Where and how.
        config: EndpointConfig,
        /// What its messages are signed with; only for a webhook, which must have it.
        #[schema(value_type = Option<String>)]
        secret: Option<Sealed>,
        /// Where it starts.
        start: Start,
    }
    /// Sets an endpoint up anew; what it got and owes stays.
    Change = "change" {
        /// Where and how.
        config: EndpointConfig,
        /// Headers of a webhook whose sealed values stay as they are.
        kept_headers: Vec<String>,
    }
    /// Holds an endpoint back.
    Pause = "pause" {
        /// Why, at most 200 bytes.
        reason: Option<String>,
    }
    /// Lets a paused or disabled endpoint go on with its backlog.
    Resume = "resume" {}
    /// Takes an endpoint out of service until it is resumed.
    Disable = "disable" {
        /// Why.
        cause: DisableCause,
    }
    /// Signs with another secret, for a while with the old one too.
    RotateSecret = "rotate-secret" {
        /// The new secret.
        #[schema(value_type = String)]
        secret: Sealed,
        /// How long messages carry the old secret's signature too, in seconds.
        keep_previous_s: u32,
    }
    /// Notes that an endpoint has only failed for a part of the time after which it is disabled.
    Warn = "warn" {
        /// 50, 70, 90 or 100.
        percent: u8,
        /// The first failure after its last success.
        #[schema(value_type = String, format = DateTime)]
        failing_since: Timestamp,
    }
    /// Forgets an endpoint for good; its id is not used again.
    Remove = "remove" {}
    /// Sends dead letters again, and then what waits behind them.
    Redrive = "redrive" {
        /// Which.
        selection: Selection,
        /// At most so many dead letters a second; no bound when absent.
        rate_per_second: Option<u32>,
    }
    /// Leaves dead letters out and goes on with what waits behind them.
    Skip = "skip" {
        /// Which.
        selection: Selection,
    }
    /// Leaves dead letters out, and what waits behind them now.
    Discard = "discard" {
        /// Which.
        selection: Selection,
    }
    /// Sends a part of history again, beside what comes.
    Replay = "replay" {
        /// The first position.
        #[schema(value_type = u64)]
        from: Position,
        /// The last position.
        #[schema(value_type = u64)]
        to: Position,
        /// At most so many messages a second; the endpoint's own bound when absent.
        rate_per_second: Option<u32>,
    }
}

impl RotateSecret {
    /// The longest time for which two secrets count: 30 days.
    pub const KEEP_PREVIOUS_S_MAX: u32 = 30 * 24 * 3600;
}
