//! How many endpoints a tenant may have, and how many are looked at.

use headwater::api::ApiLimits;
use headwater::api::keys::Scope;
use serde_json::json;

use super::kit::Front;
use crate::pull::kit::Reply;

#[tokio::test]
async fn a_tenant_has_as_many_endpoints_as_it_may_and_another_has_its_own() {
    let front = Front::with(|config| config.endpoints_max = 2, ApiLimits::default()).await;
    let guest = front.client_of("guest", &[Scope::Admin]).await;
    let register = |client: &crate::pull::kit::Client, id: &str| {
        let (client, body) = (client.clone(), json!({ "id": id, "target": { "kind": "pull" } }));
        async move { client.ask("POST", "/v1/endpoints", Some(body)).await }
    };
    let both = tokio::join!(register(&front.client, "a"), register(&front.client, "b"));
    assert_eq!((both.0.status, both.1.status), (201, 201));
    let refused = register(&front.client, "c").await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("too-many-endpoints")));
    assert_eq!(register(&guest, "c").await.status, 201);
    // One that there is already is told as what it is.
    let Reply { status, body, .. } = register(&front.client, "a").await;
    assert!(status == 201 || body["code"] == "already-registered", "{body}");
    front.client.ask("DELETE", "/v1/endpoints/a", None).await;
    assert_eq!(register(&front.client, "c").await.status, 201);
}

#[tokio::test]
async fn registrations_at_once_do_not_pass_the_bound_together() {
    let front = Front::with(|config| config.endpoints_max = 3, ApiLimits::default()).await;
    let one = |number: usize| {
        let (client, id) = (front.client.clone(), format!("e{number}"));
        let body = json!({ "id": id, "target": { "kind": "pull" } });
        async move { client.ask("POST", "/v1/endpoints", Some(body)).await.status }
    };
    let mut taken = futures_util::future::join_all((0..12).map(one)).await;
    taken.sort_unstable();
    assert_eq!(taken, [&[201; 3][..], &[422; 9]].concat());
}

#[tokio::test]
async fn each_page_of_endpoints_says_how_those_on_it_stand() {
    let front = Front::open().await;
    // In the order of bytes, which is not that of a dictionary.
    let ids = ["A", "B", "a", "b", "\u{e9}", "\u{1f600}"];
    for id in ids {
        front.register(id, "http://127.0.0.1:9/hook").await;
    }
    front.world.until("select count(*) from outbox_cursors", 6).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    while seen.len() < ids.len() {
        let page = front.get(&format!("/v1/endpoints?limit=2{after}")).await;
        for own in page["endpoints"].as_array().unwrap() {
            assert!(own["delivery"]["updated_at"].is_string(), "{own}");
            seen.push(own["id"].as_str().unwrap().to_owned());
        }
        after = format!("&after={}", headwater::page::path_part(seen.last().unwrap()));
    }
    assert_eq!(seen, ids);
}
