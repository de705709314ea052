//! The pages of the outbox as they are used without JavaScript: read, and their forms sent.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Request;

use super::harness::{Client, Fickle, Folder, Place, Server, wait_until};
use super::outbox::LOCAL;

/// Looks at pages with a key, and sends their forms.
pub struct Reader {
    agent: ureq::Agent,
    base: String,
    key: String,
}

impl Reader {
    pub fn of(server: &Server, key: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)));
        let base = format!("http://{}", server.address);
        Self { agent: config.build().into(), base, key: key.to_owned() }
    }

    /// Returns the status, where it leads, and the page.
    pub fn ask(&self, method: &str, path: &str, form: &str) -> (u16, String, String) {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request
            .header("authorization", format!("Bearer {}", self.key))
            .header("origin", &self.base)
            .header("content-type", "application/x-www-form-urlencoded");
        let mut response = self.agent.run(request.body(form.to_owned()).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let place = response.headers().get("location").map_or("", |own| own.to_str().unwrap());
        (response.status().as_u16(), place.to_owned(), text)
    }

    pub fn open(&self, path: &str) -> String {
        let (status, _, text) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// Sends the one form by POST of a page with its hidden fields; returns where it leads.
    fn send_form_of(&self, page: &str, more: &str) -> String {
        let form = page.split("<form method=\"post\" action=\"").nth(2).unwrap();
        let action = form.split('"').next().unwrap();
        let fields: Vec<String> = form
            .split("</form>")
            .next()
            .unwrap()
            .split("<input type=\"hidden\" name=\"")
            .skip(1)
            .map(|input| {
                let mut parts = input.split('"');
                let name = parts.next().unwrap();
                format!("{name}={}", parts.nth(1).unwrap())
            })
            .collect();
        let (status, place, text) =
            self.ask("POST", action, &format!("{}{more}", fields.join("&")));
        assert_eq!(status, 303, "{text}");
        place
    }
}

/// Registers an endpoint that gives an event up after one retry.
pub fn register(client: &Client, id: &str, url: &str) {
    let body = json!({
        "id": id,
        "description": "<i>orders</i> for the warehouse",
        "target": { "kind": "webhook", "url": url, "headers": { "x-team": "hidden-value" } },
        "start": "beginning",
        "retry": [100],
    });
    client.command("/v1/endpoints", &format!("register-{id}"), &body).unwrap().body_of(201);
}

pub fn add_product(client: &Client, id: &str) {
    let body = json!({ "description": "A MUG" });
    let key = &id[..id.len().min(100)];
    client.command(&format!("/v1/product/{id}/add"), key, &body).unwrap().body_of(201);
}

pub fn wait_for_dead(client: &Client, endpoint: &str, count: usize) {
    wait_until("dead letters", || {
        let dead = client.get(&format!("/v1/endpoints/{endpoint}/dead-letters"));
        (dead["events"].as_array().unwrap().len() == count).then_some(())
    });
}

fn key(folder: &Folder, args: &[&str]) -> String {
    let made = folder.json(&[&["keys", "create", "other", "--json"], args].concat());
    made["key"].as_str().unwrap().to_owned()
}

fn assert_holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn dead_letters_are_redriven_by_a_form_after_the_page_has_said_how_many() {
    let (folder, receiver) = (Folder::new(), Fickle::start());
    let server = Server::start(&folder, &LOCAL);
    let reader = Reader::of(&server, server.client.key());
    register(&server.client, "hook", &receiver.url);
    for id in ["RED", "BLUE"] {
        add_product(&server.client, id);
    }
    wait_for_dead(&server.client, "hook", 2);
    let host = receiver.url.split('/').nth(2).unwrap();
    let list = reader.open("/ui/outbox");
    assert_holds(&list, &["href=\"/ui/outbox/hook\"", host, "&lt;i&gt;orders&lt;/i&gt;"]);
    for secret in ["secret-path", "hidden-value", "whsec_", "v1."] {
        assert!(!list.contains(secret), "{secret} is shown");
    }
    let none = reader.ask("GET", "/ui/outbox/hook/order?kind=redrive&type=Sold", "").2;
    assert_holds(&none, &["No dead letter is chosen by this"]);
    let asked = reader.open("/ui/outbox/hook/order?kind=redrive&type=Added");
    assert_holds(&asked, &["Redrive 2 dead letters of hook?", "RED", "BLUE", "sent again"]);
    receiver.recover();
    let place = reader.send_form_of(&asked, "&rate=50");
    assert_eq!(place, "/ui/outbox/hook?done=redrive");
    assert_holds(&reader.open(&place), &["Ordered: the dead letters are sent again"]);
    wait_for_dead(&server.client, "hook", 0);
    let order = &server.client.get("/v1/streams/endpoint/hook")["events"][1];
    assert_eq!((&order["type"], &order["metadata"]["who"]), (&json!("Ordered"), &json!("first")));
    assert_eq!(order["data"]["order"]["rate_per_second"], 50, "{order}");
    server.stop();
}

#[test]
fn an_endpoint_is_paused_with_a_reason_resumed_and_tried_out_by_forms() {
    let (folder, receiver) = (Folder::new(), Fickle::start());
    let server = Server::start(&folder, &LOCAL);
    let reader = Reader::of(&server, server.client.key());
    register(&server.client, "hook", &receiver.url);
    wait_until("the endpoint", || {
        (server.client.ask("GET", "/v1/endpoints/hook").status == 200).then_some(())
    });
    let asked = reader.open("/ui/outbox/hook/pause");
    assert_holds(&asked, &["Pause hook?", "nothing is lost"]);
    let place = reader.send_form_of(&asked, "&reason=night+shift");
    assert_eq!(place, "/ui/outbox/hook?done=pause");
    let paused = wait_until("the pause", || {
        let text = reader.open("/ui/outbox?state=paused&q=HOO");
        text.contains("night shift").then_some(text)
    });
    assert_holds(&paused, &["○</span>paused"]);
    assert_eq!(reader.ask("POST", "/ui/outbox/hook/resume", "").1, "/ui/outbox/hook?done=resume");
    let (status, _, came) = reader.ask("POST", "/ui/outbox/hook/test", "");
    assert_eq!(status, 200);
    assert_holds(&came, &["failed", "500", "&lt;script&gt;document.title"]);
    assert!(!came.contains("<script>document"), "{came}");
    server.stop();
}

#[test]
fn attempts_are_searched_and_what_an_endpoint_said_is_shown_as_text() {
    let place = Place::new();
    let (here, there) = (LOCAL.to_vec(), [&LOCAL[..], &["--read", &place.text]].concat());
    for args in [here, there] {
        search_attempts(&args);
    }
}

fn search_attempts(args: &[&str]) {
    let (folder, receiver) = (Folder::new(), Fickle::start());
    let server = Server::start(&folder, args);
    let reader = Reader::of(&server, server.client.key());
    let event = json!({ "events": [{ "type": "Noted", "data": {} }] });
    let path = "/v1/streams/note/%3Cb%3Ebold";
    server.client.command(path, "a", &event).unwrap().body_of(201);
    register(&server.client, "hook", &receiver.url);
    wait_for_dead(&server.client, "hook", 1);
    let found = reader.open("/ui/outbox/hook/attempts?status=5xx&verdict=failed&type=Noted");
    assert_holds(&found, &["&lt;b&gt;bold", "500", "<td role=\"cell\" data-label=\"Outcome\">"]);
    assert!(!found.contains("<b>bold"), "{found}");
    for nothing in ["status=2xx", "type=Sold", "stream=other", "event=x", "until=2020-01-01"] {
        let text = reader.open(&format!("/ui/outbox/hook/attempts?{nothing}"));
        assert_holds(&text, &["No attempt of those that are kept is like that"]);
    }
    let one = found.split("href=\"/ui/outbox/hook/attempts/").nth(1).unwrap();
    let one = format!("/ui/outbox/hook/attempts/{}", one.split('"').next().unwrap());
    let chart = reader.open("/ui/outbox/hook");
    assert_holds(&chart, &["<title>", ": 2 failed</title>"]);
    let shown = reader.open(&one);
    assert_holds(&shown, &["&lt;script&gt;document.title='owned'&lt;/script&gt;", "<dt>Took</dt>"]);
    assert!(!shown.contains("<script>document"), "{shown}");
    assert_eq!(reader.ask("GET", "/ui/outbox/hook/attempts/1.1.0", "").0, 404);
    assert_eq!(reader.ask("GET", "/ui/outbox/hook/attempts?since=noon", "").0, 400);
    server.stop();
}

#[test]
fn a_key_that_may_only_read_gets_no_controls_and_one_of_another_tenant_nothing() {
    let (folder, receiver) = (Folder::new(), Fickle::start());
    let server = Server::start(&folder, &LOCAL);
    register(&server.client, "hook", &receiver.url);
    add_product(&server.client, "RED");
    wait_for_dead(&server.client, "hook", 1);
    let reader = Reader::of(&server, &key(&folder, &["--scope", "read"]));
    let shown = reader.open("/ui/outbox/hook");
    assert_holds(&shown, &["This key may look, and change nothing.", "RED"]);
    for control in ["/pause", "/disable", "/order", "/resume", "/test"] {
        assert!(!shown.contains(control), "{control} leads on");
    }
    for below in ["/order?kind=skip", "/pause", "/disable"] {
        assert_eq!(reader.ask("GET", &format!("/ui/outbox/hook{below}"), "").0, 403, "{below}");
    }
    for below in ["/order", "/pause", "/disable", "/resume", "/test"] {
        assert_eq!(reader.ask("POST", &format!("/ui/outbox/hook{below}"), "").0, 403, "{below}");
    }
    let all = ["--tenant", "other", "--scope", "read", "--scope", "admin"];
    let stranger = Reader::of(&server, &key(&folder, &all));
    assert_holds(&stranger.open("/ui/outbox"), &["No endpoint yet"]);
    for below in ["", "/attempts", "/retries", "/dead-letters", "/order?kind=skip", "/pause"] {
        assert_eq!(stranger.ask("GET", &format!("/ui/outbox/hook{below}"), "").0, 404, "{below}");
    }
    let state: Value = server.client.get("/v1/endpoints/hook");
    assert_eq!(state["phase"], "active");
    server.stop();
}
