//! The read side as pure types: a projection folds events into rows.
//!
//! Two forms. [`RowProjection`] says which rows an event touches (`route`) and how each
//! changes (`evolve`); the framework loads, writes and indexes the rows. [`Projection`] writes
//! SQL itself. In both, rows and checkpoint commit in one transaction, so every event counts
//! exactly once (G7), and [`VERSION`](Projection::VERSION) makes a rebuild boring: raise it and
//! new tables are filled beside the old and swapped in.

pub(crate) mod checkpoint;
mod config;
pub(crate) mod definition;
mod error;
pub(crate) mod origin;
pub(crate) mod parked;
mod policy;
pub(crate) mod query;
pub(crate) mod rebuild;
mod row_memory;
mod rows;
pub(crate) mod status;
mod storable;
mod stored;
pub(crate) mod work;

pub use config::RunnerConfig;
pub use definition::Definition;
pub use error::{ProjectionError, QueryError};
pub use parked::{ParkedStream, SkippedEvent};
pub use policy::{PoisonPolicy, UnknownPolicy};
pub use query::{RowEntry, RowPage, RowQuery};
pub use rows::Rows;
pub use status::{ProjectionState, ProjectionStatus, Step};
pub use stored::stored_projections;

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::{EventSet, Recorded};
use crate::sql::{Dialect, Tx};

/// A projection in SQL form: writes its tables itself.
pub trait Projection: Send + Sync + 'static {
    /// Its name, lower case with `_`; also the name under which it is read.
    const NAME: &'static str;
    /// Generation of tables and logic, from 1: raise it and the projection is rebuilt.
    const VERSION: u32;
    /// The statements that make its tables, separated by `;`, own table names in braces, index
    /// names beginning with a braced table name: `create index {revenue}_by_day on {revenue} (day)`.
    const SCHEMA: &'static str;
    /// The events it subscribes to.
    type Event: EventSet;

    /// Writes what a batch of events changes.
    ///
    /// # Errors
    /// [`ProjectionError`]: a poison event follows [`Projection::POISON`], the rest is retried.
    fn apply(
        &self,
        batch: &[Recorded<Self::Event>],
        tx: &mut Tx<'_>,
    ) -> Result<(), ProjectionError>;

    /// What to do about an event that cannot be applied.
    const POISON: PoisonPolicy = PoisonPolicy::Halt;
    /// What to do about an event whose type or version is not known here.
    const UNKNOWN: UnknownPolicy = UnknownPolicy::Skip;
    /// The columns that, after `tenant`, identify a row of the table `{NAME}`; with them the
    /// rows are served by key. Empty, the default, means that they are not.
    const KEY: &'static [&'static str] = &[];
    /// Columns of the table `{NAME}` that clients may filter by.
    const INDEXES: &'static [&'static str] = &[];

    /// Returns the statements that make its tables: [`Projection::SCHEMA`], unless the engines
    /// need different ones.
    #[must_use]
    fn schema(_dialect: Dialect) -> Cow<'static, str> {
        Cow::Borrowed(Self::SCHEMA)
    }
}

/// A projection in row form: keyed rows that fold events; the framework does the SQL.
///
/// Rows belong to a tenant: the same key of two tenants is two rows.
pub trait RowProjection: Send + Sync + 'static {
    /// Its name, lower case with `_`: the table, and the name under which it is read.
    const NAME: &'static str;
    /// Generation of rows and logic, from 1: raise it and the projection is rebuilt.
    const VERSION: u32;
    /// Fields of the row (top level) that clients may filter by; each gets an index.
    const INDEXES: &'static [&'static str] = &[];
    /// What to do about an event that cannot be applied.
    const POISON: PoisonPolicy = PoisonPolicy::Halt;
    /// What to do about an event whose type or version is not known here.
    const UNKNOWN: UnknownPolicy = UnknownPolicy::Skip;
    /// The events it subscribes to.
    type Event: EventSet;
    /// What identifies a row inside its tenant; its text is the row's id.
    type Key: Display + Send;
    /// A row; kept as JSON.
    type Row: Serialize + DeserializeOwned + Send;

    /// Says which rows an event touches.
    fn route(&self, event: &Recorded<Self::Event>) -> impl IntoIterator<Item = Self::Key>;

    /// Changes one of these rows; `None` means that it does not exist, before or after.
    ///
    /// # Errors
    /// [`ProjectionError::Poison`] when the event cannot be applied.
    fn evolve(
        &self,
        key: &Self::Key,
        row: &mut Option<Self::Row>,
        event: &Recorded<Self::Event>,
    ) -> Result<(), ProjectionError>;
}
