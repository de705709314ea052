//! The log of attempts: searched page by page, and one attempt with what the endpoint said.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Parameters, Problem, ProblemKind};
use headwater::event::Position;
use headwater::page::{
    Markup, Page, Table, count, duration, facts, html, select_field, text_field, time, with_query,
};
use headwater::sql::TxEngine;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::HOME;
use super::control::answer;
use super::desk::{Desk, path};
use super::state::verdict;
use crate::plugin::Shared;
use crate::table::{self, AttemptPlace, AttemptQuery, AttemptView, PlaceError};

/// The most of a page.
const PAGE: usize = 50;
const FIELDS: [&str; 9] =
    ["verdict", "status", "type", "stream", "event", "position", "since", "until", "after"];
const VERDICTS: [(&str, &str); 6] = [
    ("", "Any"),
    ("delivered", "Delivered"),
    ("failed", "Failed"),
    ("throttled", "Throttled"),
    ("refused", "Refused"),
    ("gone", "Gone"),
];
/// Classes of answers, with the least and the greatest status of each.
const CLASSES: [(&str, &str, (u16, u16)); 6] = [
    ("", "Any", (0, u16::MAX)),
    ("2xx", "2xx: taken", (200, 299)),
    ("3xx", "3xx: redirect", (300, 399)),
    ("4xx", "4xx: refused", (400, 499)),
    ("5xx", "5xx: failed", (500, 599)),
    ("none", "No answer", (0, 0)),
];

/// What is searched for: the fields of the form as they were sent.
struct Search([String; 9]);

/// Shows the attempts that are searched for, the latest first.
pub(super) async fn list(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let search = Search::read(&call.parameters(&FIELDS)?)?;
    let (desk, id) = (Desk::of(&call, &shared, &caller), &*call.variable("id"));
    desk.endpoint(id).await?;
    let query = search.query()?;
    let key = desk.key(id);
    let work = move |tx: &mut dyn TxEngine| table::attempts(tx, (&key.tenant, &key.id), &query);
    let mut attempts = shared.database().inspect(work).await?;
    let is_more = attempts.len() > PAGE;
    attempts.truncate(PAGE);
    let first = (!search.of("after").is_empty()).then(|| search.path(id, ""));
    let last = attempts.last().filter(|_| is_more);
    let next = last.map(|last| search.path(id, &last.place().to_string()));
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

impl Search {
    fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let mut fields = FIELDS.map(|_| String::new());
        for (field, name) in fields.iter_mut().zip(FIELDS) {
            *field = parameters.one(name)?.unwrap_or_default().trim().to_owned();
        }
        Ok(Self(fields))
    }

    fn of(&self, name: &str) -> &str {
        let at = FIELDS.iter().position(|own| *own == name);
        at.and_then(|at| self.0.get(at)).map_or("", String::as_str)
    }

    fn query(&self) -> Result<AttemptQuery, Problem> {
        let some = |name| Some(self.of(name)).filter(|text| !text.is_empty()).map(str::to_owned);
        let class = CLASSES.iter().find(|(name, ..)| *name == self.of("status"));
        let no_class = || Problem::field("query:status", "is no class of answers");
        let (_, _, status) = class.ok_or_else(no_class)?;
        let position = some("position").map(|text| {
            text.parse().map_err(|_| Problem::field("query:position", "is no position"))
        });
        let after = some("after").map(|text| text.parse());
        let wrong = |error: PlaceError| Problem::field("query:after", error.to_string());
        Ok(AttemptQuery {
            before: moment_of(self.of("until"), "query:until")?,
            after: after.transpose().map_err(wrong)?,
            since: moment_of(self.of("since"), "query:since")?,
            position: position.transpose()?.map(Position::new),
            verdict: some("verdict"),
            stream: some("stream"),
            event_type: some("type"),
            event_id: some("event"),
            status: *status,
            limit: PAGE + 1,
        })
    }

    fn path(&self, id: &str, after: &str) -> String {
        let own = FIELDS.iter().zip(&self.0).map(|(name, value)| match *name {
            "after" => ("after", after),
            name => (name, value.as_str()),
        });
        with_query(&path(id, "/attempts"), &own.collect::<Vec<_>>())
    }

    fn form(&self, id: &str) -> Markup {
        let home = path(id, "/attempts");
        let classes = CLASSES.map(|(name, words, _)| (name, words));
        html! {
            form method="get" action=(home) class="panel filters" role="search" {
                (select_field("verdict", "Outcome", self.of("verdict"), &VERDICTS))
                (select_field("status", "Answer", self.of("status"), &classes))
                (text_field("type", "Event type", self.of("type"), ""))
                (text_field("stream", "Stream", self.of("stream"), ""))
                (text_field("event", "Event id", self.of("event"), ""))
                (text_field("position", "Position", self.of("position"), ""))
                (text_field("since", "Since (UTC)", self.of("since"), "2026-01-31 12:00"))
                (text_field("until", "Before (UTC)", self.of("until"), "2026-01-31 13:00"))
                div class="buttons" {
                    button class="button" type="submit" { "Search" }
                    @if self.0.iter().any(|text| !text.is_empty()) {
                        a class="button quiet" href=(home) { "Clear" }
                    }
                }
            }
        }
    }
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
                verdict(&own.verdict),
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
                ("Outcome", verdict(&own.verdict)),
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

/// Reads a time of a form: with a zone, or else of UTC.
fn moment_of(text: &str, pointer: &str) -> Result<Option<Timestamp>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let read = text.parse().ok().or_else(|| civil().map(|zoned| zoned.timestamp()));
    let wrong = || Problem::field(pointer, "is not a time such as 2026-01-31 12:00");
    read.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(name: &str, value: &str) -> Search {
        Search(FIELDS.map(|own| if own == name { value.to_owned() } else { String::new() }))
    }

    #[test]
    fn times_without_a_zone_are_of_utc() {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for text in ["2026-01-31 12:00", "2026-01-31T12:00", "2026-01-31T13:00:00+01:00"] {
            assert_eq!(moment_of(text, "").unwrap(), Some(noon), "{text}");
        }
        assert_eq!(moment_of("", "").unwrap(), None);
        assert!(moment_of("noon", "").is_err());
    }

    #[test]
    fn a_class_of_answers_is_a_range_of_statuses() {
        assert_eq!(search("status", "4xx").query().unwrap().status, (400, 499));
        assert_eq!(search("status", "none").query().unwrap().status, (0, 0));
        assert!(search("status", "9xx").query().is_err());
    }
}
