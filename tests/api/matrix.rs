//! Every route against every kind of key: nothing is open that should not be.

use headwater::api::keys::{KeyText, Scope};
use serde_json::Value;

use crate::server::Server;

/// Addresses that need no key; everything else must refuse without one.
const OPEN: [&str; 4] = ["/v1/health/live", "/v1/health/ready", "/v1/openapi.json", "/v1/docs/"];

/// Lists method, address and needed scope of every documented route.
fn routes(server: &Server) -> Vec<(String, String, Option<String>)> {
    let mut routes = Vec::new();
    for (path, item) in server.document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["key"][0].as_str().map(str::to_owned);
            routes.push((method.to_uppercase(), filled(path), scope));
        }
    }
    routes
}

fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[test]
fn without_a_good_key_only_the_open_routes_answer() {
    let server = Server::start();
    // In good form, so that it is looked up and not found.
    let wrong = KeyText::fresh().unwrap();
    for (method, path, scope) in routes(&server) {
        let none = server.ask_anonymously(&method, &path).json("{}").send();
        let bad = server.ask_anonymously(&method, &path).json("{}").key(wrong.reveal()).send();
        let is_open = OPEN.contains(&path.as_str());
        assert_eq!(scope.is_none(), is_open, "{method} {path}");
        let expected = if is_open { [200, 200] } else { [401, 401] };
        assert_eq!([none.status, bad.status], expected, "{method} {path}");
    }
}

#[test]
fn a_key_opens_exactly_the_routes_of_its_scope() {
    let server = Server::start();
    for scope in Scope::ALL {
        let key = server.key("default", &[scope]);
        for (method, path, needed) in routes(&server) {
            let Some(needed) = needed else { continue };
            if path == "/v1/events/subscribe" && needed == scope.as_str() {
                continue; // Never ends by itself; its own tests open it.
            }
            let reply = server.ask(&method, &path).json("{}").key(key.text.reveal()).send();
            let is_refused = reply.status == 403;
            assert_eq!(is_refused, needed != scope.as_str(), "{scope} {method} {path}");
        }
    }
}

#[test]
fn another_tenants_key_sees_and_changes_nothing() {
    let server = Server::start();
    server.note("default", "1", 3);
    server.post("/v1/till/1/pay", r#"{"amount":5}"#).send();
    let other = server.key("other", &Scope::ALL);
    let get = |path: &str| server.get(path).key(other.text.reveal()).send();
    assert_eq!(get("/v1/streams/note/1").status, 404);
    assert_eq!(get("/v1/streams/note/1/metadata").status, 404);
    assert_eq!(get("/v1/events").body["events"], Value::Array(Vec::new()));
    assert_eq!(get("/v1/streams").body["streams"], Value::Array(Vec::new()));
    let paid = server.post("/v1/till/1/pay", r#"{"amount":5}"#).key(other.text.reveal()).send();
    assert_eq!(paid.body["revision"], 1, "the other tenant's till is another till");
    assert_eq!(server.get("/v1/streams/till/1").send().body["revision"], 1);
}

#[test]
fn an_address_that_is_not_there_says_nothing_without_a_key() {
    let server = Server::start();
    for path in ["/v1/nothing", "/v1/till/1/steal", "/v1/noop"] {
        assert_eq!(server.ask_anonymously("POST", path).send().status, 401, "{path}");
    }
}

#[test]
fn the_route_for_benches_is_there_only_when_asked_for() {
    let closed = Server::start();
    assert_eq!(closed.post("/v1/noop", "{}").send().status, 404);
    let open = Server::start_with(|config| config.bench_routes = true);
    assert_eq!(open.post("/v1/noop", "{}").send().status, 204);
}
