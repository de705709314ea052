//! An endpoint: where events go, which, and how.
//!
//! Everything that is decided about one is an event of its stream, what operators order about
//! its dead letters too. The dispatcher folds the same events and does what they say.

mod command;
mod config;
mod cost;
mod event;
mod expression;
mod filter;
mod order;
mod rejection;
mod target;
mod template;

pub use command::{
    Change, Disable, Discard, Pause, Redrive, Register, Remove, Replay, Resume, RotateSecret, Skip,
    Warn,
};
pub use config::{Batching, EndpointConfig, Ordering, Start};
pub use event::{DisableCause, EndpointEvent};
pub use expression::{Expression, ExpressionError};
pub use filter::Filter;
pub use order::{Order, OrderKind, Selectable, Selection};
pub use rejection::EndpointRejection;
pub use target::Target;
pub(crate) use template::Template;

use headwater::aggregate::{Aggregate, Context, Decide};
use jiff::{SignedDuration, Timestamp};

use crate::secret::Sealed;

/// The category of endpoints' streams, whose own events are delivered only to who names it.
pub const CATEGORY: &str = "endpoint";

/// Whether an endpoint gets events.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was never registered.
    #[default]
    Unknown,
    /// It gets events.
    Active,
    /// An operator holds it back; its backlog waits.
    Paused,
    /// It failed for too long or said that it is gone; its backlog waits.
    Disabled,
    /// It is gone for good.
    Removed,
}

/// The state of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Whether it gets events.
    pub phase: Phase,
    /// Where and how; `None` before it is registered.
    pub config: Option<EndpointConfig>,
    /// Where it starts.
    pub start: Start,
    /// What its messages are signed with.
    pub secret: Option<Sealed>,
    /// What they were signed with before, and until when that counts.
    pub previous_secret: Option<(Sealed, Timestamp)>,
    /// The last warning, in percent of the time until it is disabled, and the failure since
    /// which that counts.
    pub warned: Option<(u8, Timestamp)>,
}

type Decision = Result<Vec<EndpointEvent>, EndpointRejection>;

impl Aggregate for Endpoint {
    type Event = EndpointEvent;
    type Rejection = EndpointRejection;

    fn evolve(&mut self, event: &EndpointEvent) {
        match event {
            EndpointEvent::Registered { config, secret, start } => {
                self.phase = Phase::Active;
                self.config = Some(config.clone());
                self.secret = secret.clone();
                self.start = *start;
            }
            EndpointEvent::Changed { config } => self.config = Some(config.clone()),
            EndpointEvent::Paused { .. } => self.phase = Phase::Paused,
            EndpointEvent::Resumed {} => (self.phase, self.warned) = (Phase::Active, None),
            EndpointEvent::Disabled { .. } => self.phase = Phase::Disabled,
            EndpointEvent::SecretRotated { secret, previous_until } => {
                let previous = self.secret.replace(secret.clone());
                self.previous_secret = previous.map(|previous| (previous, *previous_until));
            }
            EndpointEvent::FailureWarned { percent, failing_since } => {
                self.warned = Some((*percent, *failing_since));
            }
            EndpointEvent::Removed {} => self.phase = Phase::Removed,
            EndpointEvent::Ordered { .. } => {}
        }
    }
}

impl Endpoint {
    /// Returns how it is set up, unless it is not known or gone.
    fn known(&self) -> Result<&EndpointConfig, EndpointRejection> {
        match (&self.config, self.phase) {
            (None, _) => Err(EndpointRejection::NotRegistered),
            (Some(_), Phase::Removed) => Err(EndpointRejection::Removed),
            (Some(config), _) => Ok(config),
        }
    }

    fn ordered(&self, kind: OrderKind, selection: Selection, rate: Option<u32>) -> Decision {
        self.known()?;
        selection.check()?;
        order::check_rate(rate)?;
        let order = Order { kind, selection, rate_per_second: rate };
        Ok(vec![EndpointEvent::Ordered { order }])
    }
}

impl Decide<Register> for Endpoint {
    fn decide(&self, command: Register, _: &Context) -> Decision {
        let Register { config, secret, start } = command;
        config.check()?;
        if config.target.is_signed() && secret.is_none() {
            let problem = "is missing: messages to a webhook are signed";
            return Err(EndpointRejection::invalid("secret", problem));
        }
        match (&self.config, self.phase) {
            (_, Phase::Removed) => Err(EndpointRejection::Removed),
            (Some(own), _) if *own == config && self.secret == secret && self.start == start => {
                Ok(Vec::new())
            }
            (Some(_), _) => Err(EndpointRejection::AlreadyRegistered),
            (None, _) => Ok(vec![EndpointEvent::Registered { config, secret, start }]),
        }
    }
}

impl Decide<Change> for Endpoint {
    fn decide(&self, Change { mut config, kept_headers }: Change, _: &Context) -> Decision {
        let own = self.known()?;
        config.target.keep_headers(&own.target, kept_headers)?;
        config.check()?;
        if own.target.kind() != config.target.kind() {
            return Err(EndpointRejection::OtherTarget);
        }
        if own.ordering != config.ordering {
            let problem = "cannot be changed: register another endpoint, behind a position";
            return Err(EndpointRejection::invalid("ordering", problem));
        }
        let is_same = *own == config;
        Ok(if is_same { Vec::new() } else { vec![EndpointEvent::Changed { config }] })
    }
}

impl Decide<Pause> for Endpoint {
    fn decide(&self, Pause { reason }: Pause, _: &Context) -> Decision {
        self.known()?;
        let reason = config::checked_note("reason", reason)?;
        match self.phase {
            Phase::Active => Ok(vec![EndpointEvent::Paused { reason }]),
            Phase::Disabled => Err(EndpointRejection::Disabled),
            _ => Ok(Vec::new()),
        }
    }
}

impl Decide<Resume> for Endpoint {
    fn decide(&self, _: Resume, _: &Context) -> Decision {
        self.known()?;
        let is_active = self.phase == Phase::Active;
        Ok(if is_active { Vec::new() } else { vec![EndpointEvent::Resumed {}] })
    }
}

impl Decide<Disable> for Endpoint {
    fn decide(&self, Disable { cause }: Disable, _: &Context) -> Decision {
        self.known()?;
        if let DisableCause::Operator { reason } = &cause {
            config::checked_note("reason", reason.clone())?;
        }
        let is_disabled = self.phase == Phase::Disabled;
        Ok(if is_disabled { Vec::new() } else { vec![EndpointEvent::Disabled { cause }] })
    }
}

impl Decide<RotateSecret> for Endpoint {
    fn decide(&self, command: RotateSecret, context: &Context) -> Decision {
        if !self.known()?.target.is_signed() {
            let problem = "is only for webhooks: messages to a broker are not signed";
            return Err(EndpointRejection::invalid("secret", problem));
        }
        let RotateSecret { secret, keep_previous_s } = command;
        if keep_previous_s > RotateSecret::KEEP_PREVIOUS_S_MAX {
            let most = RotateSecret::KEEP_PREVIOUS_S_MAX;
            let problem = format!("must be at most {most} s");
            return Err(EndpointRejection::invalid("keep_previous_s", problem));
        }
        let kept = SignedDuration::from_secs(i64::from(keep_previous_s));
        let previous_until = context.now.saturating_add(kept).unwrap_or(Timestamp::MAX);
        Ok(vec![EndpointEvent::SecretRotated { secret, previous_until }])
    }
}

impl Decide<Warn> for Endpoint {
    fn decide(&self, Warn { percent, failing_since }: Warn, _: &Context) -> Decision {
        self.known()?;
        let is_told = |(told, since): (u8, Timestamp)| since == failing_since && percent <= told;
        if self.phase != Phase::Active || self.warned.is_some_and(is_told) {
            return Ok(Vec::new());
        }
        Ok(vec![EndpointEvent::FailureWarned { percent, failing_since }])
    }
}

impl Decide<Remove> for Endpoint {
    fn decide(&self, _: Remove, _: &Context) -> Decision {
        match self.known() {
            Err(EndpointRejection::Removed) => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(_) => Ok(vec![EndpointEvent::Removed {}]),
        }
    }
}

impl Decide<Redrive> for Endpoint {
    fn decide(&self, command: Redrive, _: &Context) -> Decision {
        self.ordered(OrderKind::Redrive, command.selection, command.rate_per_second)
    }
}

impl Decide<Skip> for Endpoint {
    fn decide(&self, command: Skip, _: &Context) -> Decision {
        self.ordered(OrderKind::Skip, command.selection, None)
    }
}

impl Decide<Discard> for Endpoint {
    fn decide(&self, command: Discard, _: &Context) -> Decision {
        if self.known()?.ordering == Ordering::Strict {
            return Err(EndpointRejection::NotWhileStrict);
        }
        self.ordered(OrderKind::Discard, command.selection, None)
    }
}

impl Decide<Replay> for Endpoint {
    fn decide(&self, command: Replay, _: &Context) -> Decision {
        let Replay { from, to, rate_per_second } = command;
        if from > to {
            let problem = "must not lie behind `to`".to_owned();
            return Err(EndpointRejection::invalid("from", problem));
        }
        let selection = Selection { from: Some(from), to: Some(to), ..Selection::default() };
        self.ordered(OrderKind::Replay, selection, rate_per_second)
    }
}

#[cfg(test)]
mod tests;
