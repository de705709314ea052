//! The spans that the framework opens around what is traced, kept so that tests can look at them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Spans of these names are looked at; the first is a test's own.
const NAMES: [&str; 4] = ["request", "decide", "append", "project"];

static SPANS: Mutex<Vec<KeptSpan>> = Mutex::new(Vec::new());

/// A span: what it is called, what it says, and the span around it.
#[derive(Clone, Debug, Default)]
pub struct KeptSpan {
    pub name: &'static str,
    pub around: Option<&'static str>,
    pub fields: BTreeMap<&'static str, String>,
    pub has_ended: bool,
    id: u64,
}

/// Keeps spans that belong to a trace.
pub struct SpanLayer;

/// Returns whether spans of that name are kept.
pub fn is_kept(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && NAMES.contains(&metadata.name())
}

/// Returns the spans of a trace, in the order in which they began.
pub fn of_trace(trace_id: &str) -> Vec<KeptSpan> {
    let spans = SPANS.lock().unwrap();
    let is_of_it = |span: &&KeptSpan| span.fields.get("trace_id").is_some_and(|id| id == trace_id);
    spans.iter().filter(is_of_it).cloned().collect()
}

impl Visit for KeptSpan {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for SpanLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let around = span.parent().map(|outer| outer.name());
        let (name, id) = (span.name(), id.into_u64());
        let mut kept = KeptSpan { name, around, id, ..KeptSpan::default() };
        attributes.record(&mut kept);
        if kept.fields.contains_key("trace_id") {
            SPANS.lock().unwrap().push(kept);
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut spans = SPANS.lock().unwrap();
        // Ids are used again, so it is the newest of that id.
        if let Some(span) = spans.iter_mut().rev().find(|span| span.id == id.into_u64()) {
            span.has_ended = true;
        }
    }
}
