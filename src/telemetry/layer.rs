//! Writes each record as one line.

use std::io::Write;

use jiff::Timestamp;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;
use super::escape::{push_json, push_plain};
use super::record::{FieldValue, Fields};
use crate::clock::{Clock, SystemClock};

/// Keys of a JSON record that no field may take; such a field gets `field_` before its name.
const OWN_KEYS: [&str; 4] = ["time", "level", "message", "target"];

/// A layer that writes one line a record, with the fields of the spans around it.
///
/// A field of an inner span hides one of the same name further out.
pub struct LineLayer<W> {
    format: LogFormat,
    writer: W,
}

impl<W> LineLayer<W> {
    /// Makes a layer that writes to what `writer` makes, `std::io::stderr` for one.
    pub const fn new(format: LogFormat, writer: W) -> Self {
        Self { format, writer }
    }

    fn line(&self, metadata: &Metadata<'_>, fields: &Fields) -> String {
        let now = SystemClock.now();
        match self.format {
            LogFormat::Pretty => pretty(now, metadata, fields),
            LogFormat::Json => json(now, metadata, fields),
        }
    }
}

impl<S, W> Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let mut fields = Fields { message: own.message, facts: Vec::new() };
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                outer.facts.iter().for_each(|(name, value)| fields.set(name, value.clone()));
            }
        }
        own.facts.into_iter().for_each(|(name, value)| fields.set(name, value));
        let line = self.line(event.metadata(), &fields);
        // A log that cannot be written must not stop what it tells of.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
    }
}

fn pretty(now: Timestamp, metadata: &Metadata<'_>, fields: &Fields) -> String {
    let mut line = format!("{now:.3} {:>5} ", metadata.level());
    push_plain(&mut line, &fields.message);
    for (name, value) in &fields.facts {
        line.push(' ');
        push_plain(&mut line, name);
        line.push('=');
        match value {
            FieldValue::Bare(text) => line.push_str(text),
            FieldValue::Text(text) if is_word(text) => line.push_str(text),
            FieldValue::Text(text) => push_json(&mut line, text),
        }
    }
    line.push('\n');
    line
}

fn json(now: Timestamp, metadata: &Metadata<'_>, fields: &Fields) -> String {
    let level = metadata.level().as_str().to_ascii_lowercase();
    let mut line = format!("{{\"time\":\"{now:.6}\",\"level\":\"{level}\",\"message\":");
    push_json(&mut line, &fields.message);
    line.push_str(",\"target\":");
    push_json(&mut line, metadata.target());
    for (name, value) in &fields.facts {
        line.push(',');
        if OWN_KEYS.contains(name) {
            push_json(&mut line, &format!("field_{name}"));
        } else {
            push_json(&mut line, name);
        }
        line.push(':');
        match value {
            FieldValue::Bare(text) => line.push_str(text),
            FieldValue::Text(text) => push_json(&mut line, text),
        }
    }
    line.push_str("}\n");
    line
}

/// Returns whether a text can stand without quotes.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"=".contains(c))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let layer = LineLayer::new(format, move || to.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn logged_json(act: impl FnOnce()) -> serde_json::Value {
        let line = logged(LogFormat::Json, act);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_json_record_has_its_own_fields_and_those_of_its_spans_once() {
        let record = logged_json(|| {
            let span = tracing::info_span!("outer", stream = "order/1", attempt = 1_u64);
            let _outer = span.entered();
            let inner = tracing::info_span!("inner", position = tracing::field::Empty);
            inner.record("position", 9_u64);
            let _inner = inner.entered();
            tracing::warn!(attempt = 2_u64, level = "own", "append refused");
        });
        assert_eq!(record["message"], "append refused");
        assert_eq!((&record["level"], &record["field_level"]), (&"warn".into(), &"own".into()));
        assert_eq!((&record["stream"], &record["position"]), (&"order/1".into(), &9.into()));
        assert_eq!(record["attempt"], 2);
        assert_eq!(record["target"], "headwater::telemetry::layer::tests");
    }

    #[test]
    fn no_secret_reaches_a_line_in_any_kind_of_field() {
        for format in [LogFormat::Pretty, LogFormat::Json] {
            let line = logged(format, || {
                let span = tracing::info_span!("s", api_key = "canary-1", token = 77_777_u64);
                let _span = span.entered();
                let header = "Bearer canary-2";
                tracing::info!(password = ?Some("canary-3"), header, "sent Basic canary-4");
            });
            assert!(!line.contains("canary") && !line.contains("77777"), "{line}");
            assert_eq!(line.matches("[redacted]").count(), 5, "{line}");
        }
    }

    #[test]
    fn no_value_can_forge_a_line_or_move_a_terminal() {
        for format in [LogFormat::Pretty, LogFormat::Json] {
            let line = logged(format, || {
                let evil = "x\n2026-01-01 ERROR forged\u{1b}[2J\u{9b}1m";
                tracing::info!(evil, "took {evil}");
            });
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn a_pretty_record_reads_time_level_message_fields() {
        let line = logged(LogFormat::Pretty, || {
            tracing::info!(port = 4600, path = "a b", empty = "", "listening");
        });
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.parse::<Timestamp>().is_ok(), "{time}");
        assert_eq!(rest, " INFO listening port=4600 path=\"a b\" empty=\"\"\n");
    }

    #[test]
    fn an_error_is_logged_with_its_causes() {
        let source = io::Error::other(io::Error::other("disk on fire"));
        let error: &(dyn std::error::Error + 'static) = &source;
        let record = logged_json(|| tracing::error!(error, ratio = f64::NAN, "append failed"));
        assert_eq!((&record["error"], &record["ratio"]), (&"disk on fire".into(), &"NaN".into()));
    }
}
