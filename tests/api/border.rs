//! The border: what no address takes, and that both engines say the same of it.

use std::net::SocketAddr;

use headwater::test::attack::{Attack, attacks, status};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::server::Server;

fn address(server: &Server) -> SocketAddr {
    server.api.as_ref().unwrap().address()
}

#[test]
fn every_address_answers_every_attack_alike_on_both_engines_and_never_breaks() {
    let mut told: Vec<Vec<u16>> = Vec::new();
    let mut list: Vec<Attack> = Vec::new();
    for server in Server::start_on_each_engine() {
        let document = server.get("/v1/openapi.json").send().body;
        list = attacks(&document);
        // A subscription that is granted never ends by itself, and is of no engine.
        list.retain(|attack| attack.method != "GET" || !attack.target.contains("/subscribe"));
        let key = server.admin.text.reveal();
        told.push(list.iter().map(|own| status(address(&server), key, own)).collect());
    }
    assert!(list.len() > 1_000, "{}", list.len());
    for (at, attack) in list.iter().enumerate() {
        let statuses = [told[0][at], told[1][at]];
        assert_eq!(statuses[0], statuses[1], "{attack:?}");
        assert!((200..500).contains(&statuses[0]), "{statuses:?} {attack:?}");
    }
}

#[test]
fn no_address_holds_nul_or_bytes_that_are_no_utf_8() {
    for server in Server::start_on_each_engine() {
        for path in ["/v1/read/tills/a%00b", "/v1/streams/note/a%00b", "/v1/read/tills?level=%00"] {
            let reply = server.get(path).send();
            assert_eq!((reply.status, reply.problem()), (400, "invalid-request"), "{path}");
            assert!(reply.body["detail"].as_str().unwrap().contains("NUL"), "{path}");
        }
        for path in ["/v1/streams/note/%ff", "/v1/streams/note/%fe", "/v1/events?category=%ff"] {
            assert_eq!(server.get(path).send().status, 400, "{path}");
        }
        let append = r#"{"events":[{"type":"Noted","data":{}}]}"#;
        assert_eq!(server.post("/v1/streams/note/%ff", append).send().status, 400);
        assert_eq!(server.post("/v1/streams/note/%EF%BF%BD", append).send().status, 201);
        assert_eq!(server.get("/v1/streams/note/%EF%BF%BD").send().status, 200);
    }
}

#[test]
fn data_of_an_event_may_hold_any_text_and_comes_back_byte_for_byte() {
    let server = Server::start();
    let data = r#"{"a":"x\u0000y","b":"\ud800","c":1e400,"a":2}"#;
    let append = format!("{{\"events\":[{{\"type\":\"Noted\",\"data\":{data}}}]}}");
    assert_eq!(server.post("/v1/streams/note/odd", &append).send().status, 201);
    assert!(server.get("/v1/streams/note/odd").send_unread().text.contains(data));
    let twice = r#"{"events":[{"type":"Noted","data":{"a":1},"data":{"a":2}}]}"#;
    let refused = server.post("/v1/streams/note/odd", twice).send();
    assert_eq!((refused.status, refused.pointer()), (400, "/events/0/data"));
}

#[test]
fn dots_name_no_new_stream_at_any_door() {
    let server = Server::start();
    let append = r#"{"events":[{"type":"Noted","data":{}}]}"#;
    for path in ["/v1/streams/note/%2E%2E", "/v1/streams/note/%2e", "/v1/streams/%2e%2e/a"] {
        let target = path.to_owned();
        let body = Some(append.to_owned());
        let attack = Attack { method: "POST".to_owned(), target, header: None, body };
        assert_eq!(status(address(&server), server.admin.text.reveal(), &attack), 400, "{path}");
    }
    for id in [".", ".."] {
        let body = json!({"streams": [{"category": "note", "id": id, "events": [
            {"type": "Noted", "data": {}}
        ]}]});
        let reply = server.post("/v1/streams", &body.to_string()).send();
        assert_eq!((reply.status, reply.pointer()), (400, "/streams/0/id"));
    }
    assert_eq!(server.get("/v1/streams").send().body["streams"], Value::Array(Vec::new()));
}

#[test]
fn the_location_of_every_stream_that_is_taken_leads_back_to_it() {
    let server = Server::start();
    let fixed = ["..", ".", "...", "%2e%2e", "a/b", "?", "#a", "%", "+", ";x=1", " ", "a b ", "\\"];
    let fixed = fixed.into_iter().chain(["é", "e\u{301}", "\u{FFFD}", "😀", "metadata", "a\tb"]);
    for id in fixed {
        leads_back(&server, id);
    }
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    runner
        .run(&"[\\PC./%?#+;& \\\\]{1,12}", |id| {
            leads_back(&server, &id);
            Ok(())
        })
        .unwrap();
}

/// Appends to a stream, and reads it at its `Location` as a client that tidies addresses does.
fn leads_back(server: &Server, id: &str) {
    let path = format!("/v1/streams/note/{}", headwater::page::path_part(id));
    let append = r#"{"events":[{"type":"Noted","data":{}}]}"#;
    let target = Attack { method: "POST".into(), target: path, header: None, body: None };
    let body = Some(append.to_owned());
    let taken = status(address(server), server.admin.text.reveal(), &Attack { body, ..target });
    if taken == 400 {
        return;
    }
    assert_eq!(taken, 201, "{id:?}");
    let path = format!("/v1/streams/note/{}", headwater::page::path_part(id));
    let reply = server.post(&path, append).send();
    let base = url::Url::parse(&server.url("/")).unwrap();
    let place = base.join(reply.header("location")).unwrap();
    let read = server.get(place.path()).send();
    assert_eq!((read.status, &read.body["events"][0]["stream"]), (200, &json!(id)), "{place}");
}
