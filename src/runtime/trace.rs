//! Where a trace goes on: the ids by which a span hangs under that of the writer, and the spans
//! of what is done for many commands at once.

use rustc_hash::FxHashSet;
use tracing::Span;
use tracing::level_filters::LevelFilter;

use crate::event::Metadata;

/// Length of a W3C trace context of version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
const TRACEPARENT_LEN: usize = 55;

/// Returns the id of the trace that something belongs to; `None` when it is not traced.
pub(super) fn trace_id(metadata: &Metadata) -> Option<&str> {
    traceparent(metadata)?.get(3..35)
}

/// Returns the id of the writer's span; `None` when it is not traced.
pub(super) fn parent_span_id(metadata: &Metadata) -> Option<&str> {
    traceparent(metadata)?.get(36..52)
}

fn traceparent(metadata: &Metadata) -> Option<&str> {
    metadata.traceparent.as_deref().filter(|text| text.len() == TRACEPARENT_LEN)
}

/// The spans of something done for many events at once, one for each writer's span among them;
/// they end when this is dropped.
#[derive(Default)]
pub(super) struct Traces {
    known: FxHashSet<String>,
    spans: Vec<Span>,
}

impl Traces {
    /// Returns whether anybody may want spans of level `debug`: a look at one number.
    pub fn are_wanted() -> bool {
        LevelFilter::current() >= LevelFilter::DEBUG
    }

    /// Begins the span of an event's writer, given trace and parent, unless it has begun or
    /// the event is not traced.
    pub fn add(&mut self, metadata: &Metadata, span: impl FnOnce(&str, &str) -> Span) {
        let (Some(trace), Some(parent)) = (trace_id(metadata), parent_span_id(metadata)) else {
            return;
        };
        if self.known.insert(format!("{trace}-{parent}")) {
            self.spans.extend(Some(span(trace, parent)).filter(|span| !span.is_disabled()));
        }
    }

    /// Returns whether there is no span.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_are_those_of_the_trace_context_and_anything_else_has_none() {
        let of = |text: &str| Metadata { traceparent: Some(text.into()), ..Metadata::default() };
        let traced = of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(trace_id(&traced), Some("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(parent_span_id(&traced), Some("b7ad6b7169203331"));
        for untraced in [Metadata::default(), of("00"), of(&"ä".repeat(28))] {
            assert_eq!((trace_id(&untraced), parent_span_id(&untraced)), (None, None));
        }
    }

    #[test]
    fn a_batch_has_one_span_for_each_writer() {
        let of = |span: &str| {
            let text = format!("00-0af7651916cd43dd8448eb211c80319c-{span}-01");
            Metadata { traceparent: Some(text), ..Metadata::default() }
        };
        let (mut traces, mut begun) = (Traces::default(), 0);
        let (one, other) = (of("b7ad6b7169203331"), of("b7ad6b7169203332"));
        for metadata in [&one, &other, &one, &Metadata::default()] {
            traces.add(metadata, |_, _| {
                begun += 1;
                Span::none()
            });
        }
        // Nobody in this test wants them, so none is kept.
        assert_eq!((begun, traces.is_empty()), (2, true));
    }
}
