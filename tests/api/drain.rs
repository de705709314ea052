//! A server that stops under load leaves no request without a reply.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::server::Server;

/// What clients saw.
#[derive(Default)]
struct Seen {
    replies: AtomicUsize,
    stopping: AtomicUsize,
    broken: AtomicUsize,
}

/// Sends requests until nobody listens any more, on one connection as long as it is kept or on a
/// new one each time.
fn client(address: SocketAddr, request: String, keeps: bool, seen: Arc<Seen>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500))
        {
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            while stream.write_all(request.as_bytes()).is_ok() {
                let Some(head) = reply(&mut stream) else {
                    seen.broken.fetch_add(1, Ordering::SeqCst);
                    break;
                };
                seen.replies.fetch_add(1, Ordering::SeqCst);
                if head.starts_with("HTTP/1.1 503") {
                    seen.stopping.fetch_add(1, Ordering::SeqCst);
                }
                if !keeps || head.contains("connection: close") {
                    break;
                }
            }
        }
    })
}

/// Reads a whole reply and returns its head in lower case; `None` when there is none.
fn reply(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_string();
            let lower = head.to_ascii_lowercase();
            let length = lower.split("content-length: ").nth(1)?.split("\r\n").next()?;
            if bytes.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return Some(head[..12].to_owned() + &lower[12..]);
            }
        }
        match stream.read(&mut part) {
            Ok(0) => return None,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[test]
fn a_stop_under_load_leaves_no_request_without_a_reply() {
    let mut server = Server::start();
    let address = server.api.as_ref().unwrap().address();
    let (seen, next) = (Arc::new(Seen::default()), AtomicU64::new(0));
    let clients: Vec<_> = (0..60)
        .map(|number| {
            let body = r#"{"amount":0}"#;
            let request = format!(
                "POST /v1/till/{}/pay HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                next.fetch_add(1, Ordering::SeqCst),
                server.admin.text.reveal(),
                body.len(),
            );
            client(address, request, number % 3 != 0, Arc::clone(&seen))
        })
        .collect();
    while seen.replies.load(Ordering::SeqCst) < 500 {
        std::thread::yield_now();
    }
    let began = Instant::now();
    let api = server.api.take().unwrap();
    server.runtime.block_on(api.stop());
    let took = began.elapsed();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(seen.broken.load(Ordering::SeqCst), 0, "of {:?}", seen.replies);
    assert!(seen.stopping.load(Ordering::SeqCst) > 0, "nobody was told that it stops");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_server_that_stops_tells_probes_and_new_clients_while_it_answers_the_old() {
    let mut server = Server::start();
    let address = server.api.as_ref().unwrap().address();
    let key = server.admin.text.reveal().to_owned();
    let send = |stream: &mut TcpStream, path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    };
    let ask = |stream: &mut TcpStream, path: &str| {
        send(stream, path);
        reply(stream).unwrap()
    };
    let mut old = TcpStream::connect(address).unwrap();
    assert!(!ask(&mut old, "/v1/events").contains("connection: close"));
    server.runtime.block_on(server.system.pause("tills")).unwrap();
    server.note("default", "1", 1);
    // It waits for a position that the paused read model does not reach, longer than the stop takes otherwise.
    let mut slow = TcpStream::connect(address).unwrap();
    ask(&mut slow, "/v1/events");
    send(&mut slow, "/v1/read/tills?at_least=1");
    let ready = |server: &Server| server.ask_anonymously("GET", "/v1/health/ready").send().status;
    assert_eq!(ready(&server), 200);
    let (api, runtime) = (server.api.take().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let stop = runtime.spawn(api.stop());
    while !ask(&mut TcpStream::connect(address).unwrap(), "/v1/health/ready").contains(" 503") {
        std::thread::yield_now();
    }
    let late = ask(&mut TcpStream::connect(address).unwrap(), "/v1/events");
    assert!(late.starts_with("HTTP/1.1 503") && late.contains("retry-after: 1"), "{late}");
    let last = ask(&mut old, "/v1/events");
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    assert!(reply(&mut slow).unwrap().starts_with("HTTP/1.1 504"));
    runtime.block_on(stop).unwrap();
    assert!(TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err());
}
