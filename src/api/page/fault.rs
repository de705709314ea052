//! What goes wrong with a page, told as a page.

use actix_web::HttpResponse;

use super::html_reply;
use crate::api::ProblemKind;
use crate::page::{Link, Page, SIGN_IN, Shell, Tone, badge, facts, html, time};

/// Makes the page of a problem.
pub(in crate::api) fn fault(kind: ProblemKind, detail: &str, correlation_id: &str) -> HttpResponse {
    let status = kind.status();
    let page = Page::new(kind.title()).part(html! {
        section class="panel told" {
            p { (sentence(detail)) }
            (facts([
                ("Status", html! { (badge(Tone::Bad, status.as_str())) }),
                ("Correlation id", html! { code { (correlation_id) } }),
            ]))
        }
        div class="buttons" {
            @let way = way_out(kind);
            a class="button main" href=(way.to) { (way.words) }
        }
    });
    let made_at = time(jiff::Timestamp::now());
    let shell = Shell {
        navigation: &[],
        path: "/ui",
        visitor: None,
        version: env!("CARGO_PKG_VERSION"),
        made_at: &made_at,
    };
    html_reply(status, shell.around(&page))
}

/// Makes a sentence of what a program is told, which begins small and has no end.
fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).chain(['.']).collect()
}

fn way_out(kind: ProblemKind) -> Link {
    match kind {
        ProblemKind::Unauthenticated => Link::new(SIGN_IN, "Sign in"),
        _ => Link::new("/ui", "Go to the overview"),
    }
}
