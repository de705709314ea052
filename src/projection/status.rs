//! How a projection stands, for operators and for readers who wait.

use std::fmt;

use serde::Serialize;

use crate::event::{EventId, Position};

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionState {
    /// It applies events as they come.
    Running,
    /// An operator has paused it.
    Paused,
    /// It has stopped before an event, or for good reason, and waits for an operator.
    Halted,
    /// New tables are being filled beside the old ones, which stay readable.
    Rebuilding,
}

/// How a projection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// The version of the definition that made the rows which are read now.
    pub version: u32,
    /// How often its tables were made anew, from 1.
    pub generation: u64,
    /// Every event up to here has been considered.
    pub position: Position,
    /// The last position of the log.
    pub head: Position,
    /// How many positions lie between the two.
    pub lag_events: u64,
    /// How far a rebuild is; `None` while there is none.
    pub rebuild_position: Option<Position>,
    /// What it is doing.
    pub state: ProjectionState,
    /// How many events were passed over and recorded as skipped.
    pub skipped: u64,
    /// How many events are parked.
    pub parked: u64,
    /// How many events of unknown type or version were passed over.
    pub unknown: u64,
    /// What last went wrong; `None` when nothing has since it was last resumed.
    pub last_error: Option<String>,
}

/// What a step of a [`Runner`](crate::runtime::feed::Runner) has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Events were applied, or passed over because none matched.
    Applied {
        /// How many were applied.
        events: u64,
        /// How far everything has been considered now.
        position: Position,
        /// Whether these were the live rows, not those of a rebuild.
        is_live: bool,
    },
    /// A batch failed and was rolled back; the next step waits and tries again.
    Failed {
        /// How often it has failed.
        attempt: u32,
        /// What went wrong.
        error: String,
    },
    /// An event could not be applied and was treated as the policy says.
    Poisoned {
        /// Where it lies.
        position: Position,
        /// Which it is.
        event_id: EventId,
        /// Why.
        reason: String,
    },
    /// A rebuild has taken the place of the old rows.
    Swapped {
        /// The new generation.
        generation: u64,
    },
    /// Nothing to do until [`Runner::resume`](crate::runtime::feed::Runner::resume).
    Paused,
    /// Nothing to do until an operator resumes it or skips the event.
    Halted,
}

/// What a runner tells its readers; the head of the log is added when it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) version: u32,
    pub(crate) generation: u64,
    pub(crate) position: Position,
    pub(crate) rebuild_position: Option<Position>,
    pub(crate) state: ProjectionState,
    pub(crate) skipped: u64,
    pub(crate) parked: u64,
    pub(crate) unknown: u64,
    pub(crate) last_error: Option<String>,
}

impl Progress {
    pub(crate) fn status(&self, name: &str, head: Position) -> ProjectionStatus {
        ProjectionStatus {
            name: name.to_owned(),
            version: self.version,
            generation: self.generation,
            position: self.position,
            head,
            lag_events: head.since(self.position),
            rebuild_position: self.rebuild_position,
            state: self.state,
            skipped: self.skipped,
            parked: self.parked,
            unknown: self.unknown,
            last_error: self.last_error.clone(),
        }
    }
}

impl ProjectionState {
    /// Returns the name under which it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::Rebuilding => "rebuilding",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Running, Self::Paused, Self::Halted, Self::Rebuilding];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for ProjectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
