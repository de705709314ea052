//! The exact bytes of each format: receivers verify signatures over them.

use headwater::event::{
    EventId, NewEvent, Position, Revision, StreamId, Tenant, encode_record, seal_record,
};
use headwater::reexport::jiff::Timestamp;

use super::*;

const SOURCE: &str = "https://events.example.com/";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Spaces, order of keys and the number are as they were appended.
const DATA: &str = "{\"z\": 1.10,  \"a\":\"\u{e9}\"}";

fn event(data: &'static str, id: &str, with_metadata: bool) -> RecordedEvent {
    let mut event = NewEvent::json("Placed", 2, data).unwrap();
    event.id = EventId::from_bytes([0x11; 16]);
    if with_metadata {
        event.metadata.correlation_id = Some("web 7".into());
        event.metadata.causation_id = Some("c\"1\"".into());
        event.metadata.traceparent = Some(TRACE.into());
    }
    let mut out = Vec::new();
    let stream = StreamId::new("order", id).unwrap();
    encode_record(&mut out, &Tenant::new("shop").unwrap(), &stream, &event);
    let at = Timestamp::from_millisecond(1_700_000_000_120).unwrap();
    seal_record(&mut out, Position::new(9), Revision::new(3), at);
    RecordedEvent::parse(&out.into()).unwrap()
}

fn body(payload: &Payload) -> &str {
    std::str::from_utf8(&payload.body).unwrap()
}

const STRUCTURED: &str = "{\"specversion\":\"1.0\",\
    \"id\":\"11111111-1111-1111-1111-111111111111\",\
    \"source\":\"https://events.example.com/shop\",\
    \"type\":\"order.Placed\",\
    \"subject\":\"order/Zoë 7\",\
    \"time\":\"2023-11-14T22:13:20.12Z\",\
    \"datacontenttype\":\"application/json\",\
    \"sequence\":\"00000000000000000003\",\
    \"partitionkey\":\"order/Zoë 7\",\
    \"position\":\"9\",\
    \"dataversion\":\"2\",\
    \"correlationid\":\"web 7\",\
    \"causationid\":\"c\\\"1\\\"\",\
    \"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\",\
    \"data\":{\"z\": 1.10,  \"a\":\"é\"}}";

#[test]
fn a_structured_cloud_event_has_these_bytes() {
    let payload = render(Format::CloudEvents, SOURCE, &event(DATA, "Zoë 7", true)).unwrap();
    assert_eq!(body(&payload), STRUCTURED);
    assert_eq!(payload.content_type, "application/cloudevents+json; charset=utf-8");
    assert_eq!(payload.headers, [("traceparent", TRACE.to_owned())]);
}

#[test]
fn a_binary_cloud_event_has_these_headers_and_the_data_as_its_body() {
    let payload = render(Format::CloudEventsBinary, SOURCE, &event(DATA, "Zoë 7", true)).unwrap();
    assert_eq!((body(&payload), payload.content_type), (DATA, "application/json"));
    let headers: Vec<_> =
        payload.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let expected = [
        &format!("traceparent: {TRACE}"),
        "ce-specversion: 1.0",
        "ce-id: 11111111-1111-1111-1111-111111111111",
        "ce-source: https://events.example.com/shop",
        "ce-type: order.Placed",
        "ce-subject: order/Zo%C3%AB%207",
        "ce-time: 2023-11-14T22:13:20.12Z",
        "ce-sequence: 00000000000000000003",
        "ce-partitionkey: order/Zo%C3%AB%207",
        "ce-position: 9",
        "ce-dataversion: 2",
        "ce-correlationid: web%207",
        "ce-causationid: c%221%22",
        &format!("ce-traceparent: {TRACE}"),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn a_batch_is_the_list_of_its_structured_events() {
    let one = event(DATA, "Zoë 7", true);
    let payload = render_batch(SOURCE, &[one.clone(), one.clone()]).unwrap();
    assert_eq!(body(&payload), format!("[{STRUCTURED},{STRUCTURED}]"));
    assert_eq!(payload.content_type, "application/cloudevents-batch+json; charset=utf-8");
    assert!(payload.headers.is_empty());
    let single = render(Format::CloudEventsBatch, SOURCE, &one).unwrap();
    assert_eq!(single, render_batch(SOURCE, &[one]).unwrap());
    assert_eq!(body(&render_batch(SOURCE, &[]).unwrap()), "[]");
}

#[test]
fn a_message_has_its_events_id_or_one_that_the_same_events_always_have() {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for (byte, out) in [(1, &mut one), (2, &mut other)] {
        let mut event = NewEvent::json("Placed", 2, DATA).unwrap();
        event.id = EventId::from_bytes([byte; 16]);
        let stream = StreamId::new("order", "a").unwrap();
        encode_record(out, &Tenant::new("shop").unwrap(), &stream, &event);
        seal_record(out, Position::new(9), Revision::new(3), Timestamp::UNIX_EPOCH);
    }
    let [one, other] = [one, other].map(|bytes| RecordedEvent::parse(&bytes.into()).unwrap());
    let shop = Tenant::new("shop").unwrap();
    assert_eq!(message_id(&shop, std::slice::from_ref(&one)), one.id().to_string());
    let id = message_id(&shop, &[one.clone(), other.clone()]);
    assert_eq!(id, message_id(&shop, &[one.clone(), other.clone()]));
    assert_ne!(id, message_id(&shop, &[other, one]));
}

#[test]
fn an_event_of_another_tenant_has_no_message_id_of_ones_own() {
    let operator = Tenant::new("operator").unwrap();
    let of = |tenant: &str| {
        let (mut event, mut out) = (NewEvent::json("Placed", 2, DATA).unwrap(), Vec::new());
        event.id = EventId::from_bytes([7; 16]);
        let stream = StreamId::new("order", "a").unwrap();
        encode_record(&mut out, &Tenant::new(tenant).unwrap(), &stream, &event);
        seal_record(&mut out, Position::new(9), Revision::new(3), Timestamp::UNIX_EPOCH);
        let event = RecordedEvent::parse(&out.into()).unwrap();
        message_id(&operator, std::slice::from_ref(&event))
    };
    assert_ne!(of("operator"), of("shop"));
    assert_ne!(of("shop"), of("other"));
    assert_eq!(of("shop"), of("shop"));
}

#[test]
fn a_type_of_any_text_and_a_moment_as_given_are_sent_as_each_format_writes_them() {
    let moment: headwater::event::Moment = "2010-12-01T08:26:00.120+01:00".parse().unwrap();
    let event = NewEvent::json("Auftrag geändert", 1, DATA).unwrap().with_occurred_at(moment);
    let (stream, mut out) = (StreamId::new("order", "a").unwrap(), Vec::new());
    encode_record(&mut out, &Tenant::new("shop").unwrap(), &stream, &event);
    seal_record(&mut out, Position::new(9), Revision::new(3), Timestamp::UNIX_EPOCH);
    let event = RecordedEvent::parse(&out.into()).unwrap();
    let structured = render(Format::CloudEvents, SOURCE, &event).unwrap();
    assert!(body(&structured).contains("\"type\":\"order.Auftrag geändert\""));
    assert!(body(&structured).contains("\"time\":\"2010-12-01T08:26:00.120+01:00\""));
    let binary = render(Format::CloudEventsBinary, SOURCE, &event).unwrap().headers;
    let header = |name| &binary.iter().find(|(own, _)| *own == name).unwrap().1;
    assert_eq!(header("ce-type"), "order.Auftrag%20ge%C3%A4ndert");
    assert_eq!(header("ce-time"), "2010-12-01T08:26:00.120+01:00");
}

#[test]
fn an_event_is_sent_as_the_api_serves_it() {
    let event = event(DATA, "a", false);
    let payload = render(Format::Event, SOURCE, &event).unwrap();
    assert_eq!(payload.body, serde_json::to_vec(&event).unwrap());
    assert!(body(&payload).ends_with(&format!("\"data\":{DATA}}}")), "{}", body(&payload));
    assert_eq!((payload.content_type, payload.headers), ("application/json", Vec::new()));
}

#[test]
fn what_the_metadata_does_not_have_is_left_out() {
    let payload = render(Format::CloudEvents, "/", &event("null", "a", false)).unwrap();
    let body = body(&payload);
    assert!(body.contains("\"source\":\"/shop\"") && body.ends_with("\"data\":null}"), "{body}");
    assert!(!body.contains("correlationid") && !body.contains("traceparent"), "{body}");
}

#[test]
fn the_same_event_gives_the_same_bytes_each_time() {
    for format in Format::ALL {
        let again = || render(format, SOURCE, &event(DATA, "a", true)).unwrap();
        assert_eq!(again(), again());
    }
}

#[test]
fn only_a_well_formed_trace_is_continued() {
    assert!(is_traceparent(TRACE));
    for bad in ["", "00-a-b-01", &TRACE.to_uppercase(), &format!("{TRACE}-x"), "a-b"] {
        assert!(!is_traceparent(bad), "{bad}");
    }
}

#[test]
fn a_format_has_the_same_name_everywhere() {
    for format in Format::ALL {
        let name = format!("\"{}\"", format.name());
        assert_eq!(serde_json::to_string(&format).unwrap(), name);
        assert_eq!(serde_json::from_str::<Format>(&name).unwrap(), format);
    }
}

#[test]
fn a_source_is_a_uri_reference() {
    for good in ["/", "/headwater", "https://events.example.com", "urn:x:y"] {
        assert_eq!(check_source(good), Ok(()));
    }
    for bad in ["", "a b", "é", "<x>"] {
        assert!(check_source(bad).unwrap_err().to_string().contains("outbox.source"));
    }
}
