//! Sealed values go to the server that they were given for, and nobody else sees them.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::kit::{Front, pointer_of};
use crate::receiver::{Receiver, header, read_request};

fn at(url: &str, key: Value) -> Value {
    json!({ "target": { "kind": "webhook", "url": url, "headers": { "x-api-key": key } } })
}

#[tokio::test]
async fn a_kept_header_goes_to_no_other_server() {
    let front = Front::open().await;
    let mut body = at("http://127.0.0.1:9/hook", json!("sesame"));
    body["id"] = json!("one");
    let made = front.client.ask("POST", "/v1/endpoints", Some(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let change = async |body| front.client.ask("PUT", "/v1/endpoints/one", Some(body)).await;
    // Another port, host and scheme.
    for url in ["http://127.0.0.1:10/hook", "http://example.com:9/hook", "https://127.0.0.1:9/hook"]
    {
        let moved = change(at(url, Value::Null)).await;
        let found = (moved.status, pointer_of(&moved));
        assert_eq!(found, (400, "/target/headers/x-api-key"), "{url}: {moved:?}");
        assert!(moved.text.contains("give the value again"), "{url}: {moved:?}");
    }
    for (url, key) in [
        ("http://127.0.0.1:9/elsewhere?a=b", Value::Null),
        ("http://127.0.0.1:10/hook", json!("again")),
        ("http://127.0.0.1:10/other", Value::Null),
    ] {
        let kept = change(at(url, key)).await;
        assert_eq!(kept.status, 200, "{url}: {kept:?}");
    }
    let pulled = change(json!({ "target": { "kind": "pull" } })).await;
    assert_eq!((pulled.status, &pulled.body["code"]), (422, &json!("other-target")), "{pulled:?}");
}

/// Answers with what it was sent, in the place of a redirect too.
async fn echoing() -> Receiver {
    Receiver::doing(|mut stream, _, _| async move {
        while let Some((head, _)) = read_request(&mut stream).await? {
            let key = header(&head, "x-api-key").unwrap_or_default();
            let len = head.len();
            let answer = format!(
                "HTTP/1.1 302 Found\r\nlocation: http://a/?k={key}\r\ncontent-length: {len}\r\n\r\n\
                 {head}"
            );
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_a_receiver_echoes_shows_no_sealed_value() {
    let (front, receiver) = (Front::open().await, echoing().await);
    let mut body = at(&receiver.url(), json!("open sesame"));
    body["id"] = json!("one");
    body["target"]["headers"]["authorization"] = json!("Bearer treasure");
    let made = front.client.ask("POST", "/v1/endpoints", Some(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let tried = front.client.ask("POST", "/v1/endpoints/one/test", None).await;
    assert_eq!((tried.status, &tried.body["status"]), (200, &json!(302)), "{tried:?}");
    for shown in ["error", "response"] {
        assert!(tried.body[shown].as_str().unwrap().contains("[secret]"), "{tried:?}");
    }
    assert!(!tried.text.contains("sesame") && !tried.text.contains("treasure"), "{tried:?}");
}
