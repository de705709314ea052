//! Streams that wait for a retry: of each the first event that failed.

use std::rc::Rc;

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Problem};
use headwater::page::{Page, Render, Table, count, html, moment, with_query};
use headwater::sql::TxEngine;
use jiff::Timestamp;

use super::HOME;
use super::dead_letter::{event, last_error, stream};
use super::desk::{Desk, path};
use crate::api::after;
use crate::plugin::Shared;
use crate::table::{self, Waiting, WaitingEvent, WaitingPlace};

/// The most of a page.
const PAGE: usize = 50;

struct View {
    desk: Desk,
    id: String,
    after: Option<WaitingPlace>,
}

/// Shows every stream of an endpoint that waits for a retry.
pub(super) async fn show(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let after = after(&call.parameters(&["after"])?)?;
    let (desk, id) = (Desk::of(&call, &shared, &caller), call.variable("id").into_owned());
    let view = Rc::new(View { desk, id, after });
    call.show(move || {
        let view = Rc::clone(&view);
        async move { view.page().await }
    })
    .await
}

impl View {
    async fn page(&self) -> Result<Page, Problem> {
        self.desk.endpoint(&self.id).await?;
        let (key, page) = (self.desk.key(&self.id), (self.after.unwrap_or_default(), PAGE + 1));
        let work = move |tx: &mut dyn TxEngine| {
            table::waiting(tx, Waiting::Retries, (&key.tenant, &key.id), page)
        };
        let mut events = self.desk.shared.database().inspect(work).await?;
        let is_more = events.len() > PAGE;
        events.truncate(PAGE);
        let list = path(&self.id, "/retries");
        let last = events.last().filter(|_| is_more).map(|event| event.place().to_string());
        let next = last.map(|last| with_query(&list, &[("after", &last)]));
        let first = self.after.map(|_| list);
        let table = table(&events, self.desk.now()).paged(first, next);
        Ok(Page::new("Retries")
            .under(HOME, "Outbox")
            .under(path(&self.id, ""), &*self.id)
            .live("retries", table.render()))
    }
}

/// Lists events that are tried again.
pub(super) fn table(events: &[WaitingEvent], now: Timestamp) -> Table {
    let table = Table::new("retry-table", "Streams that wait for a retry")
        .texts(["Stream", "Event", "Next try"])
        .numbers(["Attempts", "Waiting behind"])
        .texts(["Last error"])
        .empty("Nothing waits for a retry.");
    events.iter().fold(table, |table, own| {
        table.row(
            &format!("{}-{}", own.position, own.replay),
            [
                stream(own),
                event(own),
                moment(own.at, now),
                html! { (count(own.attempts)) },
                html! { (count(own.waiting)) },
                html! { (last_error(own)) },
            ],
        )
    })
}
