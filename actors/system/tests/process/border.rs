//! The border of the whole program: hostile requests to every address of it, on both engines, and
//! a request to end under load.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headwater::test::attack::{attacks, status};
use serde_json::json;

use super::harness::{Folder, Place, Server};

/// With a key for secrets, which a program on PostgreSQL does not make by itself.
const ARGS: [&str; 6] = [
    "--data-dir",
    "data",
    "--limits-rate-per-second",
    "0",
    "--outbox-key",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
];

#[test]
fn every_address_answers_every_attack_alike_on_both_engines_and_the_program_stays_well() {
    let (place, folders) = (Place::new(), [Folder::new(), Folder::new()]);
    let servers = [
        Server::start(&folders[0], &ARGS),
        Server::start(&folders[1], &[&ARGS[..], &place.both()].concat()),
    ];
    let mut list = attacks(&servers[0].client.get("/v1/openapi.json"));
    // A subscription that is granted never ends by itself, and is of no engine.
    list.retain(|attack| attack.method != "GET" || !attack.target.contains("/subscribe"));
    assert!(list.len() > 3_000, "{}", list.len());
    for attack in &list {
        let told = servers
            .each_ref()
            .map(|server| status(server.address.parse().unwrap(), server.client.key(), attack));
        assert_eq!(told[0], told[1], "{attack:?}");
        assert!((200..500).contains(&told[0]), "{told:?} {attack:?}");
    }
    for server in servers {
        for projection in server.client.get("/v1/projections")["projections"].as_array().unwrap() {
            assert_eq!(projection["state"], "running", "{projection}");
        }
        server.stop();
    }
}

#[test]
fn an_endpoint_is_set_up_by_objects_whose_texts_every_engine_can_hold() {
    let folder = Folder::new();
    let server = Server::start(&folder, &ARGS);
    let hook = r#"{"kind":"webhook","url":"https://example.com/hook"}"#;
    for (body, pointer) in [
        (
            r#"{"target":{"kind":"webhook","url":"https://example.com/\u0000"}}"#.to_owned(),
            "/target/url",
        ),
        (format!(r#"{{"id":"a\u0000","target":{hook}}}"#), "/id"),
        (format!(r#"{{"description":"\ud800","target":{hook}}}"#), "/description"),
        (r#"{"target":["webhook","https://example.com/hook"]}"#.to_owned(), "/target"),
        (format!(r#"["a",null,null,null,null,{hook}]"#), ""),
        (format!(r#"{{"filter":[],"target":{hook}}}"#), "/filter"),
        (format!(r#"{{"batch":[10],"target":{hook}}}"#), "/batch"),
        (format!(r#"{{"id":"b","id":"c","target":{hook}}}"#), "/id"),
        (format!(r#"{{"id":"..","target":{hook}}}"#), "/id"),
    ] {
        let reply = server.client.send_json("POST", "/v1/endpoints", &body);
        let told = reply.body["errors"][0]["pointer"].as_str().unwrap_or("none");
        assert_eq!((reply.status, told), (400, pointer), "{body}: {}", reply.body);
    }
    assert_eq!(server.client.get("/v1/endpoints")["endpoints"], json!([]));
    server.stop();
}

#[test]
fn a_request_to_end_under_load_leaves_no_request_without_a_reply() {
    let folder = Folder::new();
    let server = Server::start(&folder, &ARGS);
    let seen: Arc<[AtomicUsize; 2]> = Arc::default();
    let clients: Vec<_> = (0..60)
        .map(|number| {
            let (seen, address) = (Arc::clone(&seen), server.address.clone());
            let body = r#"{"description":"A MUG"}"#;
            let attack = format!(
                "POST /v1/product/{number}/add HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                server.client.key(),
                body.len()
            );
            std::thread::spawn(move || send_until_nobody_listens(&address, &attack, &seen))
        })
        .collect();
    while seen[0].load(Ordering::SeqCst) < 2_000 {
        std::thread::yield_now();
    }
    server.stop();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(seen[1].load(Ordering::SeqCst), 0, "of {:?}", seen[0]);
}

/// Sends a request again and again, counting replies and requests without one; a connection is
/// used as long as it is kept.
fn send_until_nobody_listens(address: &str, request: &str, seen: &[AtomicUsize; 2]) {
    let address = address.parse().unwrap();
    while let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        while stream.write_all(request.as_bytes()).is_ok() {
            let Some(head) = reply(&mut stream) else {
                seen[1].fetch_add(1, Ordering::SeqCst);
                break;
            };
            seen[0].fetch_add(1, Ordering::SeqCst);
            if head.contains("connection: close") {
                break;
            }
        }
    }
}

/// Reads a whole reply and returns its head in lower case.
fn reply(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?;
            if bytes.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return Some(head);
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
}
