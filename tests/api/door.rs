//! Each door reads bodies by the same rule, and says what is wrong in plain words.

use crate::server::Server;

const EVENT: &str = r#"{"type":"Noted","data":{}}"#;

#[test]
fn an_array_passes_for_an_object_at_no_door() {
    let server = Server::start();
    let before = server.get("/v1/keys").send().body;
    let cases = [
        ("/v1/keys", r#"["bob",["admin"],null]"#.to_owned(), ""),
        ("/v1/keys", r#"{"name":"bob","scopes":[{"admin":null}]}"#.to_owned(), "/scopes/0/admin"),
        ("/v1/till/1/pay", "[5]".to_owned(), ""),
        ("/v1/streams/note/1", format!("[[{EVENT}],null,null]"), ""),
        (
            "/v1/streams/note/1",
            r#"{"events":[[null,"Noted",1,null,[],{},{}]]}"#.into(),
            "/events/0",
        ),
        (
            "/v1/streams/note/1",
            r#"{"events":[{"type":"Noted","data":{},"metadata":["a","b","c"]}]}"#.to_owned(),
            "/events/0/metadata",
        ),
        (
            "/v1/streams/note/1",
            format!(r#"{{"events":[{EVENT}],"condition":[[],0]}}"#),
            "/condition",
        ),
        (
            "/v1/streams/note/1",
            format!(r#"{{"events":[{EVENT}],"condition":{{"after":0,"items":[[[],[],[]]]}}}}"#),
            "/condition/items/0",
        ),
        ("/v1/streams", format!(r#"{{"streams":[["note","1",null,[{EVENT}]]]}}"#), "/streams/0"),
    ];
    for (path, body, pointer) in cases {
        let reply = server.post(path, &body).send();
        assert_eq!((reply.status, reply.pointer()), (400, pointer), "{path} {body}");
    }
    assert_eq!(server.get("/v1/keys").send().body["keys"], before["keys"]);
    assert_eq!(server.get("/v1/events").send().body["events"].as_array().unwrap().len(), 0);
}

#[test]
fn a_field_that_stands_twice_is_refused_at_every_door() {
    let server = Server::start();
    for (path, body, pointer) in [
        ("/v1/keys", r#"{"name":"a","scopes":["read"],"n\u0061me":"b"}"#, "/name"),
        ("/v1/till/1/pay", r#"{"amount":1,"amount":2}"#, "/amount"),
        ("/v1/streams/note/1", r#"{"events":[],"events":[]}"#, "/events"),
        ("/v1/streams", r#"{"streams":[{"id":"a","id":"b"}]}"#, "/streams/0/id"),
    ] {
        let reply = server.post(path, body).send();
        assert_eq!((reply.status, reply.pointer()), (400, pointer), "{path} {body}");
    }
    for query in ["limit=1&limit=1", "after=1&after=1"] {
        assert_eq!(server.get(&format!("/v1/events?{query}")).send().status, 400, "{query}");
    }
    assert_eq!(server.get("/v1/read/tills?level=low&level=high").send().status, 400);
    assert_eq!(
        server.post("/v1/streams/note/1?expected=1", "{}").send().pointer(),
        "query:expected"
    );
}

#[test]
fn a_body_that_is_missing_is_nothing_more_than_empty() {
    let server = Server::start();
    let paid = server.ask("POST", "/v1/till/1/pay").send();
    assert_eq!(paid.body["detail"], "body is empty: send a JSON object");
    let made = server.post("/v1/keys", "  ").send();
    assert_eq!(made.body["detail"], "body is empty: send a JSON object");
}

#[test]
fn what_is_wrong_is_said_in_plain_words() {
    let server = Server::start();
    server.note("default", "1", 2);
    let said = |path: &str, body: &str| {
        server.post(path, body).send().body["detail"].as_str().unwrap().to_owned()
    };
    let pay = |body: &str| said("/v1/till/1/pay", body);
    assert_eq!(pay("{}"), "missing field `amount`");
    assert_eq!(
        pay(r#"{"amount":"5"}"#),
        r#"/amount: is string "5", expected a whole number, 0 or more"#
    );
    assert_eq!(pay("{"), "JSON ends too early (line 1, column 1)");
    let stale = format!(r#"{{"events":[{EVENT}],"expected":1}}"#);
    let told = said("/v1/streams/note/1", &stale);
    assert_eq!(told, "stream note/1 is at revision 2, expected revision 1");
    assert_eq!(
        said("/v1/streams/no%20te/1", "{}").split(':').nth(2),
        Some(" holds the character ' '")
    );
    let unknown = said("/v1/nothing/1/do", "{}");
    assert!(unknown.ends_with("known are till"), "{unknown}");
}

#[test]
fn a_head_is_that_of_the_same_get_without_its_body() {
    let server = Server::start();
    server.note("default", "1", 2);
    let paths = ["/", "/v1/health/live", "/v1/health/ready", "/v1/openapi.json", "/v1/docs/"];
    let closed = ["/v1/events", "/v1/streams/note/1", "/v1/nothing", "/v1/health", "/metrics"];
    for path in paths.into_iter().chain(closed).chain(["/v1/greeting/hello", "/ui/sign-in"]) {
        let (get, head) = (server.get(path).send(), server.ask("HEAD", path).send_unread());
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        if !["/metrics", "/v1/health"].contains(&path) && get.status == 200 {
            assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
        }
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
    }
    // It ends, and leaves the place of a subscriber.
    let followed = server.ask("HEAD", "/v1/events/subscribe").send_unread();
    assert_eq!((followed.status, followed.header("content-type")), (200, "text/event-stream"));
}

#[test]
fn each_address_says_which_methods_it_takes() {
    let server = Server::start();
    for (path, allow) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/v1/events", "GET, HEAD, OPTIONS"),
        ("/v1/keys", "GET, HEAD, OPTIONS, POST"),
        ("/v1/till/1/pay", "OPTIONS, POST"),
    ] {
        let other = server.ask("PATCH", path).send();
        assert_eq!((other.status, other.header("allow")), (405, allow), "{path}");
        let asked = server.ask("OPTIONS", path).send();
        assert_eq!((asked.status, asked.header("allow")), (204, allow), "{path}");
    }
    assert_eq!(server.ask("OPTIONS", "/v1/nothing").send().status, 404);
}

#[test]
fn the_first_address_leads_people_to_the_pages_and_tells_programs_what_is_where() {
    let server = Server::start();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let shown = server.ask_anonymously("GET", "/").header("accept", browser).send();
    assert_eq!((shown.status, shown.header("location")), (303, "/ui"));
    let told = server.ask_anonymously("GET", "/").send();
    assert_eq!((told.status, &told.body["documentation"]), (200, &"/v1/docs/".into()));
}
