//! `/v1/keys`, and what a key opens.

use headwater::api::keys::{self, Scope};
use headwater::event::Tenant;
use jiff::Timestamp;
use serde_json::json;

use crate::server::Server;

#[test]
fn the_first_key_is_made_once() {
    let server = Server::start();
    let again = keys::create_first(&server.database, Tenant::default_tenant(), Timestamp::now());
    assert!(server.runtime.block_on(again).unwrap().is_none());
}

#[test]
fn a_key_made_over_http_works_until_it_is_revoked() {
    let server = Server::start();
    let made = server.post("/v1/keys", r#"{"name":"app","scopes":["read"]}"#).send();
    assert_eq!(made.status, 201);
    let key = made.body["key"].as_str().unwrap();
    assert_eq!(server.get("/v1/events").key(key).send().status, 200);
    assert_eq!(server.ask("DELETE", made.header("location")).send().status, 204);
    assert_eq!(server.get("/v1/events").key(key).send().status, 401);
    assert_eq!(server.ask("DELETE", made.header("location")).send().status, 404);
}

#[test]
fn listed_keys_show_neither_text_nor_hash() {
    let server = Server::start();
    let listed = server.get("/v1/keys").send();
    assert_eq!(listed.body["keys"][0]["name"], "first");
    let secret = server.admin.text.reveal();
    assert!(
        !listed.text.contains(secret) && !listed.text.contains(&server.admin.text.hash().to_hex())
    );
}

#[test]
fn a_key_that_expired_is_refused() {
    let server = Server::start();
    let soon = Timestamp::now() + jiff::SignedDuration::from_millis(150);
    let body = json!({"name":"x","scopes":["read"],"expires_at":soon}).to_string();
    let made = server.post("/v1/keys", &body).send();
    let key = made.body["key"].as_str().unwrap().to_owned();
    let mut statuses = std::iter::repeat_with(|| server.get("/v1/events").key(&key).send().status);
    assert_eq!(statuses.find(|status| *status != 200), Some(401));
    assert!(Timestamp::now() >= soon);
}

#[test]
fn a_key_request_out_of_form_names_the_field() {
    let server = Server::start();
    let pointer = |body: &str| {
        let reply = server.post("/v1/keys", body).send();
        (reply.status, reply.body["errors"][0]["pointer"].as_str().unwrap().to_owned())
    };
    assert_eq!(pointer(r#"{"name":"","scopes":["read"]}"#), (400, "/name".into()));
    assert_eq!(pointer(r#"{"name":"x","scopes":[]}"#), (400, "/scopes".into()));
    assert_eq!(pointer(r#"{"name":"x","scopes":["root"]}"#), (400, "/scopes/0".into()));
    let past = r#"{"name":"x","scopes":["read"],"expires_at":"2001-01-01T00:00:00Z"}"#;
    assert_eq!(pointer(past), (400, "/expires_at".into()));
}

#[test]
fn admins_see_and_revoke_only_their_own_tenants_keys() {
    let server = Server::start();
    let other = server.key("other", &Scope::ALL);
    let listed = server.get("/v1/keys").key(other.text.reveal()).send();
    assert_eq!(listed.body["keys"].as_array().unwrap().len(), 1);
    let foreign = format!("/v1/keys/{}", server.admin.info.id);
    assert_eq!(server.ask("DELETE", &foreign).key(other.text.reveal()).send().status, 404);
    assert_eq!(server.get("/v1/events").send().status, 200);
}

#[test]
fn the_last_use_of_a_key_is_stored() {
    let mut server = Server::start();
    server.get("/v1/events").send();
    server.runtime.block_on(server.api.take().unwrap().stop());
    let tenant = Tenant::default_tenant();
    let listed = keys::list(&server.database, &tenant);
    assert!(server.runtime.block_on(listed).unwrap()[0].last_used_at.is_some());
}
