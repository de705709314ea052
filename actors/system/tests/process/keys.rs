//! API keys by the command line while a server runs, and what a server does without one.

use serde_json::{Value, json};

use super::harness::{Folder, Server};

fn create(folder: &Folder, name: &str, scopes: &[&str]) -> (String, String) {
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let args: Vec<&str> = ["keys", "create", name, "--json"].into_iter().chain(scopes).collect();
    let made = folder.json(&args);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["key"]), text(&made["info"]["id"]))
}

#[test]
fn nobody_gets_in_without_a_key() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let nobody = server.client.with_key("");
    for path in ["/v1/events", "/v1/streams", "/v1/read/orders", "/v1/projections", "/v1/keys"] {
        assert_eq!(nobody.ask("GET", path).status, 401, "{path}");
    }
    let refused = nobody.command("/v1/product/X/add", "k", &json!({})).unwrap();
    assert_eq!(refused.body_of(401)["type"], "urn:headwater:problem:unauthenticated");
    let mistyped = format!("{}x", server.client.key());
    assert_eq!(nobody.with_key(&mistyped).ask("GET", "/v1/events").status, 401);
    assert_eq!(nobody.ask("GET", "/v1/health/ready").status, 200);
    server.stop();
}

#[test]
fn a_key_made_while_a_server_runs_opens_what_its_scopes_say() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let (text, id) = create(&folder, "reports", &["read"]);
    let reports = server.client.with_key(&text);
    assert_eq!(reports.ask("GET", "/v1/events").status, 200);
    assert_eq!(reports.command("/v1/product/X/add", "k", &json!({})).unwrap().status, 403);
    assert_eq!(reports.ask("POST", "/v1/projections/orders/pause").status, 403);
    let listed = folder.run(&["keys", "list", "--json"]);
    assert!(!listed.stdout.contains(&text), "a list shows no secret");
    let listed = listed.json();
    let own = listed.as_array().unwrap().iter().find(|key| key["id"] == id.as_str()).unwrap();
    assert_eq!((&own["name"], &own["scopes"]), (&json!("reports"), &json!(["read"])));
    server.stop();
}

#[test]
fn a_revoked_key_opens_nothing() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let (by_server, by_server_id) = create(&folder, "one", &["read"]);
    let one = server.client.with_key(&by_server);
    assert_eq!(one.ask("GET", "/v1/events").status, 200);
    let revoked = server.client.ask("DELETE", &format!("/v1/keys/{by_server_id}"));
    assert!(matches!(revoked.status, 200 | 204), "{revoked:?}");
    assert_eq!(one.ask("GET", "/v1/events").status, 401);
    // Never used, so the running server has it in no cache.
    let (by_hand, by_hand_id) = create(&folder, "other", &["read"]);
    assert!(folder.run(&["keys", "revoke", &by_hand_id]).is_success);
    assert_eq!(server.client.with_key(&by_hand).ask("GET", "/v1/events").status, 401);
    folder.run(&["keys", "revoke", &by_hand_id]).assert_refused(&[&by_hand_id]);
    server.stop();
}

#[test]
fn a_key_of_another_tenant_sees_nothing_of_this_one() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let added = server.client.command("/v1/product/X/add", "k", &json!({})).unwrap();
    assert_eq!(added.status, 201);
    let args = ["keys", "create", "theirs", "--scope", "read", "--scope", "admin", "--json"];
    let made = folder.json(&[&args[..], &["--tenant", "theirs"]].concat());
    let theirs = server.client.with_key(made["key"].as_str().unwrap());
    assert_eq!(theirs.get("/v1/events")["events"], json!([]));
    assert_eq!(theirs.get("/v1/read/products?at_least=1")["rows"], json!([]));
    assert_eq!(theirs.get("/v1/keys")["keys"].as_array().unwrap().len(), 1);
    assert_eq!(theirs.ask("POST", "/v1/projections/orders/pause").status, 403);
    server.stop();
}
