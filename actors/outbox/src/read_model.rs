//! Endpoints as people and programs read them: without secrets.

use headwater::event::{Position, Recorded};
use headwater::projection::{ProjectionError, RowProjection};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{DisableCause, EndpointConfig, EndpointEvent, Phase, Start, Target};

/// Projects endpoints: one row for each that is not removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Endpoints;

/// An endpoint, without its secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointRow {
    /// Its id.
    pub id: String,
    /// Whether it gets events.
    pub phase: Phase,
    /// Why it is disabled; `None` when it is not.
    pub disabled: Option<DisableCause>,
    /// Why it is paused, as the operator said.
    pub paused: Option<String>,
    /// How it is set up; values of headers are left out.
    pub config: EndpointConfig,
    /// The names of the headers that go with each request.
    pub headers: Vec<String>,
    /// Where it started.
    pub start: Start,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// Where its registration lies.
    pub registered_position: Position,
    /// When it was last warned about, and at which part of the time until it is disabled.
    pub warned: Option<Warned>,
    /// Until when messages carry two signatures.
    pub previous_secret_until: Option<Timestamp>,
    /// The revision of its stream.
    pub revision: u64,
}

/// A warning that an endpoint has only failed for a part of the time until it is disabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warned {
    /// That part, in percent.
    pub percent: u8,
    /// The first failure since the last success.
    #[schema(value_type = String, format = DateTime)]
    pub failing_since: Timestamp,
}

impl RowProjection for Endpoints {
    const NAME: &'static str = "outbox_endpoints";
    const VERSION: u32 = 1;
    const INDEXES: &'static [&'static str] = &["phase"];
    type Event = EndpointEvent;
    type Key = String;
    type Row = EndpointRow;

    fn route(&self, event: &Recorded<EndpointEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        key: &String,
        row: &mut Option<EndpointRow>,
        event: &Recorded<EndpointEvent>,
    ) -> Result<(), ProjectionError> {
        if let EndpointEvent::Registered { config, start, .. } = &event.data {
            *row = Some(EndpointRow::new(key, config, *start, event));
        }
        if let EndpointEvent::Removed {} = event.data {
            *row = None;
        }
        if let Some(row) = row {
            row.take(&event.data);
            row.revision = event.revision().get();
        }
        Ok(())
    }
}

impl EndpointRow {
    fn new(
        id: &str,
        config: &EndpointConfig,
        start: Start,
        event: &Recorded<EndpointEvent>,
    ) -> Self {
        let mut row = Self {
            id: id.to_owned(),
            phase: Phase::Active,
            disabled: None,
            paused: None,
            config: config.clone(),
            headers: Vec::new(),
            start,
            registered_at: event.recorded_at(),
            registered_position: event.position(),
            warned: None,
            previous_secret_until: None,
            revision: 0,
        };
        row.set_up(config);
        row
    }

    fn set_up(&mut self, config: &EndpointConfig) {
        self.config = config.clone();
        self.headers = match &mut self.config.target {
            Target::Webhook { headers, .. } => std::mem::take(headers).into_keys().collect(),
            Target::Nats { .. }
            | Target::Rabbitmq { .. }
            | Target::Kafka { .. }
            | Target::Pull { .. } => Vec::new(),
        };
    }

    fn take(&mut self, event: &EndpointEvent) {
        match event {
            EndpointEvent::Changed { config } => self.set_up(config),
            EndpointEvent::Paused { reason } => {
                (self.phase, self.paused) = (Phase::Paused, reason.clone());
            }
            EndpointEvent::Resumed {} => {
                (self.phase, self.paused, self.disabled) = (Phase::Active, None, None);
                self.warned = None;
            }
            EndpointEvent::Disabled { cause } => {
                (self.phase, self.disabled) = (Phase::Disabled, Some(cause.clone()));
            }
            EndpointEvent::FailureWarned { percent, failing_since } => {
                let (percent, failing_since) = (*percent, *failing_since);
                self.warned = Some(Warned { percent, failing_since });
            }
            EndpointEvent::SecretRotated { previous_until, .. } => {
                self.previous_secret_until = Some(*previous_until);
            }
            EndpointEvent::Registered { .. }
            | EndpointEvent::Ordered { .. }
            | EndpointEvent::Removed {} => {}
        }
    }
}
