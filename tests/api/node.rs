//! `/v1/nodes`.

use headwater::api::keys::Scope;
use serde_json::json;

use crate::server::Server;

#[test]
fn the_node_that_answers_is_listed_with_what_it_runs() {
    for server in Server::start_on_each_engine() {
        let membership = server.system.membership();
        let is_held = |roster: &headwater::nodes::Roster| {
            roster.held_by(membership.id()).any(|lease| lease.name == "projection tills")
        };
        server.runtime.block_on(membership.until(is_held));
        let listed = server.get("/v1/nodes").send();
        assert_eq!(listed.status, 200);
        let [node] = listed.body["nodes"].as_array().unwrap().as_slice() else {
            panic!("{}", listed.body)
        };
        let own = json!(membership.id());
        assert_eq!((&node["id"], &listed.body["this"]), (&own, &own));
        assert_eq!(
            (&node["state"], &node["runs"]["projection tills"]),
            (&json!("alive"), &json!(1))
        );
        assert_eq!(listed.body["unheld"], json!([]));
    }
}

#[test]
fn only_admins_of_the_operators_tenant_see_the_nodes() {
    let server = Server::start();
    let other = server.key("other", &Scope::ALL);
    let reader = server.key("default", &[Scope::Read]);
    for key in [other, reader] {
        assert_eq!(server.get("/v1/nodes").key(key.text.reveal()).send().status, 403);
    }
}
