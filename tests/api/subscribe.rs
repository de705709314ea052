//! `GET /v1/events/subscribe`: server-sent events.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use headwater::api::keys::{NewKey, Scope};

use crate::server::Server;

/// A client of server-sent events, on a connection of its own.
struct Listener(BufReader<TcpStream>);

impl Listener {
    fn open(server: &Server, path: &str, headers: &str) -> Self {
        Self::open_as(server, &server.admin, path, headers)
    }

    fn open_as(server: &Server, key: &NewKey, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.api.as_ref().unwrap().address()).unwrap();
        let key = key.text.reveal();
        let head = format!("GET {path} HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {key}\r\n");
        stream.write_all(format!("{head}{headers}\r\n").as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// Reads on until a line begins with a text, and returns the line.
    fn line(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            let len = self.0.read_line(&mut line).unwrap();
            assert!(len > 0, "stream ended before {begin:?}");
            if line.starts_with(begin) {
                return line.trim_end().to_owned();
            }
        }
    }
}

#[test]
fn a_subscriber_catches_up_and_then_follows() {
    let server = Server::start();
    server.note("default", "1", 2);
    let mut listener = Listener::open(&server, "/v1/events/subscribe", "");
    assert_eq!(listener.line("id:"), "id: 1");
    assert_eq!(listener.line("id:"), "id: 2");
    assert_eq!(listener.line("event: c"), "event: caught_up");
    server.note("default", "1", 1);
    assert_eq!(listener.line("event: e"), "event: event");
    assert_eq!(listener.line("id:"), "id: 3");
    assert!(listener.line("data:").contains("\"type\":\"Noted\""));
}

#[test]
fn a_subscriber_that_comes_back_goes_on_behind_the_last_event_it_saw() {
    let server = Server::start();
    server.note("default", "1", 3);
    let mut listener =
        Listener::open(&server, "/v1/events/subscribe?after=0", "last-event-id: 2\r\n");
    assert_eq!(listener.line("id:"), "id: 3");
}

#[test]
fn a_subscriber_sees_only_its_tenant_and_what_it_asked_for() {
    let server = Server::start();
    server.note("other", "1", 2);
    server.note("default", "1", 1);
    server
        .post(
            "/v1/streams/raw/1",
            r#"{"events":[{"type":"B","data":{"a":
        1}}]}"#,
        )
        .send();
    let mut listener = Listener::open(&server, "/v1/events/subscribe?type=B", "");
    assert_eq!(listener.line("id:"), "id: 4");
    let data = listener.line("data:");
    let event: serde_json::Value = serde_json::from_str(&data["data: ".len()..]).unwrap();
    assert_eq!(event["data"]["a"], 1);
}

#[test]
fn a_silent_subscription_says_that_it_is_alive() {
    let server = Server::start_with(|config| config.limits.heartbeat = Duration::from_millis(20));
    let mut listener = Listener::open(&server, "/v1/events/subscribe", "");
    listener.line("event: caught_up");
    assert_eq!(listener.line(": alive"), ": alive");
}

#[test]
fn subscribers_beyond_the_bound_are_refused() {
    let server = Server::start_with(|config| config.limits.subscribers_max = 1);
    let mut first = Listener::open(&server, "/v1/events/subscribe", "");
    first.line("event: caught_up");
    let refused = server.get("/v1/events/subscribe").send();
    assert_eq!((refused.status, refused.problem()), (503, "overloaded"));
}

#[test]
fn a_key_takes_no_more_subscribers_than_its_part() {
    let server = Server::start_with(|config| config.limits.subscribers_per_key_max = 2);
    let mut held: Vec<_> =
        (0..2).map(|_| Listener::open(&server, "/v1/events/subscribe", "")).collect();
    held.iter_mut().for_each(|listener| drop(listener.line("event: caught_up")));
    let refused = server.get("/v1/events/subscribe").send();
    assert_eq!((refused.status, refused.problem()), (503, "overloaded"));
    assert!(refused.body["detail"].as_str().unwrap().contains("this key has 2"));
    let other = server.key("default", &[Scope::Read]);
    let mut listener = Listener::open_as(&server, &other, "/v1/events/subscribe", "");
    listener.line("event: caught_up");
}

#[test]
fn a_tenant_takes_no_more_subscribers_than_its_part() {
    let server = Server::start_with(|config| config.limits.subscribers_per_tenant_max = 2);
    let keys: Vec<_> = (0..3).map(|_| server.key("greedy", &[Scope::Read])).collect();
    let mut held: Vec<_> = keys
        .iter()
        .take(2)
        .map(|key| Listener::open_as(&server, key, "/v1/events/subscribe", ""))
        .collect();
    held.iter_mut().for_each(|listener| drop(listener.line("event: caught_up")));
    let refused = server.get("/v1/events/subscribe").key(keys[2].text.reveal()).send();
    assert_eq!((refused.status, refused.problem()), (503, "overloaded"));
    let mut other = Listener::open(&server, "/v1/events/subscribe", "");
    other.line("event: caught_up");
}

#[test]
fn whatever_subscribers_take_the_operators_pages_have_places() {
    let server = Server::start_with(|config| config.limits.subscribers_max = 8);
    let mut held = Vec::new();
    for tenant in ["a", "b", "default"] {
        for _ in 0..2 {
            let key = server.key(tenant, &[Scope::Read]);
            let mut listener = Listener::open_as(&server, &key, "/v1/events/subscribe", "");
            listener.line("event: caught_up");
            held.push(listener);
        }
    }
    assert_eq!(server.get("/v1/events/subscribe").send().problem(), "overloaded");
    let accept = "accept: text/event-stream\r\n";
    let reader = server.key("default", &[Scope::Read]);
    let mut refused = Listener::open_as(&server, &reader, "/ui/visitors", accept);
    refused.line("HTTP/1.0 503");
    let mut page = Listener::open(&server, "/ui/visitors", accept);
    page.line("HTTP/1.0 200");
}

#[test]
fn a_place_beyond_the_end_is_refused_not_waited_for() {
    let server = Server::start();
    assert_eq!(server.get("/v1/events/subscribe?after=9").send().status, 400);
    let reply = server.get("/v1/events/subscribe").header("last-event-id", "x").send();
    assert_eq!(reply.body["errors"][0]["pointer"], "header:last-event-id");
}

#[test]
fn a_revoked_key_ends_its_subscription() {
    let server = Server::start_with(|config| config.limits.heartbeat = Duration::from_millis(20));
    let mut listener = Listener::open(&server, "/v1/events/subscribe", "");
    listener.line("event: caught_up");
    let id = server.admin.info.id.clone();
    assert_eq!(server.ask("DELETE", &format!("/v1/keys/{id}")).send().status, 204);
    let mut rest = Vec::new();
    listener.0.read_to_end(&mut rest).unwrap();
}

#[test]
fn a_stopping_server_ends_its_subscriptions() {
    let mut server = Server::start();
    let mut listener = Listener::open(&server, "/v1/events/subscribe", "");
    listener.line("event: caught_up");
    server.runtime.block_on(server.api.take().unwrap().stop());
    let mut rest = Vec::new();
    listener.0.read_to_end(&mut rest).unwrap();
}
