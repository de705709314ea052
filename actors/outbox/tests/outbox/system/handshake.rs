//! Endpoints that are asked whether they want deliveries.

use tokio::io::AsyncWriteExt;

use super::asking::Asking;
use crate::receiver::{Receiver, Request, header, read_request};

/// Registers an endpoint `one`, or changes it; returns the reply.
async fn send(asking: &Asking, method: &str, url: &str) -> String {
    let target = format!("{{\"kind\":\"webhook\",\"url\":\"{url}\",\"handshake\":true}}");
    let (path, body) = match method {
        "POST" => ("", format!("{{\"id\":\"one\",\"target\":{target}}}")),
        _ => ("/one", format!("{{\"target\":{target}}}")),
    };
    asking.ask(method, path, &body).await
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
    let reply = send(&asking, "POST", &receiver.url()).await;
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
    let reply = send(&asking, "POST", &receiver.url()).await;
    assert!(reply.starts_with("HTTP/1.1 4"), "{reply}");
    for words in ["/target/handshake", "webhook-allowed-origin"] {
        assert!(reply.contains(words), "{reply}");
    }
}

#[tokio::test]
async fn an_endpoint_is_asked_again_when_its_address_changes_and_only_then() {
    let asking = Asking::start().await;
    let (mut old, mut new) = (answering(ALLOWING).await, answering(ALLOWING).await);
    assert!(send(&asking, "POST", &old.url()).await.starts_with("HTTP/1.1 201 "));
    asking.world.until("select count(*) from outbox_cursors", 1).await;
    for _ in 0..2 {
        assert!(send(&asking, "PUT", &old.url()).await.starts_with("HTTP/1.1 200 "));
    }
    assert!(send(&asking, "PUT", &new.url()).await.starts_with("HTTP/1.1 200 "));
    assert_eq!((old.unseen(), new.unseen()), (1, 1));
}
