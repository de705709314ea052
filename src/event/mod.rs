//! What happened: events, how they are named, numbered, typed and written.
//!
//! An [`Event`] is a plain enum of one category, variants in the past tense. Before it is
//! stored it becomes a [`NewEvent`]; the store gives it a [`Revision`] (its place in its
//! stream) and a [`Position`] (its place in the log) and hands it out as a
//! [`RecordedEvent`], one immutable run of bytes with cheap accessors. Typed readers see
//! [`Recorded<E>`]. Nobody has to use Rust types: `NewEvent` and `RecordedEvent` carry JSON.

mod id;
mod metadata;
mod moment;
mod name;
mod new_event;
mod number;
mod query;
mod record;
mod recorded;
mod repeat;
mod schema;
mod set;
mod variant;

pub use id::EventId;
pub use metadata::{Metadata, MetadataError};
pub use moment::{Moment, MomentError};
pub use name::{Category, EventType, NameError, StreamId, Tag, Tenant};
pub use new_event::{NewEvent, NewEventError};
pub use number::{Position, Revision};
pub use query::{EventQuery, QueryItem};
pub use record::{RECORD_HEADER_LEN, RecordError, encode_record, seal_record};
pub use recorded::{Recorded, RecordedEvent};
pub use repeat::is_repeat;
pub use schema::{DecodeError, Event, FromOld, Shape};
pub use set::{EventSet, Raw};
#[doc(hidden)]
pub use variant::{decode_variant, encode_variant};
