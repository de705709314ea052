//! Pages under `/ui`: signing in, what is refused, what a page is made of, what is live.

use std::num::NonZeroU32;

use headwater::api::keys::{self, Scope};
use headwater::api::{ServeError, serve};
use headwater::event::Tenant;
use headwater::runtime::System;
use headwater::store::MemoryStore;
use jiff::Timestamp;

use crate::server::Server;
use crate::visitor::{Browser, Visitors};

fn admin(server: &Server) -> Browser {
    Browser::signed_in(server, server.admin.text.reveal())
}

#[test]
fn a_page_without_a_key_leads_to_the_form_and_back() {
    let server = Server::start();
    let mut browser = Browser::of(&server);
    let turned = browser.open("/ui/visitors?name=a%26b");
    assert_eq!(turned.status, 303);
    let form = "/ui/sign-in?next=%2Fui%2Fvisitors%3Fname%3Da%2526b";
    assert_eq!(turned.header("location"), form);
    browser.open(form).assert_holds(&["value=\"/ui/visitors?name=a%26b\"", "type=\"password\""]);
    let next = ("next", "/ui/visitors?name=a%26b");
    let shown = browser.send("/ui/sign-in", &[("key", server.admin.text.reveal()), next]);
    assert_eq!((shown.status, shown.header("location")), (303, "/ui/visitors?name=a%26b"));
    let cookie = shown.header("set-cookie");
    for part in ["Path=/ui", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    browser.cookie = cookie.split(';').next().unwrap().to_owned();
    browser.open("/ui/visitors").assert_holds(&["<b>default</b> first", "Sign out"]);
    let out = browser.send("/ui/sign-out", &[]);
    assert_eq!((out.status, out.header("location")), (303, "/ui/sign-in"));
    assert!(out.header("set-cookie").contains("headwater-key=; Path=/ui; Max-Age=0"));
}

#[test]
fn a_browser_that_came_by_https_keeps_the_key_for_https_alone() {
    let server = Server::start();
    let mut browser = Browser::of(&server);
    browser.origin = browser.origin.replace("http://", "https://");
    let shown = browser.send("/ui/sign-in", &[("key", server.admin.text.reveal())]);
    assert!(shown.header("set-cookie").ends_with("; Secure"), "{}", shown.header("set-cookie"));
}

#[test]
fn a_wrong_key_gets_the_form_again_with_words() {
    let server = Server::start();
    let browser = Browser::of(&server);
    let other = keys::KeyText::fresh().unwrap();
    for (key, words) in [("hw_nothing", "This is no key"), (other.reveal(), "not known")] {
        let shown = browser.send("/ui/sign-in", &[("key", key), ("next", "/ui/visitors")]);
        assert_eq!((shown.status, shown.header("set-cookie")), (401, ""));
        shown.assert_holds(&[words, "value=\"/ui/visitors\"", "name=\"key\""]);
        assert!(!shown.text.contains(key), "the key is shown");
    }
}

#[test]
fn signing_in_leads_nowhere_but_to_pages_of_ours() {
    let server = Server::start();
    let browser = Browser::of(&server);
    for next in ["https://evil.example/", "//evil.example", "/v1/events", "/ui/../v1"] {
        let key = ("key", server.admin.text.reveal());
        let shown = browser.send("/ui/sign-in", &[key, ("next", next)]);
        assert_eq!(shown.header("location"), "/ui", "{next}");
    }
}

#[test]
fn a_revoked_key_opens_no_page_any_more() {
    let server = Server::start();
    let key = server.key("default", &[Scope::Read]);
    let browser = Browser::signed_in(&server, key.text.reveal());
    assert_eq!(browser.open("/ui").status, 200);
    assert_eq!(server.ask("DELETE", &format!("/v1/keys/{}", key.info.id)).send().status, 204);
    assert_eq!(browser.open("/ui").header("location"), "/ui/sign-in");
    let stream = browser.run("GET", "/ui", "", &[("accept", "text/event-stream")]);
    assert_eq!(stream.status, 401);
}

#[test]
fn a_form_of_another_site_is_refused() {
    let server = Server::start();
    let mut browser = admin(&server);
    let greet = |browser: &Browser| browser.send("/ui/visitors/greet", &[("name", "a")]);
    assert_eq!(greet(&browser).header("location"), "/ui/visitors?name=greeted");
    let media = ("content-type", "application/x-www-form-urlencoded");
    let sites = [("same-origin", 303), ("same-site", 403), ("cross-site", 403), ("none", 403)];
    for (site, status) in sites {
        let headers = [media, ("sec-fetch-site", site)];
        assert_eq!(browser.run("POST", "/ui/visitors/greet", "name=a", &headers).status, status);
    }
    for origin in ["http://evil.example", "null", ""] {
        origin.clone_into(&mut browser.origin);
        let refused = greet(&browser);
        assert_eq!(refused.status, 403, "{origin}");
        refused.assert_holds(&["not sent by a page of this server"]);
        assert_eq!(browser.send("/ui/sign-in", &[("key", "x")]).status, 403);
        assert_eq!(browser.send("/ui/sign-out", &[]).status, 403);
    }
}

#[test]
fn pages_and_their_faults_load_nothing_but_our_own_style_and_script() {
    let server = Server::start();
    let browser = admin(&server);
    let paths = ["/ui", "/ui/", "/ui/visitors", "/ui/visitors/fail", "/ui/none", "/ui/sign-in"];
    for path in paths {
        let shown = browser.open(path);
        let policy = shown.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{path}: {policy}");
        assert!(policy.ends_with("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(shown.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(shown.header("cache-control"), "no-store", "{path}");
        assert_eq!(shown.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(shown.header("x-content-type-options"), "nosniff", "{path}");
        let text = shown.text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http") && !text.contains("style="), "{path}: {text}");
    }
}

#[test]
fn what_goes_wrong_is_a_page_with_its_status_and_correlation_id() {
    let server = Server::start();
    let browser = admin(&server);
    for (path, status, words) in [
        ("/ui/visitors/fail", 404, "No &lt;b&gt;such&lt;/b&gt; visitor."),
        ("/ui/none", 404, "There is no page at this address."),
        ("/ui/visitors?nam=a", 400, "is not known here"),
        ("/ui/visitors/panic", 500, "panicked"),
    ] {
        let shown = browser.open(path);
        assert_eq!(shown.status, status, "{path}");
        shown.assert_holds(&[words, shown.header("x-correlation-id"), "<h1>"]);
    }
    let reply = server.get("/v1/none").send();
    assert_eq!(reply.problem(), "not-found", "the API still speaks JSON");
}

#[test]
fn a_page_demands_the_scopes_that_its_handler_names() {
    let server = Server::start();
    let reader = server.key("default", &[Scope::Read]);
    let reader = Browser::signed_in(&server, reader.text.reveal());
    assert_eq!(reader.open("/ui/visitors").status, 200);
    let refused = reader.send("/ui/visitors/greet", &[("name", "a")]);
    assert_eq!(refused.status, 403);
    refused.assert_holds(&["Key lacks the scope admin"]);
    let writer = server.key("default", &[Scope::Write]);
    let writer = Browser::signed_in(&server, writer.text.reveal());
    assert_eq!(writer.open("/ui/visitors").status, 403);
    let overview = writer.open("/ui");
    overview.assert_holds(&["This key may not read", "Who was here"]);
    assert!(!overview.text.contains("Projections"), "{}", overview.text);
}

#[test]
fn the_overview_shows_the_program_its_parts_and_its_pages() {
    let server = Server::start_with(|config| config.operator = Tenant::default_tenant());
    let shown = admin(&server).open("/ui");
    shown.assert_holds(&[
        "<title>Overview · Headwater</title>",
        "<a href=\"/ui/visitors\">Visitors</a>",
        "Head of the log",
        "memory",
        "SQLite",
        "tills",
        "Nodes",
    ]);
    let other = server.key("other", &Scope::ALL);
    let other = Browser::signed_in(&server, other.text.reveal()).open("/ui");
    other.assert_holds(&["tills"]);
    assert!(!other.text.contains("Nodes"), "{}", other.text);
}

#[test]
fn a_key_in_the_header_opens_pages_too() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.admin.text.reveal());
    let browser = Browser::of(&server);
    assert_eq!(browser.run("GET", "/ui", "", &[("authorization", &bearer)]).status, 200);
    let refused = browser.run("GET", "/ui", "", &[("authorization", "Bearer hw_x")]);
    assert_eq!(refused.status, 401);
    refused.assert_holds(&["href=\"/ui/sign-in\""]);
}

#[test]
fn a_key_that_asks_too_often_gets_a_page_that_says_so() {
    let server = Server::start_with(|config| {
        config.limits.rate_per_second = NonZeroU32::new(1);
        config.limits.rate_burst = NonZeroU32::new(2).unwrap();
    });
    let browser = admin(&server);
    for _ in 0..2 {
        assert_eq!(browser.open("/ui").status, 200);
    }
    let last = browser.open("/ui");
    assert_eq!(last.status, 429);
    last.assert_holds(&["Key asks too often: wait"]);
}

#[test]
fn assets_never_change_under_their_name_and_need_no_key() {
    let server = Server::start();
    let browser = Browser::of(&server);
    let form = browser.open("/ui/sign-in").text;
    for kind in [".css", ".js"] {
        let end = form.find(&format!("{kind}\"")).unwrap() + kind.len();
        let start = form[..end].rfind('"').unwrap() + 1;
        let path = &form[start..end];
        let asset = browser.open(path);
        assert_eq!(asset.status, 200, "{path}");
        assert!(asset.header("cache-control").ends_with("immutable"));
        let tag = asset.header("etag").to_owned();
        assert!(path.contains(tag.trim_matches('"')), "{path} {tag}");
        let again = browser.run("GET", path, "", &[("if-none-match", &tag)]);
        assert_eq!((again.status, again.text.as_str()), (304, ""));
    }
    assert_eq!(browser.open("/ui/asset/page.css").status, 404);
}

#[test]
fn hostile_text_is_shown_as_text() {
    let server = Server::start();
    let shown = admin(&server).open("/ui/visitors?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    shown.assert_holds(&["value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\""]);
}

#[test]
fn what_changes_on_a_page_is_sent_to_who_follows_it_until_the_key_is_revoked() {
    let server = Server::start_with(|config| {
        config.limits.keys_cached_for = std::time::Duration::ZERO;
    });
    let key = server.key("default", &[Scope::Read]);
    let browser = Browser::signed_in(&server, key.text.reveal());
    let mut parts = browser.follow("/ui/visitors");
    assert_eq!(parts.next().unwrap(), r#"{"id":"head","html":"<p>head 0</p>"}"#);
    server.note("default", "a", 3);
    assert_eq!(parts.next().unwrap(), r#"{"id":"head","html":"<p>head 3</p>"}"#);
    let tenant = Tenant::default_tenant();
    let revoked = keys::revoke(&server.database, &tenant, &key.info.id, Timestamp::now());
    assert!(server.runtime.block_on(revoked).unwrap());
    assert_eq!(parts.next(), None);
}

#[test]
fn no_more_follow_than_may() {
    let server = Server::start_with(|config| config.limits.subscribers_max = 1);
    let browser = admin(&server);
    let mut first = browser.follow("/ui/visitors");
    assert!(first.next().is_some());
    let stream = ("accept", "text/event-stream");
    let second = browser.run("GET", "/ui/visitors", "", &[stream]);
    assert_eq!(second.status, 503);
}

#[test]
fn pages_under_the_name_of_others_keep_the_server_from_starting() {
    let server = Server::start();
    let refused = server.runtime.block_on(async {
        let system = System::builder(MemoryStore::shared(), server.database.clone());
        let system = system.plugin(Visitors("sign-in")).start().await.unwrap();
        serve(system, Default::default()).await.err().unwrap()
    });
    assert!(matches!(refused, ServeError::Reserved { name: "sign-in" }));
}

#[test]
fn wrong_keys_are_told_to_wait_and_a_key_in_use_is_let_in() {
    let server = Server::start();
    let key = server.admin.text.reveal();
    assert_eq!(server.get("/v1/events").send().status, 200);
    let browser = Browser::of(&server);
    let mut last = browser.send("/ui/sign-in", &[("key", "nonsense")]);
    let mut wrong = 1;
    while last.status == 401 {
        last = browser.send("/ui/sign-in", &[("key", "nonsense")]);
        wrong += 1;
    }
    assert_eq!((last.status, wrong), (429, 12));
    assert!(last.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert!(last.text.contains("Too many wrong keys came from your address"), "{}", last.text);
    assert_eq!(browser.send("/ui/sign-in", &[("key", key)]).status, 303);
}
