//! CloudEvents, parsed by the official SDK, which checks every attribute.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use headwater::event::{
    EventId, NewEvent, Position, RecordedEvent, Revision, StreamId, Tenant, encode_record,
    seal_record,
};
use headwater::reexport::jiff::Timestamp;
use headwater_outbox::payload::{Format, Payload, render, render_batch};
use serde_json::{Map, Value, json};

use super::oracle::Oracle;

const SOURCE: &str = "https://events.example.com";

fn event(revision: u64) -> RecordedEvent {
    let mut event = NewEvent::json("Placed", 2, "{\"total\": 1.5, \"to\": \"Zoë\"}").unwrap();
    event.id = EventId::from_bytes([0x11; 16]);
    event.metadata.correlation_id = Some("100 % \"web\" 😀".into());
    event.metadata.traceparent =
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let mut out = Vec::new();
    let stream = StreamId::new("order", "Zoë 7").unwrap();
    encode_record(&mut out, &Tenant::new("shop").unwrap(), &stream, &event);
    let at = Timestamp::from_millisecond(1_700_000_000_120).unwrap();
    seal_record(&mut out, Position::new(u64::from(u32::MAX) + 9), Revision::new(revision), at);
    RecordedEvent::parse(&Bytes::from(out)).unwrap()
}

fn case(kind: &str, payload: &Payload) -> Value {
    let mut headers = Map::new();
    headers.insert("content-type".into(), payload.content_type.into());
    let own = payload.headers.iter().map(|(name, value)| ((*name).into(), value.clone().into()));
    headers.extend(own);
    json!({ "kind": kind, "headers": headers, "body": STANDARD.encode(&payload.body) })
}

/// What the SDK must find, whatever the mode.
fn parsed(revision: u64) -> Value {
    json!({
        "attributes": {
            "specversion": "1.0",
            "id": "11111111-1111-1111-1111-111111111111",
            "source": "https://events.example.com/shop",
            "type": "order.Placed",
            "subject": "order/Zoë 7",
            "time": "2023-11-14 22:13:20.120000+00:00",
            "datacontenttype": "application/json",
            "sequence": format!("{revision:020}"),
            "partitionkey": "order/Zoë 7",
            "position": "4294967304",
            "dataversion": "2",
            "correlationid": "100 % \"web\" 😀",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
        "data": { "total": 1.5, "to": "Zoë" },
    })
}

#[test]
fn every_format_of_cloud_events_is_parsed_by_the_official_sdk() {
    let structured = render(Format::CloudEvents, SOURCE, &event(3)).unwrap();
    let binary = render(Format::CloudEventsBinary, SOURCE, &event(u64::MAX)).unwrap();
    let batch = render_batch(SOURCE, &[event(0), event(1)]).unwrap();
    let cases = json!([
        case("cloud_event", &structured),
        case("cloud_event", &binary),
        case("batch", &batch),
    ]);
    if let Some(said) = Oracle::Python.ask(&cases) {
        let expected = json!([parsed(3), parsed(u64::MAX), [parsed(0), parsed(1)]]);
        assert_eq!(said, expected);
    }
}
