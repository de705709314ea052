//! `/v1/read` and `/v1/projections`.

use std::time::Duration;

use headwater::api::keys::Scope;
use serde_json::{Value, json};

use crate::server::Server;

/// Pays into tills `a`, `b`, `c` … and returns the position of the last payment.
fn pay(server: &Server, amounts: &[u64]) -> u64 {
    let ids = ["a", "b", "c", "d", "e"];
    let receipts = ids.iter().zip(amounts).map(|(id, amount)| {
        let body = json!({ "amount": amount }).to_string();
        server.post(&format!("/v1/till/{id}/pay"), &body).send()
    });
    receipts.last().unwrap().body["position"].as_u64().unwrap()
}

fn keys(page: &Value) -> Vec<&str> {
    page["rows"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect()
}

#[test]
fn a_reader_reads_its_own_write() {
    for server in Server::start_on_each_engine() {
        let position = pay(&server, &[5]);
        let row = server.get(&format!("/v1/read/tills/a?at_least={position}")).send();
        assert_eq!((row.status, &row.body["row"]), (200, &json!({"balance":5,"level":"low"})));
        assert!(row.body["as_of"].as_u64().unwrap() >= position);
        assert_eq!(server.get("/v1/read/tills/zz").send().status, 404);
        assert_eq!(server.get("/v1/read/nothing/a").send().status, 404);
    }
}

#[test]
fn rows_are_read_in_pages() {
    for server in Server::start_on_each_engine() {
        let position = pay(&server, &[1, 2, 3, 4, 5]);
        let first = server.get(&format!("/v1/read/tills?limit=3&at_least={position}")).send().body;
        assert_eq!(keys(&first), ["a", "b", "c"]);
        let next = first["next"].as_str().unwrap();
        let rest = server.get(&format!("/v1/read/tills?limit=3&cursor={next}")).send().body;
        assert_eq!((keys(&rest), &rest["next"]), (vec!["d", "e"], &Value::Null));
        let foreign = server.get(&format!("/v1/read/tills?level=low&cursor={next}")).send();
        assert_eq!(foreign.body["errors"][0]["pointer"], "query:cursor");
    }
}

#[test]
fn rows_are_filtered_by_indexed_fields_only() {
    for server in Server::start_on_each_engine() {
        let position = pay(&server, &[1, 500, 2]);
        let low = server.get(&format!("/v1/read/tills?level=low&at_least={position}")).send();
        assert_eq!(keys(&low.body), ["a", "c"]);
        let refused = server.get("/v1/read/tills?balance=1").send();
        assert_eq!((refused.status, refused.problem()), (400, "invalid-request"));
        assert!(refused.body["detail"].as_str().unwrap().contains("level"));
    }
}

#[test]
fn a_position_that_is_not_reached_in_time_is_told() {
    let server = Server::start_with(|config| {
        config.limits.at_least_timeout = Duration::from_millis(20);
    });
    server.runtime.block_on(server.system.pause("tills")).unwrap();
    let position = pay(&server, &[5]);
    let late = server.get(&format!("/v1/read/tills?at_least={position}")).send();
    assert_eq!((late.status, late.problem()), (504, "position-not-reached"));
    assert_eq!(late.body["position"], 0);
}

#[test]
fn a_position_beyond_the_end_of_the_log_is_not_waited_for() {
    let server = Server::start();
    let end = pay(&server, &[5]);
    for path in ["/v1/read/tills", "/v1/read/tills/a"] {
        let refused = server.get(&format!("{path}?at_least={}", end + 1)).send();
        assert_eq!(refused.status, 400, "{path}");
        assert_eq!(refused.body["errors"][0]["pointer"], "query:at_least");
        assert_eq!(refused.body["end"], end);
    }
}

#[test]
fn rows_of_another_tenant_are_not_there() {
    for server in Server::start_on_each_engine() {
        let position = pay(&server, &[5]);
        let other = server.key("other", &Scope::ALL);
        let page = server.get(&format!("/v1/read/tills?at_least={position}"));
        assert!(keys(&page.key(other.text.reveal()).send().body).is_empty());
        let row = server.get("/v1/read/tills/a").key(other.text.reveal()).send();
        assert_eq!(row.status, 404);
    }
}

#[test]
fn an_operator_pauses_resumes_and_rebuilds_a_projection() {
    for server in Server::start_on_each_engine() {
        let act = |verb: &str| server.ask("POST", &format!("/v1/projections/tills/{verb}")).send();
        assert_eq!((act("pause").status, &act("pause").body["state"]), (200, &json!("paused")));
        let position = pay(&server, &[5]);
        assert_eq!(act("resume").status, 200);
        let path = format!("/v1/read/tills/a?at_least={position}");
        assert_eq!(server.get(&path).send().status, 200);
        assert_eq!(act("rebuild").status, 200);
        let listed = server.get("/v1/projections").send().body;
        assert_eq!(listed["projections"][0]["name"], "tills");
        assert_eq!(listed["projections"][0]["indexes"], json!(["level"]));
        assert_eq!(server.ask("POST", "/v1/projections/none/pause").send().status, 404);
    }
}

#[test]
fn only_admins_of_the_operators_tenant_touch_projections() {
    let server = Server::start();
    let other = server.key("other", &Scope::ALL);
    for verb in ["pause", "resume", "rebuild"] {
        let request = server.ask("POST", &format!("/v1/projections/tills/{verb}"));
        assert_eq!(request.key(other.text.reveal()).send().status, 403, "{verb}");
    }
}
