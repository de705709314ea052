//! Endpoints that are asked whether they want deliveries.

use std::net::SocketAddr;

use headwater::api::keys::{self, KeyRequest, Scope};
use headwater::api::{ApiConfig, ApiServer, serve};
use headwater::event::Tenant;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::kit::World;
use crate::receiver::{Receiver, Request, header, read_request};

/// A system with its API, and the key of an admin.
struct Asking {
    world: World,
    api: ApiServer,
    key: String,
}

impl Asking {
    async fn start() -> Self {
        let world = World::start().await;
        let mut config =
            ApiConfig { address: "127.0.0.1:0".parse().unwrap(), ..Default::default() };
        config.workers = 1;
        let api = serve(world.system.clone(), config).await.unwrap();
        let (tenant, scopes) = (Tenant::default_tenant(), Scope::ALL.to_vec());
        let request = KeyRequest { tenant, name: "test".into(), scopes, expires_at: None };
        let key = keys::create(&world.database, request, Timestamp::now()).await.unwrap();
        Self { world, api, key: key.text.reveal().to_owned() }
    }

    /// Registers an endpoint `one`, or changes it; returns the reply.
    async fn send(&self, method: &str, url: &str) -> String {
        let target = format!("{{\"kind\":\"webhook\",\"url\":\"{url}\",\"handshake\":true}}");
        let (path, body) = match method {
            "POST" => ("", format!("{{\"id\":\"one\",\"target\":{target}}}")),
            _ => ("/one", format!("{{\"target\":{target}}}")),
        };
        ask(self.api.address(), &format!(
            "{method} /v1/endpoints{path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.key,
            body.len()
        ))
        .await
    }
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let (mut stream, mut reply) = (TcpStream::connect(address).await.unwrap(), String::new());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

/// A receiver that answers OPTIONS with these headers, and takes everything else.
async fn answering(headers: &'static str) -> Receiver {
    Receiver::doing(move |mut stream, seen, connection| async move {
        while let Some((head, body)) = read_request(&mut stream).await? {
            let own = if head.starts_with("OPTIONS ") { headers } else { "" };
            let answer = format!("HTTP/1.1 200 OK\r\n{own}content-length: 0\r\n\r\n");
            let _ = seen.send(Request { head, body, connection });
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    })
    .await
}

const ORIGIN: Option<&str> = Some("events.example.com");
const ALLOWING: &str =
    "webhook-allowed-origin: events.example.com\r\nwebhook-allowed-rate: 600\r\n";

#[tokio::test]
async fn an_endpoint_that_allows_deliveries_gets_them_with_the_name_and_at_the_rate_it_was_told() {
    let (asking, mut receiver) = (Asking::start().await, answering(ALLOWING).await);
    let reply = asking.send("POST", &receiver.url()).await;
    assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
    let asked = receiver.seen.recv().await.unwrap();
    assert!(asked.head.starts_with("OPTIONS /hook "), "{}", asked.head);
    assert_eq!(header(&asked.head, "webhook-request-origin"), ORIGIN);
    let kept = "select count(*) from outbox_endpoints where data like '%\"per_minute\":600%'";
    asking.world.until(kept, 1).await;
    asking.world.append("a", 12).await;
    let began = std::time::Instant::now();
    for _ in 0..12 {
        let got = receiver.seen.recv().await.unwrap();
        assert!(got.head.starts_with("POST /hook "), "{}", got.head);
        assert_eq!(header(&got.head, "webhook-request-origin"), ORIGIN);
    }
    assert!(began.elapsed().as_millis() >= 1_000, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_endpoint_that_does_not_allow_deliveries_is_refused_with_the_field() {
    let (asking, receiver) = (Asking::start().await, answering("").await);
    let reply = asking.send("POST", &receiver.url()).await;
    assert!(reply.starts_with("HTTP/1.1 4"), "{reply}");
    for words in ["/target/handshake", "webhook-allowed-origin"] {
        assert!(reply.contains(words), "{reply}");
    }
}

#[tokio::test]
async fn an_endpoint_is_asked_again_when_its_address_changes_and_only_then() {
    let asking = Asking::start().await;
    let (mut old, mut new) = (answering(ALLOWING).await, answering(ALLOWING).await);
    assert!(asking.send("POST", &old.url()).await.starts_with("HTTP/1.1 201 "));
    asking.world.until("select count(*) from outbox_cursors", 1).await;
    for _ in 0..2 {
        assert!(asking.send("PUT", &old.url()).await.starts_with("HTTP/1.1 200 "));
    }
    assert!(asking.send("PUT", &new.url()).await.starts_with("HTTP/1.1 200 "));
    assert_eq!((old.unseen(), new.unseen()), (1, 1));
}
