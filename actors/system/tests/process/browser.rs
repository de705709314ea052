//! The pages in a real browser: what changes is seen at once, and nothing breaks their own rules.

use serde_json::json;

use super::harness::{Chromium, Fickle, Folder, Server};
use super::outbox::LOCAL;
use super::page::{add_product, register, wait_for_dead};

/// How wide screens are that people have, from a small telephone on.
const WIDTHS: [u32; 2] = [360, 1280];

/// Looks at a page on narrow and wide screens, in light and dark.
fn look(chromium: &Chromium, name: &str) {
    for width in WIDTHS {
        for scheme in ["light", "dark"] {
            chromium.appear(width, scheme);
            chromium.look(&format!("{name}-{width}-{scheme}"));
        }
    }
    chromium.assert_calm();
}

fn sign_in(chromium: &Chromium, server: &Server, path: &str) {
    chromium.open(&format!("http://{}{path}", server.address));
    look(chromium, "sign-in");
    chromium.type_into("#key", server.client.key());
    chromium.press("Sign in");
    chromium.wait_for("document.querySelector('.who')");
    assert_eq!(chromium.path(), path);
}

/// A shop with an endpoint that works, one that is paused, and one that fails.
fn fill(server: &Server, [good, bad]: [&Fickle; 2]) {
    good.recover();
    register(&server.client, "warehouse", &good.url);
    register(&server.client, "accounting", &good.url);
    let reason = json!({ "reason": "closed for the night" });
    server.client.command("/v1/endpoints/accounting/pause", "pause", &reason).unwrap().body_of(200);
    register(&server.client, "hook", &bad.url);
}

#[test]
fn a_failing_endpoint_is_seen_live_and_its_dead_letters_are_redriven_from_the_page() {
    let Some(chromium) = Chromium::start() else { return };
    let (folder, good, bad) = (Folder::new(), Fickle::start(), Fickle::start());
    let server = Server::start(&folder, &LOCAL);
    fill(&server, [&good, &bad]);
    sign_in(&chromium, &server, "/ui/outbox/hook");
    chromium.wait_for("document.querySelector('#live').textContent === 'Live'");
    // A page that is loaded anew forgets both.
    chromium.run("window.mark = 1; document.querySelector('#controls a').focus()");
    for id in ["RED", "BLUE", "GREEN"] {
        add_product(&server.client, id);
    }
    let rows = "document.querySelectorAll('#dead-table tbody tr').length";
    chromium.wait_for(&format!("{rows} === 3"));
    chromium.wait_for("document.querySelector('#attempts-chart rect.bad')");
    let kept = "window.mark === 1 && document.activeElement.textContent === 'Attempts'";
    assert_eq!(chromium.run(&format!("return {kept}")), true, "loaded anew, or lost the focus");
    look(&chromium, "endpoint");
    chromium.press("Redrive all");
    chromium.wait_for(
        "document.querySelector('.confirm h2').textContent.includes('3 dead letters of hook')",
    );
    look(&chromium, "redrive");
    bad.recover();
    chromium.press("Redrive 3 dead letters");
    chromium.wait_for(&format!("location.search === '?done=redrive' && {rows} === 0"));
    wait_for_dead(&server.client, "hook", 0);
    chromium.wait_for("document.querySelector('#attempts-chart rect.good')");
    look(&chromium, "endpoint-after");
    server.stop();
}

#[test]
fn attempts_are_searched_and_a_hostile_answer_does_nothing() {
    let Some(chromium) = Chromium::start() else { return };
    let (folder, good, bad) = (Folder::new(), Fickle::start(), Fickle::start());
    let server = Server::start(&folder, &LOCAL);
    fill(&server, [&good, &bad]);
    add_product(&server.client, "RED");
    // As long as a name may be, and nowhere to break it.
    add_product(&server.client, &"LONG".repeat(60));
    wait_for_dead(&server.client, "hook", 2);
    sign_in(&chromium, &server, "/ui/outbox/hook/attempts");
    chromium.click("#verdict option[value=failed]");
    chromium.type_into("#stream", "RED");
    chromium.press("Search");
    chromium.wait_for("location.search.includes('verdict=failed')");
    chromium.wait_for("document.querySelectorAll('#attempt-table tbody tr').length === 2");
    look(&chromium, "attempts");
    chromium.click("#attempt-table tbody a");
    chromium.wait_for("document.querySelector('pre').textContent.startsWith('<script>')");
    assert_eq!(chromium.run("return document.title.includes('owned')"), false);
    assert_eq!(chromium.run("return document.querySelectorAll('pre *').length"), 0);
    look(&chromium, "attempt");
    for (path, name) in [
        ("/ui", "overview"),
        ("/ui/outbox", "outbox"),
        ("/ui/outbox?q=nobody", "outbox-none"),
        ("/ui/outbox/hook", "long-names"),
        ("/ui/outbox/hook/attempts", "attempts-all"),
        ("/ui/outbox/hook/dead-letters", "dead-letters"),
        ("/ui/outbox/hook/retries", "retries"),
        ("/ui/outbox/hook/pause", "pause"),
        ("/ui/outbox/warehouse", "warehouse"),
    ] {
        chromium.open(&format!("http://{}{path}", server.address));
        look(&chromium, name);
    }
    server.stop();
}

#[test]
fn a_page_is_used_by_keyboard_and_its_faults_look_like_pages() {
    let Some(chromium) = Chromium::start() else { return };
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    sign_in(&chromium, &server, "/ui");
    chromium.type_into("body", "\u{e004}");
    let focused = "return document.activeElement.textContent";
    assert_eq!(chromium.run(focused), "Skip to content");
    chromium.type_into(".skip", "\u{e007}");
    chromium.wait_for("document.activeElement.id === 'main'");
    chromium.open(&format!("http://{}/ui/outbox/nobody", server.address));
    // The browser notes the status of the page itself as an error; nothing else may be one.
    let said = "document.querySelector('h1').textContent === 'Not found'";
    chromium.wait_for(said);
    for width in WIDTHS {
        chromium.appear(width, "light");
        chromium.look(&format!("fault-{width}"));
    }
    server.stop();
}
