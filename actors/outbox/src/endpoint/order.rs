//! What operators order about dead letters and history.

use headwater::event::{Position, RecordedEvent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::EndpointRejection;

/// The most events a second that an order may ask for.
const RATE_MAX: u32 = 100_000;

/// An order of an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// What to do.
    pub kind: OrderKind,
    /// With which.
    pub selection: Selection,
    /// At most so many a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
}

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// Dead letters are sent again.
    Redrive,
    /// Dead letters are left out.
    Skip,
    /// Dead letters are left out, and what waits behind them.
    Discard,
    /// A part of history is sent again.
    Replay,
}

impl OrderKind {
    /// What can be ordered about dead letters.
    pub const OF_DEAD_LETTERS: [Self; 3] = [Self::Redrive, Self::Skip, Self::Discard];

    /// Returns the name, as it is in addresses and in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Skip => "skip",
            Self::Discard => "discard",
            Self::Replay => "replay",
        }
    }
}

/// Which events an order is about: those to which everything that is given applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// At this position.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub position: Option<Position>,
    /// Of this tenant, where the endpoint gets events of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Of this category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Of the stream with this id; name the category too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Of this type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// At this position or behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub from: Option<Position>,
    /// At this position or before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub to: Option<Position>,
    /// All of them; must be said, so that nobody selects all by mistake.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// What a selection looks at.
#[derive(Clone, Copy, Debug)]
pub struct Selectable<'a> {
    /// The event's position.
    pub position: Position,
    /// Its tenant.
    pub tenant: &'a str,
    /// Its category.
    pub category: &'a str,
    /// The id of its stream.
    pub stream: &'a str,
    /// Its type.
    pub event_type: &'a str,
}

impl<'a> From<&'a RecordedEvent> for Selectable<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        Self {
            position: event.position(),
            tenant: event.tenant(),
            category: event.category(),
            stream: event.stream_id(),
            event_type: event.event_type(),
        }
    }
}

impl Selection {
    /// Checks that something is selected, and only what was meant.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), EndpointRejection> {
        let is_empty = *self == Self::default();
        let refused = |field, problem: &str| Err(EndpointRejection::invalid(field, problem));
        match self {
            _ if is_empty => refused("selection", "is empty: say which, or set `all`"),
            Self { all: true, .. } if *self != Self { all: true, ..Self::default() } => {
                refused("selection.all", "leaves nothing to select: leave the other fields out")
            }
            Self { stream: Some(_), category: None, .. } => {
                refused("selection.category", "is missing: a stream is a category and an id")
            }
            Self { from: Some(from), to: Some(to), .. } if from > to => {
                refused("selection.from", "must not lie behind the end of the range")
            }
            _ => Ok(()),
        }
    }

    /// Returns whether an event is selected.
    #[must_use]
    pub fn matches(&self, event: Selectable<'_>) -> bool {
        fn fits<T: PartialEq + ?Sized>(wanted: Option<&T>, own: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == own)
        }
        fits(self.position.as_ref(), &event.position)
            && fits(self.tenant.as_deref(), event.tenant)
            && fits(self.category.as_deref(), event.category)
            && fits(self.stream.as_deref(), event.stream)
            && fits(self.event_type.as_deref(), event.event_type)
            && self.from.is_none_or(|from| event.position >= from)
            && self.to.is_none_or(|to| event.position <= to)
    }
}

/// Checks how fast an order is to be done.
pub(super) fn check_rate(rate: Option<u32>) -> Result<(), EndpointRejection> {
    match rate {
        Some(rate) if !(1..=RATE_MAX).contains(&rate) => Err(EndpointRejection::invalid(
            "rate_per_second",
            format!("must be from 1 to {RATE_MAX}"),
        )),
        _ => Ok(()),
    }
}
