//! Requests that are not as they should be.

use headwater::api::keys::Scope;
use headwater::event::Tenant;
use headwater_outbox::endpoint::{EndpointConfig, Start};
use serde_json::{Value, json};

use super::kit::{Client, Desk, key};

#[tokio::test]
async fn keys_of_other_tenants_find_nothing_and_those_without_the_scopes_are_refused() {
    let desk = Desk::open(|_| {}).await;
    desk.world.append("a", 1).await;
    let own = Tenant::default_tenant();
    let guest = Tenant::new("guest").unwrap();
    let (events, acks) = ("/v1/endpoints/one/events", "/v1/endpoints/one/acks");
    for (tenant, scopes, wanted) in [
        (&guest, &Scope::ALL[..], [404, 404]),
        (&own, &[Scope::Read], [403, 403]),
        (&own, &[Scope::Admin], [403, 403]),
        // An acknowledgement shows nothing.
        (&own, &[Scope::Write], [403, 400]),
    ] {
        let key = key(&desk.world.database, tenant.clone(), scopes).await;
        let client = Client { key, ..desk.client.clone() };
        let taken = client.ask("GET", events, None).await;
        let said = client.ask("POST", acks, Some(json!({ "acks": ["x"] }))).await;
        assert_eq!([taken.status, said.status], wanted, "{tenant} {scopes:?}");
    }
    assert_eq!(desk.client.take("wait_s=0&max=1").await[0]["attempt"], 1);
}

#[tokio::test]
async fn what_is_not_as_documented_is_refused_by_name_and_none_of_it_counts() {
    let desk = Desk::open(|_| {}).await;
    desk.world.append("a", 1).await;
    let one = desk.client.take_one().await;
    let good = one["delivery"].clone();
    let long = "x".repeat(501);
    for (body, pointer) in [
        (json!({}), "/acks"),
        (json!({ "acks": [good, "x"] }), "/acks/1"),
        (json!({ "acks": vec![&good; 1_001] }), "/acks"),
        (json!({ "extend": [good, ""] }), "/extend/1"),
        (json!({ "nacks": [{ "delivery": "1-1" }] }), "/nacks/0/delivery"),
        (
            json!({ "nacks": [{ "delivery": good, "retry_after_s": 3_601 }] }),
            "/nacks/0/retry_after_s",
        ),
        (json!({ "nacks": [{ "delivery": good, "reason": long }] }), "/nacks/0/reason"),
    ] {
        let reply = desk.client.ask("POST", "/v1/endpoints/one/acks", Some(body)).await;
        assert_eq!((reply.status, pointer_of(&reply.body)), (400, pointer), "{reply:?}");
    }
    for (query, pointer) in [
        ("max=0", "query:max"),
        ("max=257", "query:max"),
        ("wait_s=61", "query:wait_s"),
        ("consumer=", "query:consumer"),
        ("after=1", "query:after"),
    ] {
        let path = format!("/v1/endpoints/one/events?{query}");
        let reply = desk.client.ask("GET", &path, None).await;
        assert_eq!((reply.status, pointer_of(&reply.body)), (400, pointer), "{reply:?}");
    }
    assert_eq!(desk.client.acknowledge(&[one]).await, ["ok"]);
}

#[tokio::test]
async fn an_endpoint_of_another_kind_is_not_pulled_and_a_pulled_one_is_not_tried_out() {
    let desk = Desk::open(|_| {}).await;
    let config = EndpointConfig::webhook("http://127.0.0.1:9/");
    desk.world.register_as("hook", config, Start::Now).await;
    let reply = desk.client.ask("GET", "/v1/endpoints/hook/events", None).await;
    assert_eq!((reply.status, &reply.body["code"]), (422, &json!("not-pulled")));
    desk.client.take("wait_s=0").await;
    let reply = desk.client.ask("POST", "/v1/endpoints/one/test", None).await;
    assert_eq!((reply.status, &reply.body["code"]), (422, &json!("pulled")));
    assert_eq!(desk.client.ask("GET", "/v1/endpoints/none/events", None).await.status, 404);
}

#[tokio::test]
async fn an_endpoint_that_is_pulled_is_registered_over_http_by_any_tenant_within_bounds() {
    let desk = Desk::open(|_| {}).await;
    let tenant = Tenant::new("guest").unwrap();
    let key = key(&desk.world.database, tenant, &Scope::ALL).await;
    let client = Client { key, ..desk.client.clone() };
    let body = |target: Value| Some(json!({ "id": "mine", "target": target }));
    let wrong = body(json!({ "kind": "pull", "ack_timeout_ms": 99 }));
    let reply = client.ask("POST", "/v1/endpoints", wrong).await;
    assert_eq!((reply.status, pointer_of(&reply.body)), (400, "/target/ack_timeout_ms"));
    let reply = client.ask("POST", "/v1/endpoints", body(json!({ "kind": "pull" }))).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let path = format!("/v1/endpoints/mine?at_least={}", reply.body["position"]);
    let config = client.ask("GET", &path, None).await.body["config"].clone();
    assert_eq!(config["target"], json!({ "kind": "pull", "ack_timeout_ms": 30_000 }));
    assert_eq!(config["retry"][0], 1_000);
    assert_eq!(client.ask("GET", "/v1/endpoints/mine/events?wait_s=0", None).await.status, 200);
}

fn pointer_of(problem: &Value) -> &str {
    problem["errors"][0]["pointer"].as_str().unwrap_or_default()
}
