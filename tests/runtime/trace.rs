//! A trace given with a command goes on through its decision, its append and its projection.

use std::time::Duration;

use headwater::event::Metadata;
use headwater::runtime::{RuntimeConfig, SendOptions};
use headwater::store::MemoryStore;
use tracing::Instrument;

use super::projection::Totals;
use super::records;
use super::running::start_with;
use super::sample::{Add, Counter, add, tenant};
use super::spans::{self, KeptSpan};

const LONG: Duration = Duration::from_secs(10);

/// Metadata of a caller's span in a trace.
fn traced(trace: &str, span: &str) -> SendOptions {
    let traceparent = Some(format!("00-{trace}-{span}-01"));
    let metadata = Metadata { traceparent, ..Metadata::default() };
    SendOptions { metadata, ..SendOptions::default() }
}

/// Sends commands one after the other and waits until they are projected.
async fn send(id: &str, commands: Vec<(Add, SendOptions)>) {
    records::keep();
    let parts = |builder: headwater::runtime::SystemBuilder| builder.rows(Totals::<1>);
    let system = start_with(MemoryStore::shared(), RuntimeConfig::default(), parts).await;
    let counter = system.at::<Counter>(&tenant(), id).unwrap();
    for (command, options) in commands {
        let request = tracing::info_span!("request");
        let receipt = counter.send_with(command, options).instrument(request).await.unwrap();
        system.wait_for("totals", receipt.position, LONG).await.unwrap();
    }
}

fn names(spans: &[KeptSpan]) -> Vec<&'static str> {
    spans.iter().map(|span| span.name).collect()
}

#[tokio::test]
async fn decision_append_and_projection_are_children_of_the_callers_span() {
    let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    send("traced", vec![(add(1), traced(trace, caller))]).await;
    let spans = spans::of_trace(trace);
    assert_eq!(names(&spans), ["decide", "append", "project"]);
    assert_eq!(
        spans.iter().map(|span| span.around).collect::<Vec<_>>(),
        [Some("request"), None, None]
    );
    for span in &spans {
        assert_eq!(span.fields["parent_span_id"], caller, "{span:?}");
        assert_eq!(span.fields["tenant"], "test", "{span:?}");
        assert!(span.has_ended && span.fields.contains_key("correlation_id"), "{span:?}");
    }
    let [decide, append, project] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((&*decide.fields["command"], &*append.fields["revision"]), ("add", "1"));
    assert_eq!(
        (&*append.fields["stream"], &*project.fields["projection"]),
        ("counter/traced", "totals")
    );
    assert_eq!((&*project.fields["position"], &*project.fields["event_type"]), ("1", "Added"));
}

#[tokio::test]
async fn a_command_of_many_events_has_one_span_of_each_kind() {
    let trace = "1af7651916cd43dd8448eb211c80319c";
    let many = Add { parts: 7, ..add(1) };
    let untraced = (add(1), SendOptions::default());
    send("many", vec![untraced, (many, traced(trace, "b7ad6b7169203331"))]).await;
    let spans = spans::of_trace(trace);
    assert_eq!(names(&spans), ["decide", "append", "project"]);
    assert_eq!((&*spans[1].fields["revision"], &*spans[2].fields["position"]), ("2", "2"));
}

#[tokio::test]
async fn each_trace_has_spans_of_its_own() {
    let traces = ["2af7651916cd43dd8448eb211c80319c", "3af7651916cd43dd8448eb211c80319c"];
    let commands = traces.map(|trace| (add(1), traced(trace, "b7ad6b7169203331")));
    send("two", commands.into()).await;
    for trace in traces {
        assert_eq!(names(&spans::of_trace(trace)), ["decide", "append", "project"]);
    }
}
