//! What bodies and replies hold in memory is bounded, and fair among tenants.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use headwater::api::ApiLimits;
use headwater::api::keys::Scope;
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::server::Server;

/// A tenant may hold 7.5 MiB, two of the pages below.
fn small(limits: &mut ApiLimits) {
    limits.memory_bytes_max = 15 << 20;
    limits.reply_timeout = Duration::from_secs(1);
}

/// Appends so much that a page of it has 3.5 MiB.
fn fill(server: &Server, key: &str) {
    for _ in 0..8 {
        let data = "x".repeat(512 << 10);
        let body = json!({"events":[{"type":"Big","data":data}]}).to_string();
        let made = server.post("/v1/streams/big/1", &body).key(key).send();
        assert_eq!(made.status, 201);
    }
}

/// Asks for a page and takes nothing of it.
fn ask_and_never_read(server: &Server, key: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let address: SocketAddr = server.api.as_ref().unwrap().address();
    socket.connect(&address.into()).unwrap();
    let mut stream: TcpStream = socket.into();
    let head = "GET /v1/events?limit=1000 HTTP/1.1\r\nhost: x\r\n";
    stream.write_all(format!("{head}authorization: Bearer {key}\r\n\r\n").as_bytes()).unwrap();
    stream
}

#[test]
#[cfg(target_os = "linux")]
fn replies_that_nobody_reads_are_bounded_and_end() {
    let server = Server::start_with(|config| small(&mut config.limits));
    let scopes = [Scope::Read, Scope::Write];
    let (greedy, modest) = (server.key("greedy", &scopes), server.key("modest", &scopes));
    let (greedy, modest) = (greedy.text.reveal(), modest.text.reveal());
    fill(&server, greedy);
    fill(&server, modest);
    let _held = [ask_and_never_read(&server, greedy), ask_and_never_read(&server, greedy)];
    let ask = |key: &str| server.get("/v1/events?limit=1000").key(key).send();
    let refused = loop {
        let reply = ask(greedy);
        if reply.status != 200 {
            break reply;
        }
    };
    assert_eq!((refused.status, refused.problem()), (429, "rate-limited"));
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(ask(modest).status, 200, "another tenant has its own part");
    // The system ends connections that take nothing, and what they held is free again.
    while ask(greedy).status != 200 {}
}

#[test]
fn bodies_under_way_are_bounded_and_another_tenant_is_not_held_up() {
    let server = Server::start_with(|config| {
        small(&mut config.limits);
        config.limits.body_timeout = Duration::from_secs(2);
    });
    let (greedy, modest) =
        (server.key("greedy", &[Scope::Write]), server.key("modest", &[Scope::Write]));
    let (greedy, modest) = (greedy.text.reveal(), modest.text.reveal());
    let mut slow = TcpStream::connect(server.api.as_ref().unwrap().address()).unwrap();
    let head = "POST /v1/streams/big/1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let rest = format!("authorization: Bearer {greedy}\r\ncontent-length: 2300000\r\n\r\n{{");
    slow.write_all(format!("{head}{rest}").as_bytes()).unwrap();
    let body = json!({"events":[{"type":"Big","data":"x".repeat(900 << 10)}]}).to_string();
    let post = |key: &str| server.post("/v1/streams/big/2", &body).key(key).send();
    let refused = loop {
        let reply = post(greedy);
        if reply.status != 201 {
            break reply;
        }
    };
    assert_eq!((refused.status, refused.problem()), (429, "rate-limited"));
    assert_eq!(post(modest).status, 201);
    // Who sends nothing has its time, and what it held is free again.
    while post(greedy).status != 201 {}
}
