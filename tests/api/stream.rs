//! `/v1/streams`: raw events of streams.

use serde_json::json;

use crate::server::Server;

const TWO: &str = r#"{"events":[{"type":"A","data":1},{"type":"B","data":2}]}"#;

#[test]
fn raw_data_is_kept_byte_for_byte() {
    let server = Server::start();
    let odd = "{ \"b\" : 1.0,\n \"a\":[1e5 , \"\\u00e9\"], \"b\":2 }";
    let body = format!("{{\"events\":[{{\"type\":\"Odd\",\"data\":{odd}}}]}}");
    assert_eq!(server.post("/v1/streams/raw/1", &body).send().status, 201);
    let text = server.get("/v1/streams/raw/1").send().text;
    assert!(text.contains(odd), "{text}");
}

#[test]
fn an_append_tells_where_its_events_lie() {
    let server = Server::start();
    let reply = server.post("/v1/streams/raw/x", TWO).send();
    assert_eq!((reply.status, reply.header("etag")), (201, "\"2\""));
    assert_eq!(reply.header("location"), "/v1/streams/raw/x");
    let streams = json!([{"category":"raw","id":"x","first":1,"last":2}]);
    assert_eq!(reply.body, json!({"position":2,"streams":streams,"duplicate":false}));
}

#[test]
fn an_append_checks_what_it_expects_in_headers_or_body() {
    let server = Server::start();
    let with =
        |name: &str, value: &str| server.post("/v1/streams/raw/1", TWO).header(name, value).send();
    assert_eq!(with("if-match", "*").problem(), "revision-mismatch");
    assert_eq!(with("if-none-match", "*").status, 201);
    assert_eq!(with("if-none-match", "*").status, 412);
    let conflict = |expected: &str| {
        let body = TWO.replacen('{', &format!("{{\"expected\":{expected},"), 1);
        server.post("/v1/streams/raw/1", &body).send()
    };
    assert_eq!(conflict("7").status, 409);
    assert_eq!(conflict("7").body["actual"], 2);
    assert_eq!(conflict("\"no_stream\"").problem(), "stream-conflict");
    assert_eq!(conflict("\"maybe\"").body["errors"][0]["pointer"], "/expected");
    assert_eq!(conflict("2").status, 201);
}

#[test]
fn the_same_append_under_the_same_key_is_stored_once() {
    let server = Server::start();
    let send =
        |body: &str| server.post("/v1/streams/raw/1", body).header("idempotency-key", "k").send();
    let (first, again) = (send(TWO), send(TWO));
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(again.body["duplicate"], true);
    assert_eq!(again.body["position"], first.body["position"]);
    let other = send(&TWO.replace('2', "3"));
    assert_eq!((other.status, other.problem()), (422, "idempotency-key-reused"));
}

#[test]
fn several_streams_are_appended_all_or_none() {
    let server = Server::start();
    let stream = |id: &str, expected: &str| json!({"category":"raw","id":id,"expected":expected,"events":[{"type":"A","data":{}}]});
    let good = json!({"streams":[stream("1", "any"), stream("2", "no_stream")]}).to_string();
    assert_eq!(server.post("/v1/streams", &good).send().body["streams"][1]["last"], 1);
    let bad = json!({"streams":[stream("3", "any"), stream("2", "no_stream")]}).to_string();
    assert_eq!(server.post("/v1/streams", &bad).send().status, 409);
    assert_eq!(server.get("/v1/streams/raw/3").send().status, 404);
}

#[test]
fn an_append_condition_that_fails_tells_where() {
    let server = Server::start();
    let tagged = json!({"events":[{"type":"A","data":{},"tags":["seat:7"]}]}).to_string();
    server.post("/v1/streams/raw/1", &tagged).send();
    let with_condition = |after: u64| {
        let condition = json!({"items":[{"tags":["seat:7"]}],"after":after});
        let body = json!({"events":[{"type":"B","data":{}}],"condition":condition});
        server.post("/v1/streams/raw/2", &body.to_string()).send()
    };
    let refused = with_condition(0);
    assert_eq!((refused.status, refused.problem()), (409, "condition-failed"));
    assert_eq!(refused.body["position"], 1);
    assert_eq!(with_condition(1).status, 201);
}

#[test]
fn events_out_of_form_are_named_by_their_pointer() {
    let server = Server::start();
    let cases = [
        (r#"{"events":[{"type":"a\u0007b","data":1}]}"#, "/events/0/type"),
        (r#"{"events":[{"type":"A","data":1,"version":0}]}"#, "/events/0/version"),
        (r#"{"events":[{"type":"A","data":1,"tags":[""]}]}"#, "/events/0/tags/0"),
        (r#"{"events":[{"type":"A","data":1,"metadata":{"who":"me"}}]}"#, "/events/0/metadata"),
        (r#"{"events":[{"type":"A"}]}"#, "/events/0"),
    ];
    for (body, pointer) in cases {
        let reply = server.post("/v1/streams/raw/1", body).send();
        assert_eq!(reply.status, 400, "{body}");
        let found = reply.body["errors"][0]["pointer"].as_str().unwrap();
        assert!(found.starts_with(pointer), "{body}: {found}");
    }
    assert_eq!(server.post("/v1/streams/raw/1", r#"{"events":[]}"#).send().status, 400);
}

#[test]
fn a_stream_is_read_in_pages_both_ways() {
    let server = Server::start();
    server.note("default", "1", 5);
    let revisions = |path: &str| {
        let body = server.get(path).send().body;
        let events = body["events"].as_array().unwrap().clone();
        let all: Vec<_> = events.iter().map(|event| event["revision"].as_u64().unwrap()).collect();
        (all, body["next"].as_u64())
    };
    assert_eq!(revisions("/v1/streams/note/1?limit=2"), (vec![1, 2], Some(2)));
    assert_eq!(revisions("/v1/streams/note/1?limit=2&after=2"), (vec![3, 4], Some(4)));
    assert_eq!(revisions("/v1/streams/note/1?after=4"), (vec![5], None));
    assert_eq!(revisions("/v1/streams/note/1?before=6&limit=2"), (vec![5, 4], Some(4)));
}

#[test]
fn a_client_that_has_the_revision_is_not_sent_it_again() {
    let server = Server::start();
    server.note("default", "1", 2);
    let tag = server.get("/v1/streams/note/1").send().header("etag").to_owned();
    let again = server.get("/v1/streams/note/1").header("if-none-match", &tag).send();
    assert_eq!((again.status, again.text.as_str()), (304, ""));
}

#[test]
fn the_metadata_of_a_stream_tells_its_length_and_times() {
    let server = Server::start();
    server.note("default", "1", 3);
    let reply = server.get("/v1/streams/note/1/metadata").send();
    assert_eq!((reply.status, &reply.body["events"]), (200, &json!(3)));
    assert_eq!(server.get("/v1/streams/note/2/metadata").send().status, 404);
}

#[test]
fn streams_are_listed_in_pages() {
    let server = Server::start();
    for id in ["a", "b", "c"] {
        server.note("default", id, 1);
    }
    let first = server.get("/v1/streams?category=note&limit=2").send();
    let next = first.body["next"].as_u64().unwrap();
    let rest = server.get(&format!("/v1/streams?limit=2&after={next}")).send();
    assert_eq!(rest.body["streams"], json!([{"category":"note","id":"c","position":3}]));
    assert_eq!(rest.body["next"], json!(null));
}
