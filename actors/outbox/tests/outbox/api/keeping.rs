//! Sealed values that stay as they are go to the server that they were given for, and to no other.

use serde_json::{Value, json};

use super::kit::{Front, pointer_of};

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
        assert_eq!(moved.status, 422, "{url}: {moved:?}");
        assert!(moved.text.contains("target.headers.x-api-key"), "{url}: {moved:?}");
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
    assert_eq!(pulled.status, 200, "{pulled:?}");
    let back = change(at("http://127.0.0.1:9/hook", Value::Null)).await;
    assert_eq!((back.status, pointer_of(&back).is_empty()), (422, true), "{back:?}");
}
