//! An event as CloudEvents 1.0.2 names its parts (<https://cloudevents.io>).

use headwater::event::RecordedEvent;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::percent;

/// What comes before the names in headers; the rest of a name is that of the attribute.
const PREFIX: &str = "ce-";
/// The only attribute that has no header of its own: it is the `content-type`.
const CONTENT_TYPE: &str = "ce-datacontenttype";

/// The attributes, by the names of their headers, and the data.
///
/// All are texts, so that both modes say the same: CloudEvents integers have 32 bits, too few
/// for a position.
pub(super) struct CloudEvent<'a> {
    attributes: Vec<(&'static str, String)>,
    data: &'a RawValue,
}

impl<'a> CloudEvent<'a> {
    pub(super) fn new(source: &str, event: &RecordedEvent, data: &'a RawValue) -> Self {
        let metadata = event.metadata();
        let stream = format!("{}/{}", event.category(), event.stream_id());
        let mut attributes = vec![
            ("ce-specversion", "1.0".to_owned()),
            ("ce-id", event.id().to_string()),
            ("ce-source", source_of(source, event.tenant())),
            ("ce-type", format!("{}.{}", event.category(), event.event_type())),
            ("ce-subject", stream.clone()),
            ("ce-time", event.occurred_at().to_string()),
            (CONTENT_TYPE, "application/json".to_owned()),
            // The extension asks for texts that sort as the numbers do. Its only kind of
            // sequence, Integer, has 32 bits and starts at 1, so `sequencetype` is left out.
            ("ce-sequence", format!("{:020}", event.revision().get())),
            ("ce-partitionkey", stream),
            ("ce-position", event.position().get().to_string()),
            ("ce-dataversion", event.version().to_string()),
        ];
        let known = [
            ("ce-correlationid", metadata.correlation_id),
            ("ce-causationid", metadata.causation_id),
            ("ce-traceparent", metadata.traceparent),
        ];
        attributes.extend(known.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Self { attributes, data }
    }

    /// Returns the headers of the binary mode.
    pub(super) fn headers(self) -> impl Iterator<Item = (&'static str, String)> {
        self.metadata().map(|(name, value)| (name, percent::for_header(&value)))
    }

    /// Returns what the headers say, by the names of the attributes and not encoded.
    pub(super) fn named(self) -> impl Iterator<Item = (&'static str, String)> {
        self.metadata().map(|(name, value)| (name.strip_prefix(PREFIX).unwrap_or(name), value))
    }

    fn metadata(self) -> impl Iterator<Item = (&'static str, String)> {
        self.attributes.into_iter().filter(|(name, _)| *name != CONTENT_TYPE)
    }
}

impl Serialize for CloudEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(Some(self.attributes.len() + 1))?;
        for (name, value) in &self.attributes {
            out.serialize_entry(name.strip_prefix(PREFIX).unwrap_or(name), value)?;
        }
        out.serialize_entry("data", self.data)?;
        out.end()
    }
}

fn source_of(source: &str, tenant: &str) -> String {
    format!("{}/{}", source.trim_end_matches('/'), percent::for_uri(tenant))
}
