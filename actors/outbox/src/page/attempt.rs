//! The log of attempts: searched page by page, and one attempt with what the endpoint said.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Problem, ProblemKind};
use headwater::page::{Markup, Page, Table, count, duration, facts, html, time, with_query};
use headwater::sql::TxEngine;

use super::HOME;
use super::control::answer;
use super::desk::{Desk, path};
use super::search::Search;
use super::state::verdict;
use crate::plugin::Shared;
use crate::table::{self, AttemptPlace, AttemptView};

/// The most of a page.
const PAGE: usize = 50;

/// Shows the attempts that are searched for, the latest first.
pub(super) async fn list(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let search = Search::read(&call.parameters(&Search::FIELDS)?)?;
    let (desk, id) = (Desk::of(&call, &shared, &caller), &*call.variable("id"));
    desk.endpoint(id).await?;
    let query = search.query(PAGE + 1);
    let key = desk.key(id);
    let work = move |tx: &mut dyn TxEngine| table::attempts(tx, (&key.tenant, &key.id), &query);
    let mut attempts = shared.database().inspect(work).await?;
    let is_more = attempts.len() > PAGE;
    attempts.truncate(PAGE);
    let first = search.is_continued().then(|| search.path(id, None));
    let last = attempts.last().filter(|_| is_more);
    let next = last.map(|last| search.path(id, Some(last.place())));
    let page = Page::new("Attempts")
        .under(HOME, "Outbox")
        .under(path(id, ""), id)
        .part(search.form(id))
        .part(attempt_table(id, &attempts).paged(first, next));
    Ok(call.show_once(&page))
}

/// Shows one attempt.
pub(super) async fn show(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let none = || {
        let detail = "the log has no such attempt: only a bounded number of them is kept";
        Problem::new(ProblemKind::NotFound, detail)
    };
    let (desk, id) = (Desk::of(&call, &shared, &caller), &*call.variable("id"));
    let one: AttemptPlace = call.variable("place").parse().map_err(|_| none())?;
    let key = desk.key(id);
    let work = move |tx: &mut dyn TxEngine| table::one_attempt(tx, (&key.tenant, &key.id), one);
    let attempt = shared.database().inspect(work).await?.ok_or_else(none)?;
    let page = Page::new(format!("Attempt {} of {}", attempt.attempt, attempt.event_type))
        .under(HOME, "Outbox")
        .under(path(id, ""), id)
        .under(path(id, "/attempts"), "Attempts")
        .part(details(id, &attempt))
        .part(answer(attempt.response.as_deref()));
    Ok(call.show_once(&page))
}

fn attempt_table(id: &str, attempts: &[AttemptView]) -> Table {
    let table = Table::new("attempt-table", "Attempts, the latest first")
        .texts(["Ended", "Outcome"])
        .numbers(["Status"])
        .texts(["Event", "Stream"])
        .numbers(["Attempt", "Took"])
        .texts(["Error"])
        .empty("No attempt of those that are kept is like that.");
    attempts.iter().fold(table, |table, own| {
        let place = own.place().to_string();
        table.row(
            &place,
            [
                html! {
                    a class="one-line" href=(path(id, &format!("/attempts/{place}"))) {
                        (time(own.at))
                    }
                },
                verdict(own.verdict),
                html! { (status(own)) },
                html! {
                    (own.event_type) span class="under one-line" { "position " (count(own.position)) }
                },
                html! { (own.stream) span class="under" { (own.category) } },
                html! { (own.attempt) },
                html! { (duration(own.took_us)) },
                html! { (own.error.as_deref().unwrap_or("–")) },
            ],
        )
    })
}

fn details(id: &str, own: &AttemptView) -> Markup {
    let others = with_query(&path(id, "/attempts"), &[("event", &own.event_id)]);
    html! {
        section class="panel" {
            (facts([
                ("Outcome", verdict(own.verdict)),
                ("Status", html! { (status(own)) }),
                ("Error", html! { (own.error.as_deref().unwrap_or("none")) }),
                ("Ended", html! { (time(own.at)) }),
                ("Took", html! { (duration(own.took_us)) }),
                ("Attempt", html! { (own.attempt) " (" a href=(others) { "all of this event" } ")" }),
                ("Event type", html! { (own.event_type) }),
                ("Event id", html! { code { (own.event_id) } }),
                ("Stream", html! { (own.category) " / " (own.stream) }),
                ("Position", html! { (count(own.position)) }),
                ("Part of", html! {
                    @if own.replay > 0 { "the replay ordered at revision " (own.replay) }
                    @else { "what comes" }
                }),
            ]))
        }
    }
}

fn status(own: &AttemptView) -> String {
    own.status.map_or_else(|| "–".to_owned(), |status| status.to_string())
}
