//! The JSON in which raw events are appended.

use std::num::NonZeroU16;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::Problem;
use crate::event::{
    Category, EventId, EventType, Metadata, Moment, NewEvent, Position, Revision, Tag,
};
use crate::store::{AppendCondition, EventQuery, Expected, QueryItem};

/// Events for one stream, named by the address.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Append)]
pub(in crate::api) struct AppendBody<'a> {
    /// The events, in order.
    #[serde(borrow)]
    #[schema(min_items = 1)]
    pub events: Vec<EventBody<'a>>,
    /// What the stream must be like before; `If-Match` says the same and excludes it.
    pub expected: Option<ExpectedBody>,
    /// Refuses the append if an event that matches has been recorded since.
    pub condition: Option<ConditionBody>,
}

/// Events for several streams: all of them or none.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppendAll)]
pub(in crate::api) struct AppendAllBody<'a> {
    /// The streams, each at most once.
    #[serde(borrow)]
    #[schema(min_items = 1)]
    pub streams: Vec<StreamBody<'a>>,
    /// Refuses the append if an event that matches has been recorded since.
    pub condition: Option<ConditionBody>,
}

/// Events for one of several streams.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamAppend)]
pub(in crate::api) struct StreamBody<'a> {
    /// Kind of stream.
    #[schema(value_type = String, max_length = 64)]
    pub category: Category,
    /// Which one.
    #[schema(min_length = 1, max_length = 256)]
    pub id: String,
    /// What it must be like before; `any` when absent.
    pub expected: Option<ExpectedBody>,
    /// The events, in order.
    #[serde(borrow)]
    #[schema(min_items = 1)]
    pub events: Vec<EventBody<'a>>,
}

/// One event.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEvent)]
pub(in crate::api) struct EventBody<'a> {
    /// Identity, within the tenant: the same event is stored once under it, another event is
    /// refused. Made by the server when absent.
    #[schema(value_type = Option<String>, format = "uuid")]
    id: Option<EventId>,
    /// What kind of thing happened: any text without control characters, at most 128 bytes.
    #[serde(rename = "type")]
    #[schema(value_type = String, max_length = 128)]
    event_type: EventType,
    /// Generation of the data's shape; 1 when absent.
    #[schema(value_type = Option<u16>, minimum = 1)]
    version: Option<NonZeroU16>,
    /// When it happened in the world, in RFC 3339; kept as it is given, with its offset and every
    /// digit. When it is recorded if absent.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 64)]
    occurred_at: Option<Moment>,
    /// Marks by which it can be found across streams.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 32, required = false)]
    tags: Vec<Tag>,
    /// What is known besides the data.
    #[serde(default)]
    #[schema(required = false)]
    metadata: MetadataBody,
    /// Any JSON; kept byte for byte.
    #[serde(borrow)]
    #[schema(value_type = serde_json::Value)]
    data: &'a RawValue,
}

/// The metadata that a client may set; author and idempotency key come from the request.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = NewEventMetadata)]
pub(in crate::api) struct MetadataBody {
    /// The thread; that of the request when absent.
    #[schema(max_length = 255)]
    correlation_id: Option<String>,
    /// The id of the command or event that led to this one.
    #[schema(max_length = 255)]
    causation_id: Option<String>,
    /// The W3C trace context; that of the request when absent.
    #[schema(max_length = 255)]
    traceparent: Option<String>,
}

/// What a stream must be like: a revision, or a word.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "must be \"any\", \"no_stream\", \"exists\" or a revision")]
#[schema(as = Expected)]
pub(in crate::api) enum ExpectedBody {
    /// The stream's last event has this revision; 0 means that it has none.
    At(u64),
    /// A word.
    Word(ExpectedWord),
}

/// What a stream must be like, without a number.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum ExpectedWord {
    /// Anything.
    Any,
    /// It has no event.
    NoStream,
    /// It has an event.
    Exists,
}

/// A condition on the rest of the log.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Condition)]
pub(in crate::api) struct ConditionBody {
    /// The alternatives: an event matches if any of them does; none matches every event.
    #[serde(default)]
    items: Vec<ConditionItem>,
    /// Only events after this position count.
    after: u64,
}

/// Matches an event of any of the categories and types that has all of the tags.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(in crate::api) struct ConditionItem {
    /// Any of these categories; none asks for nothing.
    #[schema(value_type = Vec<String>)]
    categories: Vec<Category>,
    /// Any of these types; none asks for nothing.
    #[schema(value_type = Vec<String>)]
    types: Vec<EventType>,
    /// All of these tags.
    #[schema(value_type = Vec<String>)]
    tags: Vec<Tag>,
}

impl EventBody<'_> {
    /// Makes the event; its data shares the memory of `body`, which it was read from.
    pub fn event(self, body: &Bytes, base: &Metadata, id: EventId) -> Result<NewEvent, Problem> {
        let data = body.slice_ref(self.data.get().as_bytes());
        let version = self.version.map_or(1, NonZeroU16::get);
        let event = NewEvent::json(self.event_type, version, data);
        let mut event = event.map_err(|error| Problem::field("/events", error.to_string()))?;
        event.id = self.id.unwrap_or(id);
        event.occurred_at = self.occurred_at;
        event.tags = self.tags;
        event.metadata = base.clone();
        let MetadataBody { correlation_id, causation_id, traceparent } = self.metadata;
        event.metadata.correlation_id = correlation_id.or(event.metadata.correlation_id);
        event.metadata.causation_id = causation_id;
        event.metadata.traceparent = traceparent.or(event.metadata.traceparent);
        Ok(event)
    }
}

impl From<ExpectedBody> for Expected {
    fn from(body: ExpectedBody) -> Self {
        match body {
            ExpectedBody::At(revision) => Self::At(Revision::new(revision)),
            ExpectedBody::Word(ExpectedWord::Any) => Self::Any,
            ExpectedBody::Word(ExpectedWord::NoStream) => Self::NoStream,
            ExpectedBody::Word(ExpectedWord::Exists) => Self::Exists,
        }
    }
}

impl From<ConditionBody> for AppendCondition {
    fn from(body: ConditionBody) -> Self {
        let items = body.items.into_iter().map(|item| QueryItem {
            categories: item.categories,
            types: item.types,
            tags: item.tags,
        });
        let query = EventQuery { items: items.collect() };
        Self { query, after: Position::new(body.after) }
    }
}
