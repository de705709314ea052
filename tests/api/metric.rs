//! `GET /metrics`.

use std::collections::BTreeSet;

use headwater::api::keys::Scope;

use crate::server::Server;

#[test]
fn the_numbers_of_the_node_are_told_in_the_text_format_of_prometheus() {
    let server = Server::start();
    server.note("default", "1", 3);
    let reply = server.get("/metrics").header("accept", "text/plain;version=0.0.4").send();
    assert_eq!((reply.status, reply.header("content-type")), (200, FORMAT));
    assert!(reply.text.contains("\nheadwater_log_position 3\n"), "{}", reply.text);
    assert!(reply.text.contains("headwater_projection_lag_events{projection=\"tills\"}"));
    let mut told = BTreeSet::new();
    for line in reply.text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let name = kind.split(' ').next().unwrap().to_owned();
            assert!(told.insert(name.clone()), "{name} is told twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(name.starts_with("headwater_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn metrics_are_for_the_operators_tenant() {
    let server = Server::start();
    let other = server.key("other", &Scope::ALL);
    assert_eq!(server.get("/metrics").key(other.text.reveal()).send().status, 403);
    let reader = server.key("default", &[Scope::Read]);
    assert_eq!(server.get("/metrics").key(reader.text.reveal()).send().status, 200);
}

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
