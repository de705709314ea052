//! What is asked of a read and the page that comes back.

use super::EventQuery;
use crate::event::{Position, RecordedEvent, Revision, StreamId, Tenant};

/// Which way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From old to new.
    Forward,
    /// From new to old.
    Backward,
}

/// Asks for a page of one stream.
#[derive(Clone, Debug)]
pub struct StreamRead {
    /// Whose stream.
    pub tenant: Tenant,
    /// The stream.
    pub stream: StreamId,
    /// Starts beyond this revision: after it when forward, before it when backward.
    pub from: Revision,
    /// Which way.
    pub direction: Direction,
    /// The most events to return; the store's own bound holds too.
    pub limit: usize,
}

impl StreamRead {
    /// Asks for the events after a revision; revision 0 means from the beginning.
    #[must_use]
    pub const fn after(tenant: Tenant, stream: StreamId, from: Revision, limit: usize) -> Self {
        Self { tenant, stream, from, direction: Direction::Forward, limit }
    }

    /// Asks for the events before a revision, newest first; the greatest means from the end.
    #[must_use]
    pub const fn before(tenant: Tenant, stream: StreamId, from: Revision, limit: usize) -> Self {
        Self { tenant, stream, from, direction: Direction::Backward, limit }
    }
}

/// A page of one stream.
#[derive(Clone, Debug)]
pub struct StreamPage {
    /// The events in the order asked for.
    pub events: Vec<RecordedEvent>,
    /// The stream's last revision when the page was read; 0 when it has no event.
    pub revision: Revision,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Revision>,
}

/// Asks for a page of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// Only this tenant's events; `None` for all, which only the program itself may ask.
    pub tenant: Option<Tenant>,
    /// Which events.
    pub query: EventQuery,
    /// Starts beyond this position: after it when forward, before it when backward.
    pub from: Position,
    /// Which way.
    pub direction: Direction,
    /// The most events to return; the store's own bounds hold too.
    pub limit: usize,
    /// The most bytes of records to return, but at least one event; the store's bound holds too.
    pub bytes_max: usize,
}

impl LogRead {
    /// Asks for every tenant's events after a position, without filter.
    #[must_use]
    pub const fn after(from: Position, limit: usize) -> Self {
        let query = EventQuery::all();
        Self::new(query, from, Direction::Forward, limit)
    }

    /// Asks for every tenant's events before a position, newest first, without filter.
    #[must_use]
    pub const fn before(from: Position, limit: usize) -> Self {
        let query = EventQuery::all();
        Self::new(query, from, Direction::Backward, limit)
    }

    const fn new(query: EventQuery, from: Position, direction: Direction, limit: usize) -> Self {
        Self { tenant: None, query, from, direction, limit, bytes_max: usize::MAX }
    }

    /// Narrows the read to what a query matches.
    #[must_use]
    pub fn matching(mut self, query: EventQuery) -> Self {
        self.query = query;
        self
    }

    /// Narrows the read to one tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Returns whether the read asks for the event.
    #[must_use]
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| tenant.as_str() == event.tenant())
            && self.query.matches(event)
    }
}

/// A page of the log.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// The events that match, in the order asked for; may be empty although more follow.
    pub events: Vec<RecordedEvent>,
    /// How far the page looked: pass it as `from` to go on. Everything up to it was considered.
    pub next: Position,
    /// Whether the page reached the end of the log (forward) or its beginning (backward).
    pub is_end: bool,
    /// How many events were looked at for it; those that an index ruled out are not among them.
    pub looked_at: usize,
}
