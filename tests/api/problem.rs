//! Everything that goes wrong is a problem document.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Duration;

use headwater::api::keys::Scope;

use crate::server::Server;

#[test]
fn an_address_that_is_not_there_is_not_found_with_and_without_version() {
    let server = Server::start();
    for path in ["/v1/nothing", "/nothing", "/v2/events", "/v1/streams/x/y/z"] {
        let reply = server.get(path).send();
        assert_eq!((reply.status, reply.problem()), (404, "not-found"), "{path}");
        assert_eq!(reply.body["instance"], path);
    }
}

#[test]
fn another_method_is_told_which_ones_are_allowed() {
    let server = Server::start();
    let reply = server.ask("DELETE", "/v1/streams/a/b").send();
    assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD, OPTIONS, POST"));
    assert_eq!(server.ask("PUT", "/v1/till/1/pay").send().header("allow"), "OPTIONS, POST");
    assert_eq!(server.ask("POST", "/v1/health/live").send().header("allow"), "GET, HEAD, OPTIONS");
}

#[test]
fn a_body_that_is_not_json_is_an_unsupported_medium() {
    let server = Server::start();
    let reply = server.post("/v1/till/1/pay", "{}").header("content-type", "text/plain").send();
    assert_eq!((reply.status, reply.problem()), (415, "unsupported-media-type"));
    let packed = server.post("/v1/till/1/pay", "{}").header("content-encoding", "gzip").send();
    assert_eq!(packed.status, 415);
}

#[test]
fn a_client_that_takes_no_json_is_told_so() {
    let server = Server::start();
    assert_eq!(server.get("/v1/events").header("accept", "text/html").send().status, 406);
    let refusing = server.get("/v1/events").header("accept", "application/json;q=0").send();
    assert_eq!(refusing.status, 406);
    for fine in ["*/*", "application/json", "text/html, application/*;q=0.1"] {
        assert_eq!(server.get("/v1/events").header("accept", fine).send().status, 200, "{fine}");
    }
}

#[test]
fn a_body_over_the_bound_is_too_large_stated_or_not() {
    let server = Server::start_with(|config| config.limits.command_bytes_max = 100);
    let big = format!("{{\"amount\":{}1}}", " ".repeat(100));
    let reply = server.post("/v1/till/1/pay", &big).send();
    assert_eq!((reply.status, reply.problem()), (413, "body-too-large"));
    let chunked = format!(
        "POST /v1/till/1/pay HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{big}\r\n0\r\n\r\n",
        server.admin.text.reveal(),
        big.len(),
    );
    assert!(raw(&server, &chunked).starts_with("HTTP/1.1 413"));
}

#[test]
fn a_body_that_comes_too_slowly_is_given_up() {
    let server =
        Server::start_with(|config| config.limits.body_timeout = Duration::from_millis(50));
    let half = format!(
        "POST /v1/till/1/pay HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        server.admin.text.reveal(),
    );
    let reply = raw(&server, &half);
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    assert!(reply.contains("urn:headwater:problem:body-timeout"), "{reply}");
}

#[test]
fn a_body_that_nobody_reads_does_not_hold_the_connection() {
    let server = Server::start();
    let reader = server.key("default", &[Scope::Read]);
    let half = format!(
        "POST /v1/till/1/pay HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        reader.text.reveal(),
    );
    assert!(raw(&server, &half).starts_with("HTTP/1.1 403"));
}

#[test]
fn a_body_nested_too_deep_is_refused() {
    let server = Server::start();
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    let reply = server.post("/v1/till/1/pay", &deep).send();
    assert!(reply.body["detail"].as_str().unwrap().contains("deeper than 64"));
}

#[test]
fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let server = Server::start_with(|config| {
        config.limits.rate_per_second = NonZeroU32::new(1);
        config.limits.rate_burst = NonZeroU32::new(2).unwrap();
    });
    let first = server.get("/v1/events").send();
    assert_eq!(first.header("ratelimit-policy"), "\"key\";q=2;w=2");
    assert_eq!(first.header("ratelimit"), "\"key\";r=1");
    let replies: Vec<_> = (0..3).map(|_| server.get("/v1/events").send()).collect();
    let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!((refused.problem(), refused.header("ratelimit")), ("rate-limited", "\"key\";r=0"));
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
}

#[test]
fn an_unknown_parameter_is_named() {
    let server = Server::start();
    let reply = server.get("/v1/events?limt=3").send();
    assert_eq!((reply.status, reply.problem()), (400, "invalid-request"));
    assert_eq!(reply.body["errors"][0]["pointer"], "query:limt");
}

#[test]
fn replies_carry_the_security_headers() {
    let server = Server::start();
    let reply = server.get("/v1/events").send();
    assert_eq!(
        reply.header("content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'"
    );
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("access-control-allow-origin"), "");
}

/// Sends bytes as they are and reads until the server closes.
fn raw(server: &Server, bytes: &str) -> String {
    let mut stream = TcpStream::connect(server.api.as_ref().unwrap().address()).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}
