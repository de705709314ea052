//! `GET /v1/events`: the tenant's part of the log.

use serde_json::json;

use crate::server::Server;

#[test]
fn the_log_is_filtered_by_category_type_and_all_tags() {
    let server = Server::start();
    let events = json!({"events":[
        {"type":"A","data":1,"tags":["x","y"]},
        {"type":"B","data":2,"tags":["x"]},
    ]});
    server.post("/v1/streams/one/1", &events.to_string()).send();
    server.post("/v1/streams/two/1", &events.to_string()).send();
    let positions = |query: &str| {
        let body = server.get(&format!("/v1/events?{query}")).send().body;
        let events = body["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["position"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(positions(""), [1, 2, 3, 4]);
    assert_eq!(positions("category=two"), [3, 4]);
    assert_eq!(positions("category=one&category=two&type=B"), [2, 4]);
    assert_eq!(positions("tag=x&tag=y"), [1, 3]);
    assert_eq!(positions("before=4&type=A"), [3, 1]);
}

#[test]
fn the_log_is_read_in_pages_to_its_end() {
    let server = Server::start();
    server.note("default", "1", 5);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = server.get(&format!("/v1/events?limit=2&after={after}")).send().body;
        seen.extend(page["events"].as_array().unwrap().iter().map(|own| own["data"]["n"].clone()));
        after = page["next"].as_u64().unwrap();
        if page["is_end"] == true {
            break;
        }
    }
    assert_eq!(seen, [json!(1), json!(2), json!(3), json!(4), json!(5)]);
}

#[test]
fn a_place_beyond_the_end_is_refused_at_every_door_and_told_where_the_end_is() {
    let server = Server::start();
    server.note("default", "1", 3);
    for (path, pointer) in [
        ("/v1/events?after=4", "query:after"),
        ("/v1/events?after=4&type=Noted", "query:after"),
        ("/v1/events?after=18446744073709551615", "query:after"),
        ("/v1/events/subscribe?after=4", "query:after"),
        ("/v1/streams?after=4", "query:after"),
        ("/v1/streams?after=4&category=note", "query:after"),
        ("/v1/streams/note/1?after=4", "query:after"),
    ] {
        let refused = server.get(path).send();
        assert_eq!((refused.status, refused.problem()), (400, "invalid-request"), "{path}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{path}");
        assert_eq!(refused.body["end"], 3, "{path}");
        assert!(refused.body["detail"].as_str().unwrap().contains("restored"), "{path}");
    }
    let refused = server.get("/v1/events/subscribe").header("last-event-id", "4").send();
    assert_eq!(refused.body["errors"][0]["pointer"], "header:last-event-id");
    let body = r#"{"events":[{"type":"A","data":1}],"condition":{"after":4,"items":[]}}"#;
    let refused = server.post("/v1/streams/raw/1", body).send();
    assert_eq!(refused.body["errors"][0]["pointer"], "/condition/after");
    assert_eq!(refused.body["end"], 3);
}

#[test]
fn a_condition_of_too_many_items_is_refused_with_the_bound() {
    let server = Server::start();
    let items: Vec<_> = (0..20_000).map(|_| json!({"types":["None"]})).collect();
    let condition = json!({"after":0,"items":items});
    let body = json!({"events":[{"type":"A","data":1}],"condition":condition});
    let refused = server.post("/v1/streams/raw/1", &body.to_string()).send();
    assert_eq!((refused.status, refused.problem()), (400, "invalid-request"));
    assert!(refused.body["detail"].as_str().unwrap().contains("20000 items: at most 100"));
}

#[test]
fn a_page_size_out_of_bounds_is_refused() {
    let server = Server::start();
    for bad in ["0", "1001", "x", "-1", "1&limit=2"] {
        let reply = server.get(&format!("/v1/events?limit={bad}")).send();
        assert_eq!(reply.body["errors"][0]["pointer"], "query:limit", "{bad}");
    }
    assert_eq!(server.get("/v1/events?after=1&before=2").send().status, 400);
}
