//! Dead letters: events that were given up, and hold back what is behind them.

use std::rc::Rc;

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Problem};
use headwater::page::{
    Button, Markup, Page, Render, Table, Tone, Weight, count, html, moment, notice, with_query,
};
use headwater::sql::TxEngine;
use jiff::Timestamp;

use super::HOME;
use super::desk::{Desk, path};
use super::selection::{Chosen, FIELDS};
use crate::api::after;
use crate::api::selection::selected;
use crate::endpoint::{Ordering, Selection};
use crate::plugin::Shared;
use crate::table::{self, Waiting, WaitingEvent, WaitingPlace};

/// The most of a page.
const PAGE: usize = 50;

struct View {
    desk: Desk,
    id: String,
    chosen: Chosen,
    after: Option<WaitingPlace>,
}

/// Shows the dead letters of an endpoint that are chosen.
pub(super) async fn show(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let known: Vec<&str> = FIELDS.into_iter().chain(["after"]).collect();
    let parameters = call.parameters(&known)?;
    let view = Rc::new(View {
        desk: Desk::of(&call, &shared, &caller),
        id: call.variable("id").into_owned(),
        chosen: Chosen::read(&parameters)?,
        after: after(&parameters)?,
    });
    call.show(move || {
        let view = Rc::clone(&view);
        async move { view.page().await }
    })
    .await
}

impl View {
    async fn page(&self) -> Result<Page, Problem> {
        let document = self.desk.endpoint(&self.id).await?;
        let page =
            Page::new("Dead letters").under(HOME, "Outbox").under(path(&self.id, ""), &*self.id);
        let page = page.part(self.form());
        let selection = match self.chosen.checked() {
            Ok(selection) => selection,
            Err(fault) => return Ok(page.part(notice(Tone::Warn, fault.detail()))),
        };
        let mut events = self.events(&selection).await?;
        let is_more = events.len() > PAGE;
        events.truncate(PAGE);
        let table = table(&self.desk, &self.id, &events, self.desk.now());
        let list = path(&self.id, "/dead-letters");
        let first = self.after.map(|_| self.chosen.query(&list, &[]));
        let last = events.last().filter(|_| is_more).map(|event| event.place().to_string());
        let next = last.map(|last| self.chosen.query(&list, &[("after", &last)]));
        let is_strict = document.config.ordering == Ordering::Strict;
        Ok(page
            .live("orders", self.orders(events.is_empty(), is_strict))
            .live("dead", table.paged(first, next).render()))
    }

    async fn events(&self, selection: &Selection) -> Result<Vec<WaitingEvent>, Problem> {
        let (key, page) = (self.desk.key(&self.id), (self.after.unwrap_or_default(), PAGE + 1));
        if !self.chosen.is_all() {
            return selected(&self.desk.shared, &key, selection, page).await;
        }
        let work = move |tx: &mut dyn TxEngine| {
            table::waiting(tx, Waiting::DeadLetters, (&key.tenant, &key.id), page)
        };
        Ok(self.desk.shared.database().inspect(work).await?)
    }

    fn orders(&self, is_empty: bool, is_strict: bool) -> Markup {
        let to = |kind| self.chosen.query(&path(&self.id, "/order"), &[("kind", kind)]);
        let which = if self.chosen.is_all() { "all" } else { "these" };
        html! {
            @if !is_empty && self.desk.may_change {
                div class="buttons" {
                    (Button::leading(&to("redrive"), &format!("Redrive {which}"), Weight::Main))
                    (Button::leading(&to("skip"), &format!("Skip {which}"), Weight::Danger))
                    @if !is_strict {
                        (Button::leading(
                            &to("discard"), &format!("Discard {which}"), Weight::Danger,
                        ))
                    }
                }
            }
        }
    }

    fn form(&self) -> Markup {
        let list = path(&self.id, "/dead-letters");
        html! {
            form method="get" action=(list) class="panel filters" role="search" {
                (self.chosen.inputs())
                div class="buttons" {
                    button class="button" type="submit" { "Choose" }
                    @if !self.chosen.is_all() {
                        a class="button quiet" href=(list) { "Clear" }
                    }
                }
            }
        }
    }
}

/// Lists dead letters.
pub(super) fn table(desk: &Desk, id: &str, events: &[WaitingEvent], now: Timestamp) -> Table {
    let table = Table::new("dead-table", "Dead letters")
        .texts(["Stream", "Event", "Given up"])
        .numbers(["Attempts", "Waiting behind"])
        .texts(["Last error"])
        .empty("No dead letters: nothing was given up.");
    let table = if desk.may_change { table.texts(["Order"]) } else { table };
    events.iter().fold(table, |table, own| {
        let one = Chosen::at(own.position);
        let redrive = one.query(&path(id, "/order"), &[("kind", "redrive")]);
        let skip = one.query(&path(id, "/order"), &[("kind", "skip")]);
        let position = own.position.to_string();
        let tries = with_query(&path(id, "/attempts"), &[("position", &position)]);
        table.row(
            &format!("{}-{}", own.position, own.replay),
            [
                stream(own),
                event(own),
                moment(own.at, now),
                html! { a href=(tries) { (count(own.attempts)) } },
                html! { (count(own.waiting)) },
                html! { (last_error(own)) },
                // Left out with its column where the key may change nothing.
                html! {
                    span class="one-line" {
                        a href=(redrive) { "Redrive" } " · " a href=(skip) { "Skip" }
                    }
                },
            ],
        )
    })
}

/// Names the stream of an event.
pub(super) fn stream(event: &WaitingEvent) -> Markup {
    html! {
        (event.stream)
        span class="under" {
            (event.category)
            @if event.replay > 0 { ", of replay " (event.replay) }
        }
    }
}

/// Names an event.
pub(super) fn event(event: &WaitingEvent) -> Markup {
    html! {
        (event.event_type)
        span class="under one-line" { "position " (count(event.position)) ", revision " (event.revision) }
    }
}

/// Says what went wrong last.
pub(super) fn last_error(event: &WaitingEvent) -> String {
    match (&event.last_status, &event.last_error) {
        (Some(status), Some(error)) if !error.contains(&status.to_string()) => {
            format!("{status}: {error}")
        }
        (_, Some(error)) => error.clone(),
        (Some(status), None) => format!("answered {status}"),
        (None, None) => "–".to_owned(),
    }
}
