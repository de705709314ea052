//! Every endpoint of the tenant: how it stands, what it owes, and whether anybody works for it.

use std::rc::Rc;

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Parameters, Problem};
use headwater::page::{
    Markup, Page, Render, Table, Tone, count, html, moment, notice, span, stat, stats, with_query,
};
use headwater::projection::RowQuery;
use jiff::Timestamp;

use super::HOME;
use super::desk::{Desk, path};
use super::field::Field;
use super::state::{CHOICES, State, place, shown, sink};
use crate::api::document::EndpointDocument;
use crate::api::lookup::{self, READ_MODEL};
use crate::dispatch::{SHARDS, Silence, silences};
use crate::plugin::Shared;
use crate::table;

const TEXT: Field = Field::new("q", "Name, description or target");
const STATE: Field = Field::new("state", "State");
/// Set by links alone.
const AFTER: Field = Field::new("after", "The id behind which the page begins");
/// The most endpoints that are looked at.
const ENDPOINTS_MAX: usize = RowQuery::LIMIT_MAX;
/// The most of a page.
const PAGE: usize = 50;

/// Which endpoints.
struct Choice {
    text: String,
    state: String,
    after: String,
}

struct View {
    desk: Desk,
    choice: Choice,
}

/// Shows the endpoints.
pub(super) async fn show(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&[TEXT.name, STATE.name, AFTER.name])?;
    let choice = Choice::read(&parameters)?;
    let view = Rc::new(View { desk: Desk::of(&call, &shared, &caller), choice });
    call.show(move || {
        let view = Rc::clone(&view);
        async move { view.page().await }
    })
    .await
}

impl View {
    async fn page(&self) -> Result<Page, Problem> {
        let desk = &self.desk;
        let mut query = RowQuery::of(READ_MODEL, desk.tenant.clone());
        query.limit = ENDPOINTS_MAX;
        let found = lookup::page(&desk.system, &desk.shared, query).await?;
        let silent = silences(&desk.shared).await?;
        let now = desk.now();
        let is_cut = found.next.is_some();
        Ok(Page::new("Outbox")
            .live("alarms", alarms(&silent, is_cut))
            .live("totals", totals(&found.endpoints, now))
            .part(self.choice.form())
            .live("endpoints", self.table(&found.endpoints, now)))
    }

    fn table(&self, endpoints: &[EndpointDocument], now: Timestamp) -> Markup {
        let table = Table::new("endpoint-table", "Endpoints")
            .texts(["Endpoint", "Target", "State"])
            .numbers([
                "Oldest undelivered",
                "Events behind",
                "Delivered",
                "Failed attempts",
                "Events waiting",
                "Dead letters",
            ])
            .texts(["Last moved"])
            .empty(self.choice.words_for_none(endpoints.is_empty()));
        let chosen = endpoints.iter().filter(|own| self.choice.takes(own));
        let behind = chosen.filter(|own| own.id.as_str() > self.choice.after.as_str());
        let page: Vec<_> = behind.take(PAGE + 1).collect();
        let next = page.len() > PAGE;
        let last = page.get(PAGE - 1).filter(|_| next).map(|own| own.id.as_str());
        let shown = page.iter().take(PAGE);
        let table = shown.fold(table, |table, own| table.row(&own.id, cells(own, now)));
        let first = (!self.choice.after.is_empty()).then(|| self.choice.path(""));
        table.paged(first, last.map(|last| self.choice.path(last))).render()
    }
}

impl Choice {
    fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let state = STATE.text(parameters)?;
        if !CHOICES.iter().any(|(known, _)| *known == state) {
            return Err(STATE.wrong("is none of those that endpoints have"));
        }
        Ok(Self { text: TEXT.text(parameters)?, state, after: AFTER.text(parameters)? })
    }

    fn takes(&self, document: &EndpointDocument) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(&self.text.to_lowercase());
        let description = document.config.description.as_deref().unwrap_or_default();
        let target = &document.config.target;
        let is_named = holds(&document.id) || holds(description) || holds(&place(target));
        is_named && State::of(document).is_chosen(document, &self.state)
    }

    fn path(&self, after: &str) -> String {
        let fields = [(TEXT.name, &*self.text), (STATE.name, &self.state), (AFTER.name, after)];
        with_query(HOME, &fields)
    }

    fn form(&self) -> Markup {
        html! {
            form method="get" action=(HOME) class="panel filters" role="search" {
                div class="wide" {
                    (TEXT.input(&self.text, ""))
                }
                (STATE.select(&self.state, &CHOICES))
                div class="buttons" {
                    button class="button" type="submit" { "Filter" }
                    @if !self.text.is_empty() || !self.state.is_empty() {
                        a class="button quiet" href=(HOME) { "Clear" }
                    }
                }
            }
        }
    }

    const fn words_for_none(&self, is_new: bool) -> &'static str {
        if is_new {
            "No endpoint yet. Register one with POST /v1/endpoints."
        } else {
            "No endpoint is like that. Clear the filter to see all."
        }
    }
}

fn alarms(silent: &[Silence], is_cut: bool) -> Markup {
    let longest = silent.iter().map(|own| own.time).max().unwrap_or_default();
    html! {
        @if !silent.is_empty() {
            (notice(Tone::Bad, html! {
                b { "The dispatcher is silent. " }
                "Nobody has worked for " (silent.len()) " of " (SHARDS)
                " shards of the endpoints, the longest for " (span(longest.as_secs()))
                ": their events are not delivered. See the nodes and the health of the parts on the "
                a href="/ui" { "overview" } "."
            }))
        }
        @if is_cut {
            (notice(Tone::Notice, format!(
                "Only the first {} endpoints are looked at here.", count(ENDPOINTS_MAX as u64)
            )))
        }
    }
}

fn totals(endpoints: &[EndpointDocument], now: Timestamp) -> Markup {
    let standings = || endpoints.iter().filter_map(|own| own.delivery.as_ref());
    let sum = |of: fn(&table::Standing) -> u64| count(standings().map(of).sum());
    let oldest = standings().filter_map(|own| own.oldest_at).min();
    stats([
        stat("Endpoints", count(endpoints.len() as u64)),
        stat("Delivered", sum(|own| own.delivered)),
        stat("Failed attempts", sum(|own| own.failed)),
        stat("Events waiting", sum(|own| own.retrying + own.waiting)),
        stat("Dead letters", sum(|own| own.dead)),
        stat("Oldest undelivered", age(oldest, now)),
    ])
}

fn cells(document: &EndpointDocument, now: Timestamp) -> [Markup; 10] {
    let target = &document.config.target;
    let name = html! {
        a href=(path(&document.id, "")) { (document.id) }
        @if let Some(words) = &document.config.description { span class="under" { (words) } }
    };
    let goes = html! { (place(target)) span class="under" { (sink(target)) } };
    let state = shown(document, now);
    let none = || html! { "–" };
    let Some(own) = &document.delivery else {
        return [name, goes, state, none(), none(), none(), none(), none(), none(), none()];
    };
    let number = |number: u64| html! { (count(number)) };
    [
        name,
        goes,
        state,
        html! { (age(own.oldest_at, now)) },
        number(own.lag_events),
        number(own.delivered),
        number(own.failed),
        number(own.retrying + own.waiting),
        match own.dead {
            0 => number(0),
            dead => html! { a href=(path(&document.id, "/dead-letters")) { (count(dead)) } },
        },
        moment(own.updated_at, now),
    ]
}

/// Says how old the oldest event is that is neither delivered nor given up.
pub(super) fn age(oldest: Option<Timestamp>, now: Timestamp) -> String {
    oldest.map_or_else(
        || "none".to_owned(),
        |at| span(now.as_second().saturating_sub(at.as_second()).max(0).unsigned_abs()),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_alarm_says_for_how_many_shards_nobody_works() {
        let silence = Silence { shard: 2, time: Duration::from_secs(600) };
        let text = alarms(&[silence], false).into_string();
        assert!(text.contains("1 of 8 shards") && text.contains("10 min"), "{text}");
        assert_eq!(alarms(&[], false).into_string(), "");
    }
}
