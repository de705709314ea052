//! The event store: one contract, several engines.
//!
//! Order is made by the writer: a position is given under the writer, becomes visible to
//! every reader in that order, and never has a gap (G2). An append is acknowledged only when
//! it is durable (G1), checked under the writer (G3), idempotent by event id (G4) and atomic
//! over all its streams (G5). Readers are bounded pages; a [`Subscription`] is a reader that
//! waits at the end of the log, so a slow one costs nobody anything but its own reads.

mod append;
mod condition;
mod counter;
mod error;
mod limits;
pub mod log;
pub mod memory;
mod place;
pub mod postgres;
mod read;
mod subscription;
mod tail;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub use crate::event::{EventQuery, QueryItem};
pub use append::{Append, AppendCondition, Appended, Expected, StreamWrite, WrittenStream};
pub use error::{AppendError, StoreError};
pub use limits::StoreLimits;
pub use memory::MemoryStore;
pub use place::{BeyondEnd, check_place};
pub use postgres::PostgresStore;
pub use read::{Direction, LogPage, LogRead, StreamPage, StreamRead};
pub use subscription::Subscription;
pub use tail::{Follower, Tail};

use crate::event::{EventId, Position, RecordedEvent, StreamId, Tenant};

/// Keeps the log. Every engine passes the same conformance suite.
pub trait EventStore: Send + Sync + 'static {
    /// Appends events to one or several streams: all of them or none.
    ///
    /// The same events under the same ids again give the same receipt (`duplicate` set) and
    /// store nothing; [`is_repeat`](crate::event::is_repeat) says what is the same. An id with
    /// another event is refused. Ids belong to their tenant: two may use the same one.
    ///
    /// A [`StreamWrite::check`] compares the revision of its stream and stores nothing. It is
    /// answered when everything that it relies on is durable, and shares the batch of appends.
    ///
    /// # Errors
    /// [`AppendError`]; each variant says who acts. After [`AppendError::Unknown`] the append
    /// may or may not be in the log: send it again with the same event ids to find out.
    fn append(&self, append: Append) -> BoxFuture<'static, Result<Appended, AppendError>>;

    /// Reads a bounded page of one stream; the page of a stream without events is empty.
    ///
    /// # Errors
    /// [`StoreError`] when the engine cannot read; a damaged record names file and offset.
    fn read_stream(&self, read: StreamRead) -> BoxFuture<'static, Result<StreamPage, StoreError>>;

    /// Reads a bounded page of the log, filtered.
    ///
    /// # Errors
    /// [`StoreError::BeyondEnd`] when it reads forward from beyond the end,
    /// [`StoreError::Query`] when the query breaks a bound; [`StoreError`] when the engine cannot read; a damaged record names file and offset.
    fn read_log(&self, read: LogRead) -> BoxFuture<'static, Result<LogPage, StoreError>>;

    /// Finds a tenant's event by its id.
    ///
    /// # Errors
    /// [`StoreError`] when the engine cannot read.
    fn find_event(
        &self,
        tenant: Tenant,
        id: EventId,
    ) -> BoxFuture<'static, Result<Option<RecordedEvent>, StoreError>>;

    /// Lists streams of a tenant in the order of their first event.
    ///
    /// # Errors
    /// [`StoreError::BeyondEnd`] when it starts beyond the end; [`StoreError`] when the engine cannot read.
    fn list_streams(
        &self,
        list: StreamList,
    ) -> BoxFuture<'static, Result<StreamListPage, StoreError>>;

    /// Returns a watch on the position of the last visible event; 0 while there is none.
    ///
    /// Its value only grows, and everything up to it can be read.
    fn head(&self) -> watch::Receiver<Position>;

    /// Returns the bounds that appends and pages are held to.
    fn limits(&self) -> &StoreLimits;

    /// Returns what people call the engine.
    fn engine(&self) -> &'static str;
}

/// An engine, shared.
pub type SharedStore = Arc<dyn EventStore>;

/// Asks for a page of a tenant's streams, in the order of their first event.
#[derive(Clone, Debug)]
pub struct StreamList {
    /// Whose streams.
    pub tenant: Tenant,
    /// Only streams of this category, or of all.
    pub category: Option<crate::event::Category>,
    /// Only streams whose first event lies after this position.
    pub after: Position,
    /// The most streams to return.
    pub limit: usize,
}

/// A page of streams.
#[derive(Clone, Debug)]
pub struct StreamListPage {
    /// The streams, each with the position of its first event.
    pub streams: Vec<(StreamId, Position)>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Position>,
}
