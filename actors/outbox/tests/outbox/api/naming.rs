//! Ids of endpoints that addresses have to spell in another way.

use serde_json::json;

use super::kit::{Front, pointer_of};

const ID: &str = "50% a+b?\u{e9}";
const PART: &str = "50%25%20a%2Bb%3F%C3%A9";

#[tokio::test]
async fn an_endpoint_of_any_name_is_found_under_the_address_that_its_registration_gives() {
    let front = Front::open().await;
    let reply = front.register(ID, "http://127.0.0.1:9/hook").await;
    let place = format!("/v1/endpoints/{PART}");
    assert!(reply.head.contains(&format!("\r\nlocation: {place}\r\n")), "{}", reply.head);
    let shown = front.get(&format!("{place}?at_least={}", reply.body["position"])).await;
    assert_eq!((&shown["id"], &shown["phase"]), (&json!(ID), &json!("active")));
    let pause = json!({ "reason": "for now" });
    let paused = front.client.ask("POST", &format!("{place}/pause"), Some(pause)).await;
    assert_eq!(paused.status, 200, "{paused:?}");
    let at = paused.body["position"].as_u64().unwrap();
    assert_eq!(front.get(&format!("{place}?at_least={at}")).await["phase"], "paused");
    let page = front.client.page_of(&format!("/ui/outbox/{PART}")).await;
    let parts = [ID, "for now", &format!("action=\"/ui/outbox/{PART}/resume\"")];
    assert!(parts.iter().all(|part| page.contains(part)), "{page}");
    let removed = front.client.ask("DELETE", &place, None).await;
    let at = removed.body["position"].as_u64().unwrap();
    let gone = front.client.ask("GET", &format!("{place}?at_least={at}"), None).await;
    assert_eq!((removed.status, gone.status), (200, 404));
}

#[tokio::test]
async fn an_id_that_clients_resolve_to_another_address_is_refused() {
    let front = Front::open().await;
    for id in [".", "..", "", "a/b", "a\u{7}"] {
        let body = json!({ "id": id, "target": { "kind": "pull" } });
        let reply = front.client.ask("POST", "/v1/endpoints", Some(body)).await;
        assert_eq!((reply.status, pointer_of(&reply)), (400, "/id"), "{id:?}: {reply:?}");
    }
}
