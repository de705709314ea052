//! Requests that name what is not there, or not known, or not for them.

use headwater::api::keys::Scope;
use serde_json::{Value, json};

use super::kit::{Front, pointer_of};

/// What asks about an endpoint and changes nothing.
const ASKING: [(&str, &str); 8] = [
    ("GET", ""),
    ("GET", "/attempts"),
    ("GET", "/dead-letters"),
    ("GET", "/retries"),
    ("POST", "/redrive"),
    ("POST", "/skip"),
    ("POST", "/discard"),
    ("POST", "/test"),
];

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_not_found_and_one_just_registered_is() {
    let front = Front::open().await;
    front.world.append("a", 1).await;
    let trial = json!({ "selection": { "all": true }, "dry_run": true });
    for round in 0..10 {
        let id = format!("e{round}");
        let position =
            front.register(&id, "http://127.0.0.1:9/hook").await.body["position"].clone();
        for (method, below) in ASKING {
            let query =
                if below.is_empty() { format!("?at_least={position}") } else { String::new() };
            let body = (method == "POST").then(|| trial.clone());
            let path = |id: &str| format!("/v1/endpoints/{id}{below}{query}");
            let found = front.client.ask(method, &path(&id), body.clone()).await;
            assert_eq!(found.status, 200, "{below}: {found:?}");
            let none = front.client.ask(method, &path("none"), body).await;
            assert_eq!(none.status, 404, "{below}: {none:?}");
        }
        front.get(&format!("/v1/endpoints/{id}/example")).await;
    }
    let none = front.client.ask("GET", "/v1/endpoints/none/example", None).await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn values_that_nothing_has_are_refused_with_those_that_are_known() {
    let front = Front::open().await;
    front.register("one", "http://127.0.0.1:9/hook").await;
    for (path, pointer, known) in [
        ("?phase=done", "query:phase", "active, paused, disabled"),
        ("?phase=removed", "query:phase", "active, paused, disabled"),
        (
            "/one/attempts?verdict=done",
            "query:verdict",
            "delivered, failed, throttled, gone, refused",
        ),
    ] {
        let reply = front.client.ask("GET", &format!("/v1/endpoints{path}"), None).await;
        assert_eq!((reply.status, pointer_of(&reply)), (400, pointer), "{reply:?}");
        assert!(reply.text.contains(known), "{reply:?}");
    }
    for dry_run in [false, true] {
        for order in ["skip", "discard"] {
            let body =
                json!({ "selection": { "all": true }, "rate_per_second": 5, "dry_run": dry_run });
            let path = format!("/v1/endpoints/one/{order}");
            let reply = front.client.ask("POST", &path, Some(body)).await;
            assert_eq!((reply.status, pointer_of(&reply)), (400, "/rate_per_second"), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_by_the_words_beside_its_fields() {
    let front = Front::open().await;
    let at = front.register("one", "http://127.0.0.1:9/hook").await.body["position"].clone();
    front.get(&format!("/v1/endpoints/one?at_least={at}")).await;
    for (page, status, words) in [
        ("?state=odd", 400, "State is none of those"),
        ("/one/attempts?position=x", 400, "Position is not a whole number"),
        ("/one/attempts?verdict=x", 400, "Outcome is no outcome"),
        ("/one/attempts?since=noon", 400, "Since (UTC) is not a time"),
        ("/one/dead-letters?from=x", 400, "From position is not a whole number"),
        ("/one/dead-letters?stream=a", 200, "Category is missing"),
        ("/one/order?kind=skip&from=2&to=1", 400, "From position must not lie behind"),
        ("/one/order?kind=odd", 400, "The order must be redrive, skip or discard"),
    ] {
        let reply = front.client.ask("GET", &format!("/ui/outbox{page}"), None).await;
        assert!(reply.status == status && reply.text.contains(words), "{page}: {reply:?}");
    }
    let long = format!("reason={}", "x".repeat(201));
    for (below, fields, words) in [
        ("order", "kind=redrive&rate=0", "At most so many a second must be from 1"),
        ("order", "kind=skip&rate=5", "At most so many a second is not for skip"),
        ("pause", &*long, "Why must have at most 200 bytes"),
        ("disable", &*long, "Why must have at most 200 bytes"),
    ] {
        let reply = front.client.form(&format!("/ui/outbox/one/{below}"), fields).await;
        assert!(reply.status == 400 && reply.text.contains(words), "{below}: {reply:?}");
    }
}

#[tokio::test]
async fn only_the_operators_endpoints_may_get_events_of_other_tenants() {
    let front = Front::open().await;
    let target = json!({ "kind": "webhook", "url": "http://127.0.0.1:9/" });
    let body = |tenants: Value| json!({ "target": target, "filter": { "tenants": tenants } });
    let blue = front.client_of("blue", &Scope::ALL).await;
    let reply = blue.ask("POST", "/v1/endpoints", Some(body(json!(["*"])))).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(reply.body["detail"].as_str().unwrap().contains("filter.tenants"), "{reply:?}");
    let own = blue.ask("POST", "/v1/endpoints", Some(body(json!(["blue"])))).await;
    assert_eq!(own.status, 201, "{own:?}");
    let bad = front.client.ask("POST", "/v1/endpoints", Some(body(json!(["no such/name"])))).await;
    assert_eq!(pointer_of(&bad), "/filter/tenants/0");
    let all = front.client.ask("POST", "/v1/endpoints", Some(body(json!(["*"])))).await;
    assert_eq!(all.status, 201, "{all:?}");
}
