//! `POST /v1/{category}/{id}/{command}`.

use serde_json::json;

use crate::server::Server;

#[test]
fn a_command_leads_to_an_event_and_a_receipt() {
    let server = Server::start();
    let reply = server.post("/v1/till/a%20b/pay", r#"{"amount":5}"#).send();
    assert_eq!(reply.status, 201);
    assert_eq!(reply.body, json!({"revision":1,"position":1,"events":1,"replayed":false}));
    assert_eq!(reply.header("etag"), "\"1\"");
    let stream = server.get(reply.header("location")).send();
    assert_eq!(stream.body["events"][0]["data"], json!({"amount":5}));
}

#[test]
fn events_of_a_command_tell_who_asked_and_in_which_thread() {
    let server = Server::start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let reply = server
        .post("/v1/till/1/pay", r#"{"amount":5}"#)
        .header("x-correlation-id", "thread-7")
        .header("traceparent", trace)
        .send();
    assert_eq!(reply.header("x-correlation-id"), "thread-7");
    let metadata = server.get("/v1/streams/till/1").send().body["events"][0]["metadata"].clone();
    assert_eq!(metadata["who"], "first");
    assert_eq!(metadata["correlation_id"], "thread-7");
    assert_eq!(metadata["traceparent"], trace);
}

#[test]
fn a_command_with_nothing_to_do_is_ok_but_creates_nothing() {
    let server = Server::start();
    let reply = server.post("/v1/till/1/pay", r#"{"amount":0}"#).send();
    assert_eq!((reply.status, reply.header("location")), (200, ""));
    assert_eq!(reply.body["events"], 0);
}

#[test]
fn the_same_key_replays_the_receipt_and_another_command_under_it_is_refused() {
    let server = Server::start();
    let pay = |amount: u64| {
        let body = json!({ "amount": amount }).to_string();
        server.post("/v1/till/1/pay", &body).header("idempotency-key", "k1").send()
    };
    let (first, again, other) = (pay(5), pay(5), pay(6));
    assert_eq!((first.status, again.status, other.status), (201, 200, 422));
    assert_eq!(again.body["replayed"], true);
    assert_eq!(again.body["position"], first.body["position"]);
    assert_eq!(other.problem(), "idempotency-key-reused");
    let stream = server.get("/v1/streams/till/1").send();
    assert_eq!(stream.body["revision"], 1);
}

#[test]
fn a_revision_that_is_not_there_is_a_failed_precondition() {
    let server = Server::start();
    let pay = |name: &str, value: &str| {
        server.post("/v1/till/1/pay", r#"{"amount":1}"#).header(name, value).send()
    };
    assert_eq!(pay("if-none-match", "*").status, 201);
    assert_eq!(pay("if-match", "\"1\"").status, 201);
    let late = pay("if-match", "\"1\"");
    assert_eq!((late.status, late.problem()), (412, "revision-mismatch"));
    assert_eq!(late.body["actual"], 2);
    assert_eq!(pay("if-match", "W/\"2\"").status, 400);
}

#[test]
fn a_rejection_tells_its_code_and_words() {
    let server = Server::start();
    let reply = server.post("/v1/till/1/pay", r#"{"amount":2000}"#).send();
    assert_eq!((reply.status, reply.problem()), (422, "rejected"));
    assert_eq!(reply.body["code"], "till-full");
    assert_eq!(reply.body["detail"], "till holds at most 1000: 2000 is too much");
}

#[test]
fn an_unknown_category_or_command_lists_the_known_ones() {
    let server = Server::start();
    let category = server.post("/v1/tin/1/pay", "{}").send();
    assert_eq!((category.status, category.problem()), (404, "unknown-command"));
    assert_eq!(category.body["known"], json!(["till"]));
    let command = server.post("/v1/till/1/steal", "{}").send();
    assert_eq!(command.body["known"], json!(["pay"]));
}

#[test]
fn a_body_that_is_not_the_command_names_the_field() {
    let server = Server::start();
    let reply = server.post("/v1/till/1/pay", r#"{"amount":"x"}"#).send();
    assert_eq!((reply.status, reply.problem()), (400, "invalid-request"));
    assert_eq!(reply.body["errors"][0]["pointer"], "/amount");
    for bad in ["", "[", "null", r#"{"amount":1,"more":2}"#, r#"{"amount":-1}"#] {
        assert_eq!(server.post("/v1/till/1/pay", bad).send().status, 400, "{bad}");
    }
}

#[test]
fn an_idempotency_key_out_of_bounds_is_refused() {
    let server = Server::start();
    for bad in ["a b", &"x".repeat(129)] {
        let request = server.post("/v1/till/1/pay", r#"{"amount":1}"#);
        let reply = request.header("idempotency-key", bad).send();
        assert_eq!(reply.body["errors"][0]["pointer"], "header:idempotency-key");
    }
}

#[test]
fn an_aggregate_that_panics_answers_with_a_problem_and_others_go_on() {
    let server = Server::start();
    let reply = server.post("/v1/till/1/pay", r#"{"amount":666}"#).send();
    assert_eq!((reply.status, reply.problem()), (500, "internal"));
    assert_eq!(server.post("/v1/till/2/pay", r#"{"amount":1}"#).send().status, 201);
}
