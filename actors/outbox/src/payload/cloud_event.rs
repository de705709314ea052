//! An event as CloudEvents 1.0.2 names its parts (<https://cloudevents.io>).

use std::convert::Infallible;
use std::fmt::{Display, Write};

use headwater::event::{Metadata, RecordedEvent};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::percent;

/// What comes before the names in headers; the rest of a name is that of the attribute.
const PREFIX: &str = "ce-";
/// How long most attributes are at most; a longer one costs a second buffer.
const TEXT_LEN: usize = 96;
/// The only attribute that has no header of its own: it is the `content-type`.
const CONTENT_TYPE: &str = "ce-datacontenttype";

/// The attributes, by the names of their headers, and the data.
///
/// All are texts, so that both modes say the same: CloudEvents integers have 32 bits, too few
/// for a position.
pub(super) struct CloudEvent<'a> {
    source: &'a str,
    event: &'a RecordedEvent,
    metadata: &'a Metadata,
    data: &'a RawValue,
}

impl<'a> CloudEvent<'a> {
    pub(super) const fn new(
        source: &'a str,
        (event, metadata): (&'a RecordedEvent, &'a Metadata),
        data: &'a RawValue,
    ) -> Self {
        Self { source, event, metadata, data }
    }

    /// Returns the headers of the binary mode.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        self.texts(|name, value| (name, percent::for_header(value)))
    }

    /// Returns what the headers say, by the names of the attributes and not encoded.
    pub(super) fn named(&self) -> Vec<(&'static str, String)> {
        self.texts(|name, value| (attribute(name), value.to_owned()))
    }

    fn texts(
        &self,
        mut make: impl FnMut(&'static str, &str) -> (&'static str, String),
    ) -> Vec<(&'static str, String)> {
        let mut texts = Vec::with_capacity(16);
        let Ok(()) = self.each(|name, value| {
            if name != CONTENT_TYPE {
                texts.push(make(name, value));
            }
            Ok::<_, Infallible>(())
        });
        texts
    }

    /// Shows each attribute, all written in one place, one after the other.
    fn each<E>(&self, mut show: impl FnMut(&'static str, &str) -> Result<(), E>) -> Result<(), E> {
        let Self { event, metadata, .. } = self;
        let tenant = percent::for_uri(event.tenant());
        let (mut stream, mut text) = (Text::new(), Text::new());
        let stream = stream.joined(event.category(), '/', event.stream_id());
        show("ce-specversion", "1.0")?;
        show("ce-id", text.of(&event.id()))?;
        show("ce-source", text.joined(self.source.trim_end_matches('/'), '/', &tenant))?;
        show("ce-type", text.joined(event.category(), '.', event.event_type()))?;
        show("ce-subject", stream)?;
        show("ce-time", text.of(&event.moment()))?;
        show(CONTENT_TYPE, "application/json")?;
        // The extension asks for texts that sort as the numbers do. Its only kind of
        // sequence, Integer, has 32 bits and starts at 1, so `sequencetype` is left out.
        show("ce-sequence", text.of(&format_args!("{:020}", event.revision().get())))?;
        show("ce-partitionkey", stream)?;
        show("ce-position", text.of(&event.position().get()))?;
        show("ce-dataversion", text.of(&event.version()))?;
        let known = [
            ("ce-correlationid", &metadata.correlation_id),
            ("ce-causationid", &metadata.causation_id),
            ("ce-traceparent", &metadata.traceparent),
        ];
        for (name, value) in known {
            if let Some(value) = value {
                show(name, value)?;
            }
        }
        Ok(())
    }
}

impl Serialize for CloudEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        self.each(|name, value| out.serialize_entry(attribute(name), value))?;
        out.serialize_entry("data", self.data)?;
        out.end()
    }
}

/// A place for one text at a time: the serializer looks for signs to escape in each piece that it
/// is given, and a whole text is one piece.
struct Text(String);

impl Text {
    fn new() -> Self {
        Self(String::with_capacity(TEXT_LEN))
    }

    fn of(&mut self, value: &dyn Display) -> &str {
        self.0.clear();
        // Writing to a string fails only if the value does, and then it is cut.
        let _ = write!(self.0, "{value}");
        &self.0
    }

    fn joined(&mut self, first: &str, sign: char, second: &str) -> &str {
        self.0.clear();
        self.0.push_str(first);
        self.0.push(sign);
        self.0.push_str(second);
        &self.0
    }
}

/// Returns the name of the attribute that a header holds.
fn attribute(header: &'static str) -> &'static str {
    header.strip_prefix(PREFIX).unwrap_or(header)
}
