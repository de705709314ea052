//! Endpoints changed, held back and signed anew over HTTP, and what becomes of it.

use headwater_outbox::secret::SigningSecret;
use serde_json::{Value, json};

use super::kit::{Front, pointer_of};
use crate::receiver::header;
use crate::system::kit::{Ledger, Reply};

impl Front {
    /// Asks for something that must happen; returns the endpoint as it is behind it.
    async fn done(&self, method: &str, below: &str, body: Value) -> Value {
        let path = format!("/v1/endpoints/one{below}");
        let reply = self.client.ask(method, &path, Some(body)).await;
        assert_eq!(reply.status, 200, "{method} {below}: {reply:?}");
        self.get(&format!("/v1/endpoints/one?at_least={}", reply.body["position"])).await
    }

    async fn listed(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/endpoints?{query}")).await;
        let all = page["endpoints"].as_array().unwrap();
        all.iter().map(|own| own["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn an_endpoint_is_paused_disabled_and_resumed_and_found_by_its_phase() {
    let front = Front::open().await;
    front.register("one", "http://127.0.0.1:9/hook").await;
    front.register("two", "http://127.0.0.1:9/hook").await;
    for (below, phase, reason) in [
        ("/pause", "paused", json!("for the night")),
        ("/resume", "active", Value::Null),
        ("/disable", "disabled", json!("for good")),
        ("/resume", "active", Value::Null),
    ] {
        let shown = front.done("POST", below, json!({ "reason": reason })).await;
        assert_eq!((&shown["phase"], &shown["reason"]), (&json!(phase), &reason));
        let of_phase = front.listed(&format!("phase={phase}")).await;
        let wanted: &[&str] = if phase == "active" { &["one", "two"] } else { &["one"] };
        assert_eq!(of_phase, wanted, "{phase}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_changed_keeps_the_headers_that_are_null_and_goes_elsewhere() {
    let (front, ledger) = (Front::open().await, Ledger::open().await);
    let moved = format!("{}/moved", ledger.url);
    let target = |url: &str, value: Value| json!({ "kind": "webhook", "url": url, "headers": { "x-team": value } });
    let body =
        json!({ "id": "one", "target": target(&ledger.url, json!("blue")), "start": "beginning" });
    assert_eq!(front.client.ask("POST", "/v1/endpoints", Some(body)).await.status, 201);
    let body = json!({ "target": target(&moved, Value::Null), "description": "moved" });
    let shown = front.done("PUT", "", body).await;
    assert_eq!(
        (&shown["config"]["description"], &shown["headers"]),
        (&json!("moved"), &json!(["x-team"]))
    );
    front.world.append("a", 1).await;
    let came = ledger.taken(1).await;
    assert_eq!(header(&came[0].head, "x-team"), Some("blue"));
    // What is appended behind a change goes by it.
    assert!(came[0].head.contains("/moved "), "{}", came[0].head);
    let wrong = json!({ "target": { "kind": "pull" } });
    let refused = front.client.ask("PUT", "/v1/endpoints/one", Some(wrong)).await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("other-target")));
    let said_once = json!({ "target": target(&moved, Value::Null), "start": "now" });
    let refused = front.client.ask("PUT", "/v1/endpoints/one", Some(said_once)).await;
    assert_eq!((refused.status, pointer_of(&refused)), (400, "/start"));
}

#[tokio::test]
async fn a_secret_that_is_rotated_over_http_signs_what_comes() {
    let (front, ledger) = (Front::open().await, Ledger::open().await);
    front.register("one", &ledger.url).await;
    let body = json!({ "keep_previous_s": 0 });
    let reply = front.client.ask("POST", "/v1/endpoints/one/secret", Some(body)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let secret: SigningSecret = reply.body["secret"].as_str().unwrap().parse().unwrap();
    // The dispatcher may have begun with the old one.
    for count in 1..1_000 {
        front.world.append("a", 1).await;
        let last = ledger.taken(count).await.pop().unwrap();
        let at = header(&last.head, "webhook-timestamp").unwrap().parse().unwrap();
        let signature = secret.sign(last.id(), at, &last.body);
        if header(&last.head, "webhook-signature") == Some(&*signature) {
            return;
        }
    }
    panic!("the rotation does not come into force");
}

/// A front with an endpoint whose first event of two streams was given up, of three each.
async fn given_up() -> (Front, Ledger) {
    let (front, ledger) = (Front::open().await, Ledger::open().await);
    ledger.answer(|message| Reply::Status(if message.revision() == 1 { 422 } else { 204 }));
    for stream in ["a", "b"] {
        front.world.append(stream, 3).await;
    }
    front.register("one", &ledger.url).await;
    front.world.until("select count(*) from outbox_dead_letters where waiting = 2", 2).await;
    (front, ledger)
}

#[tokio::test]
async fn dead_letters_are_skipped_over_http_and_discarded_by_the_form_of_the_page() {
    let (front, ledger) = given_up().await;
    let of_a = json!({ "category": "thing", "stream": "a" });
    let trial = json!({ "selection": of_a, "dry_run": true });
    let trial = front.client.ask("POST", "/v1/endpoints/one/skip", Some(trial)).await;
    assert_eq!(trial.body, json!({ "selected": 1, "waiting": 2 }));
    front.done("POST", "/skip", json!({ "selection": of_a })).await;
    front.world.until("select count(*) from outbox_dead_letters", 1).await;
    let page = front.client.page_of("/ui/outbox/one/order?kind=discard&category=thing").await;
    for words in ["Discard 1 dead letter of one?", "About 2 events wait behind."] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let fields = "kind=discard&category=thing&to=6&intent=once";
    for _ in 0..2 {
        let sent = front.client.form("/ui/outbox/one/order", fields).await;
        assert!(
            sent.status == 303 && sent.head.contains("/ui/outbox/one?done=discard"),
            "{sent:?}"
        );
    }
    front.world.until("select count(*) from outbox", 0).await;
    let messages = ledger.messages();
    let taken = messages.iter().filter(|own| own.is_taken());
    let taken: Vec<_> = taken.map(|own| (own.stream(), own.revision())).collect();
    assert_eq!(taken, [("thing/a", 2), ("thing/a", 3)]);
    let orders = front.get("/v1/streams/endpoint/one").await["events"].clone();
    let orders: Vec<&Value> =
        orders.as_array().unwrap().iter().map(|own| &own["data"]["order"]["kind"]).collect();
    assert_eq!(orders[1..], [&json!("skip"), &json!("discard")]);
}

#[tokio::test]
async fn a_trial_counts_what_comes_and_its_replays_and_an_order_is_about_both() {
    let (front, ledger) = given_up().await;
    front.done("POST", "/replay", json!({ "from": 1, "to": 6 })).await;
    front.world.until("select count(*) from outbox_dead_letters", 4).await;
    let trial = json!({ "selection": { "all": true }, "dry_run": true });
    let trial = front.client.ask("POST", "/v1/endpoints/one/redrive", Some(trial)).await;
    assert_eq!(trial.body["selected"], 4, "{trial:?}");
    ledger.take_all();
    front.done("POST", "/redrive", json!({ "selection": { "all": true } })).await;
    front.world.until("select count(*) from outbox", 0).await;
}
