//! Who may ask what: every address of endpoints, by scope and by tenant.

use headwater::api::keys::Scope;
use serde_json::{Value, json};

use super::kit::Front;

/// An address below an endpoint, what it takes, and the scopes that it demands.
type Row = (&'static str, &'static str, Option<Value>, &'static [Scope]);

const ADMIN: &[Scope] = &[Scope::Admin];
const READ: &[Scope] = &[Scope::Read];

fn target() -> Value {
    json!({ "target": { "kind": "webhook", "url": "http://127.0.0.1:9/other" } })
}

/// Returns every address, in an order in which all of them can be asked.
fn rows() -> Vec<Row> {
    let selection = json!({ "selection": { "all": true } });
    let trial = json!({ "selection": { "all": true }, "dry_run": true });
    vec![
        ("GET", "", None, READ),
        ("GET", "/attempts", None, READ),
        ("GET", "/dead-letters", None, READ),
        ("GET", "/retries", None, READ),
        ("GET", "/example", None, READ),
        ("PUT", "", Some(target()), ADMIN),
        ("POST", "/secret", Some(json!({})), ADMIN),
        ("POST", "/test", None, ADMIN),
        ("POST", "/pause", Some(json!({ "reason": "night" })), ADMIN),
        ("POST", "/resume", None, ADMIN),
        ("POST", "/disable", Some(json!({ "reason": "gone" })), ADMIN),
        ("POST", "/resume", None, ADMIN),
        ("POST", "/redrive", Some(trial.clone()), ADMIN),
        ("POST", "/skip", Some(trial.clone()), ADMIN),
        ("POST", "/discard", Some(trial), ADMIN),
        ("POST", "/redrive", Some(selection.clone()), ADMIN),
        ("POST", "/skip", Some(selection.clone()), ADMIN),
        ("POST", "/discard", Some(selection), ADMIN),
        ("POST", "/replay", Some(json!({ "from": 1, "to": 1 })), ADMIN),
        ("DELETE", "", None, ADMIN),
    ]
}

#[tokio::test]
async fn no_key_asks_more_than_its_scopes_allow_nor_about_another_tenants_endpoints() {
    let front = Front::open().await;
    front.world.append("a", 1).await;
    let at = front.register("one", "http://127.0.0.1:9/hook").await.body["position"].clone();
    front.get(&format!("/v1/endpoints/one?at_least={at}")).await;
    let stranger = front.client_of("guest", &Scope::ALL).await;
    for (method, below, body, scopes) in rows() {
        let path = format!("/v1/endpoints/one{below}");
        for scope in Scope::ALL {
            if !scopes.contains(&scope) {
                let other = front.client_of("default", &[scope]).await;
                let refused = other.ask(method, &path, body.clone()).await;
                assert_eq!(refused.status, 403, "{method} {below} with {scope:?}: {refused:?}");
            }
        }
        let none = stranger.ask(method, &path, body.clone()).await;
        assert_eq!(none.status, 404, "{method} {below} of another tenant: {none:?}");
        let own = front.client_of("default", scopes).await;
        let done = own.ask(method, &path, body).await;
        assert_eq!(done.status, 200, "{method} {below}: {done:?}");
    }
}

#[tokio::test]
async fn endpoints_are_registered_and_listed_for_the_tenant_of_the_key_alone() {
    let front = Front::open().await;
    front.register("one", "http://127.0.0.1:9/hook").await;
    let reader = front.client_of("guest", READ).await;
    let refused = reader.ask("POST", "/v1/endpoints", Some(target())).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let admin = front.client_of("guest", ADMIN).await;
    let made = admin.ask("POST", "/v1/endpoints", Some(target())).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(admin.ask("GET", "/v1/endpoints", None).await.status, 403);
    let path = format!("/v1/endpoints?at_least={}", made.body["position"]);
    let listed = reader.ask("GET", &path, None).await.body["endpoints"].clone();
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|own| &own["id"]).collect();
    assert_eq!(ids, [&made.body["id"]]);
}
