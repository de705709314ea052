//! What is asked of an append and what comes back.

use crate::event::{NewEvent, Position, Revision, StreamId, Tenant};

use super::EventQuery;

/// What the writer believes of a stream; checked under the writer (G3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: append in any case.
    Any,
    /// The stream has no event yet.
    NoStream,
    /// The stream has at least one event.
    Exists,
    /// The stream's last event has exactly this revision; revision 0 is the same as `NoStream`.
    At(Revision),
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any revision"),
            Self::NoStream => f.write_str("no stream"),
            Self::Exists => f.write_str("a stream with an event"),
            Self::At(revision) => write!(f, "revision {revision}"),
        }
    }
}

impl Expected {
    /// Returns whether a stream whose last revision is `actual` is as expected.
    #[must_use]
    pub fn holds(self, actual: Revision) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == Revision::ZERO,
            Self::Exists => actual > Revision::ZERO,
            Self::At(revision) => actual == revision,
        }
    }
}

/// Events for one stream, or only a check of its revision.
#[derive(Clone, Debug)]
pub struct StreamWrite {
    /// The stream.
    pub stream: StreamId,
    /// What it must be like before.
    pub expected: Expected,
    /// The events, in order; none for a [check](StreamWrite::check).
    pub events: Vec<NewEvent>,
}

impl StreamWrite {
    /// Makes a check: the append fails unless the stream is as expected, and nothing is stored
    /// in it. [`Expected::Any`] checks nothing and is refused.
    #[must_use]
    pub const fn check(stream: StreamId, expected: Expected) -> Self {
        Self { stream, expected, events: Vec::new() }
    }
}

/// Refuses the append if an event that matches has been recorded since it was decided.
///
/// This is the dynamic consistency boundary (dcb.events): read the events of a query, decide,
/// append with the same query and the position up to which was read.
#[derive(Clone, Debug)]
pub struct AppendCondition {
    /// Fails if an event of the append's tenant that matches this …
    pub query: EventQuery,
    /// … lies after this position.
    pub after: Position,
}

/// A request to append, atomic over all its streams.
///
/// An append of [checks](StreamWrite::check) alone stores nothing; its answer says that the
/// streams were at their revisions at a moment between request and reply.
#[derive(Clone, Debug)]
pub struct Append {
    /// Who owns the events.
    pub tenant: Tenant,
    /// The streams, each at most once.
    pub writes: Vec<StreamWrite>,
    /// A condition on the rest of the log.
    pub condition: Option<AppendCondition>,
}

impl Append {
    /// Makes an append to one stream.
    #[must_use]
    pub fn to_stream(
        tenant: Tenant,
        stream: StreamId,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Self {
        Self { tenant, writes: vec![StreamWrite { stream, expected, events }], condition: None }
    }

    /// Adds a condition on the rest of the log.
    #[must_use]
    pub fn with_condition(mut self, condition: AppendCondition) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Returns how many events it has over all streams.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.writes.iter().map(|write| write.events.len()).sum()
    }
}

/// Where an append's events came to lie; every event of it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of the last event; of the log's last event when the append only checks.
    pub position: Position,
    /// The streams in the order of the request.
    pub streams: Vec<WrittenStream>,
    /// Whether the events were in the log already and nothing was stored now.
    pub duplicate: bool,
}

/// What an append did to one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenStream {
    /// The stream.
    pub stream: StreamId,
    /// Revision of the append's first event in it; of a check the revision of the next event.
    pub first: Revision,
    /// Revision of the append's last event in it; of a check the stream's revision. Both are 0 for
    /// a check in a duplicate: it is not checked again.
    pub last: Revision,
}
