//! What is sent: a pure function of the event, so that every retry sends the same bytes.

mod cloud_event;
mod percent;

use bytes::Bytes;
use headwater::event::{EventId, Metadata, Position, RecordedEvent, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use cloud_event::CloudEvent;

/// About how many bytes the names and values around the data have; more costs a second buffer.
const ATTRIBUTES_LEN: usize = 512;

/// How an event looks on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Format {
    /// CloudEvents 1.0.2, everything in the body (JSON).
    #[default]
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// CloudEvents 1.0.2, the data in the body and the rest in `ce-` headers.
    #[serde(rename = "cloudevents-binary")]
    CloudEventsBinary,
    /// CloudEvents 1.0.2, a JSON list of events in one request; of one unless `batch` says more.
    #[serde(rename = "cloudevents-batch")]
    CloudEventsBatch,
    /// The event as the API serves it.
    #[serde(rename = "event")]
    Event,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] =
        [Self::CloudEvents, Self::CloudEventsBinary, Self::CloudEventsBatch, Self::Event];

    /// Returns the name that settings and the API use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloudevents",
            Self::CloudEventsBinary => "cloudevents-binary",
            Self::CloudEventsBatch => "cloudevents-batch",
            Self::Event => "event",
        }
    }

    /// Returns the `content-type` of its payloads.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::CloudEvents => "application/cloudevents+json; charset=utf-8",
            Self::CloudEventsBatch => "application/cloudevents-batch+json; charset=utf-8",
            Self::CloudEventsBinary | Self::Event => "application/json",
        }
    }
}

/// What is sent of an event, but for what differs from one attempt to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The `content-type` header.
    pub content_type: &'static str,
    /// Further headers: names in lower case, values of visible ASCII characters.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// Says why an event cannot be sent in a format.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The data of the event is not JSON: a program other than this one wrote it. The operator
    /// acts.
    #[error("the data of the event at position {position} is not JSON ({problem}): skip the event")]
    Data {
        /// Where the event is.
        position: Position,
        /// What is wrong with it.
        #[source]
        problem: serde_json::Error,
    },
}

/// Says that a source is none; the operator must write another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "outbox.source {text:?} is not a URI reference: write one like https://events.example.com or \
     /headwater"
)]
pub struct SourceError {
    /// What was written.
    pub text: String,
}

/// Checks that a text may be the source of events: not empty, and only characters that
/// RFC 3986 allows in a URI reference.
///
/// # Errors
/// [`SourceError`] when it may not.
pub fn check_source(text: &str) -> Result<(), SourceError> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    match !text.is_empty() && text.bytes().all(allowed) {
        true => Ok(()),
        false => Err(SourceError { text: text.to_owned() }),
    }
}

/// Returns what is sent of one event; in the batch format a batch of one.
///
/// `source` names this system, as [`check_source`] allows it; the tenant is put behind it,
/// because an event's id is unique within its source.
///
/// # Errors
/// [`PayloadError`] when the event's data is not JSON.
pub fn render(
    format: Format,
    source: &str,
    event: &RecordedEvent,
) -> Result<Payload, PayloadError> {
    let (data, metadata) = (data_of(event)?, event.metadata());
    let mut headers = trace_header(&metadata);
    let cloud_event = CloudEvent::new(source, (event, &metadata), data);
    let body = match format {
        Format::CloudEventsBatch => return render_batch(source, std::slice::from_ref(event)),
        Format::CloudEvents => json(event, &cloud_event)?.into(),
        Format::Event => json(event, event)?.into(),
        Format::CloudEventsBinary => {
            headers.extend(cloud_event.headers());
            // The slice is of the record's own memory: nothing is copied.
            event.as_bytes().slice_ref(event.data())
        }
    };
    Ok(Payload { content_type: format.content_type(), headers, body })
}

/// Returns the CloudEvents attributes of an event by their names, as they are, but for
/// `datacontenttype`.
///
/// # Errors
/// [`PayloadError`] when the event's data is not JSON.
pub(crate) fn attributes(
    source: &str,
    event: &RecordedEvent,
) -> Result<Vec<(&'static str, String)>, PayloadError> {
    Ok(CloudEvent::new(source, (event, &event.metadata()), data_of(event)?).named())
}

/// Returns what is sent of several events in one request, in [`Format::CloudEventsBatch`].
///
/// # Errors
/// [`PayloadError`] naming the first event whose data is not JSON.
pub fn render_batch(source: &str, events: &[RecordedEvent]) -> Result<Payload, PayloadError> {
    let mut body = vec![b'['];
    for event in events {
        if body.len() > 1 {
            body.push(b',');
        }
        let metadata = event.metadata();
        body.extend(json(event, &CloudEvent::new(source, (event, &metadata), data_of(event)?))?);
    }
    body.push(b']');
    let content_type = Format::CloudEventsBatch.content_type();
    Ok(Payload { content_type, headers: Vec::new(), body: body.into() })
}

/// Returns the id of a message with these events to an endpoint of `owner`: that of the event when
/// it is one of the owner's, otherwise one that the same events in the same order always have.
///
/// Event ids belong to their tenants: of an event of another tenant the tenant counts too, so that
/// no receiver takes it for a double of the owner's.
#[must_use]
pub fn message_id(owner: &Tenant, events: &[RecordedEvent]) -> String {
    let is_own = |event: &RecordedEvent| event.tenant() == owner.as_str();
    if let [event] = events
        && is_own(event)
    {
        return event.id().to_string();
    }
    let ids: Vec<_> = events.iter().map(|event| (event, event.id().to_bytes())).collect();
    let parts = ids.iter().flat_map(|(event, id)| {
        let tenant = (!is_own(event)).then(|| event.tenant().as_bytes());
        std::iter::once(id.as_slice()).chain(tenant)
    });
    EventId::derived(&parts.collect::<Vec<_>>()).to_string()
}

fn data_of(event: &RecordedEvent) -> Result<&RawValue, PayloadError> {
    serde_json::from_slice(event.data()).map_err(|problem| wrong(event, problem))
}

fn json(event: &RecordedEvent, value: &impl Serialize) -> Result<Vec<u8>, PayloadError> {
    let mut body = Vec::with_capacity(event.as_bytes().len() + ATTRIBUTES_LEN);
    serde_json::to_writer(&mut body, value).map_err(|problem| wrong(event, problem))?;
    Ok(body)
}

fn wrong(event: &RecordedEvent, problem: serde_json::Error) -> PayloadError {
    PayloadError::Data { position: event.position(), problem }
}

/// Returns the header by which the receiver's trace continues the writer's.
///
/// Only of the form that W3C Trace Context level 1 gives it: metadata takes any text, and
/// receivers drop a trace over a header that they cannot read.
fn trace_header(metadata: &Metadata) -> Vec<(&'static str, String)> {
    let trace = metadata.traceparent.as_ref().filter(|text| is_traceparent(text));
    trace.map(|text| ("traceparent", text.clone())).into_iter().collect()
}

fn is_traceparent(text: &str) -> bool {
    let is_hex =
        |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([2, 32, 16, 2]) && parts.into_iter().all(is_hex)
}

#[cfg(test)]
mod tests;
