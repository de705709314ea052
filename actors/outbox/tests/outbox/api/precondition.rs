//! `ETag` and `If-Match`: what is asked at a revision happens at that revision alone.

use serde_json::json;

use super::kit::{Front, pointer_of};
use crate::pull::kit::{Client, Reply};

fn etag_of(reply: &Reply) -> &str {
    let line = reply.head.lines().find_map(|line| line.strip_prefix("etag: "));
    line.unwrap_or_default()
}

#[tokio::test]
async fn a_change_at_a_revision_that_is_gone_is_refused_and_changes_nothing() {
    let front = Front::open().await;
    let reply = front.register("one", "http://127.0.0.1:9/hook").await;
    assert_eq!(etag_of(&reply), "\"1\"");
    let at = |tag: &str| Client { lines: format!("if-match: {tag}\r\n"), ..front.client.clone() };
    let body = json!({ "target": { "kind": "webhook", "url": "http://127.0.0.1:9/other" } });
    let selection = json!({ "selection": { "all": true } });
    let asked = [
        ("PUT", "", Some(body)),
        ("POST", "/pause", Some(json!({}))),
        ("POST", "/resume", None),
        ("POST", "/disable", Some(json!({}))),
        ("POST", "/secret", Some(json!({}))),
        ("POST", "/redrive", Some(selection.clone())),
        ("POST", "/skip", Some(selection.clone())),
        ("POST", "/discard", Some(selection)),
        ("POST", "/replay", Some(json!({ "from": 1, "to": 1 }))),
        ("DELETE", "", None),
    ];
    let mut tag = "\"1\"".to_owned();
    for (method, below, body) in asked {
        let path = format!("/v1/endpoints/one{below}");
        let stale = at("\"999\"").ask(method, &path, body.clone()).await;
        assert_eq!((stale.status, &stale.body["expected"]), (412, &json!(999)), "{below}");
        let done = at(&tag).ask(method, &path, body).await;
        assert_eq!(done.status, 200, "{below}: {done:?}");
        tag = etag_of(&done).to_owned();
    }
    assert_eq!(tag, "\"11\"");
}

#[tokio::test]
async fn what_is_shown_of_an_endpoint_names_its_revision() {
    let front = Front::open().await;
    let at = front.register("one", "http://127.0.0.1:9/hook").await.body["position"].clone();
    let path = format!("/v1/endpoints/one?at_least={at}");
    let shown = front.client.ask("GET", &path, None).await;
    assert_eq!((etag_of(&shown), &shown.body["revision"]), ("\"1\"", &json!(1)));
    let client = Client { lines: "if-match: 1\r\n".into(), ..front.client.clone() };
    let reply = client.ask("DELETE", "/v1/endpoints/one", None).await;
    assert_eq!((reply.status, pointer_of(&reply)), (400, "header:if-match"));
}
