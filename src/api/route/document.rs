//! How events look in JSON, for the OpenAPI document; [`RecordedEvent`] writes them itself.

use serde::Serialize;

use crate::event::RecordedEvent;

/// An event in the log.
#[derive(utoipa::ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "describes what `RecordedEvent` serializes to")]
pub(in crate::api) struct EventDocument {
    /// Place in the log, from 1, without gaps over all tenants; also a cursor.
    position: u64,
    /// Identity, within the tenant.
    #[schema(format = "uuid")]
    id: String,
    /// Who owns it.
    tenant: String,
    /// Kind of stream.
    category: String,
    /// Which one.
    stream: String,
    /// Place in the stream, from 1, without gaps.
    revision: u64,
    /// What kind of thing happened.
    r#type: String,
    /// Generation of the data's shape.
    #[schema(minimum = 0)]
    version: u16,
    /// When it happened in the world, as it was given.
    #[schema(format = DateTime)]
    occurred_at: String,
    /// When it was recorded.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// Marks by which it can be found across streams.
    tags: Vec<String>,
    /// What is known besides the data.
    metadata: MetadataDocument,
    /// As it was appended, byte for byte.
    data: serde_json::Value,
}

/// What is known of an event besides its data; every field may be absent.
#[derive(utoipa::ToSchema)]
#[schema(as = Metadata)]
#[expect(dead_code, reason = "describes what `Metadata` serializes to")]
pub(in crate::api) struct MetadataDocument {
    /// The thread: the same for everything that one outside request set off.
    correlation_id: Option<String>,
    /// The id of the command or event that led to this one.
    causation_id: Option<String>,
    /// The W3C trace context of the writer.
    traceparent: Option<String>,
    /// The name of the key that asked for it.
    who: Option<String>,
    /// The idempotency key of the request.
    idempotency_key: Option<String>,
    /// Fingerprint of the request under the key.
    command_hash: Option<String>,
}

/// A page of one stream.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StreamPage)]
pub(in crate::api) struct StreamPageDocument {
    /// The events in the order asked for.
    #[schema(value_type = Vec<EventDocument>)]
    pub events: Vec<RecordedEvent>,
    /// The stream's last revision.
    pub revision: u64,
    /// Where the next page begins: `after` or `before` of the next request; null at the end.
    #[schema(required = true)]
    pub next: Option<u64>,
}

/// A page of the log.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = LogPage)]
pub(in crate::api) struct LogPageDocument {
    /// The events that match, in the order asked for; may be none although more follow.
    #[schema(value_type = Vec<EventDocument>)]
    pub events: Vec<RecordedEvent>,
    /// How far the page looked: `after` or `before` of the next request.
    pub next: u64,
    /// Whether it reached the end asked for.
    pub is_end: bool,
}

/// A page of streams, in the order of their first events.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StreamList)]
pub(in crate::api) struct StreamListDocument {
    /// The streams.
    pub streams: Vec<StreamDocument>,
    /// `after` of the next request; null at the end.
    #[schema(required = true)]
    pub next: Option<u64>,
}

/// One stream of a list.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Stream)]
pub(in crate::api) struct StreamDocument {
    /// Kind of stream.
    pub category: String,
    /// Which one.
    pub id: String,
    /// Position of its first event.
    pub position: u64,
}

/// What is known of a stream as a whole.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StreamMetadata)]
pub(in crate::api) struct StreamMetadataDocument {
    /// Kind of stream.
    pub category: String,
    /// Which one.
    pub id: String,
    /// The last revision.
    pub revision: u64,
    /// How many events it has.
    pub events: u64,
    /// When its first event was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: jiff::Timestamp,
    /// When its last event was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: jiff::Timestamp,
}
