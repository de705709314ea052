//! One endpoint: how it stands, what waits, what it was sent, how it is set up.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Problem};
use headwater::page::{
    Button, Markup, Page, Tone, Weight, count, html, moment, notice, stat, stats,
};
use headwater::sql::TxEngine;
use jiff::Timestamp;

use super::desk::{Desk, path};
use super::{HOME, config, dead_letter, history, list, retry, state};
use crate::api::document::EndpointDocument;
use crate::endpoint::Phase;
use crate::plugin::Shared;
use crate::table::{self, Waiting, WaitingEvent, WaitingPlace};

/// How many waiting events are shown here.
const FEW: usize = 10;
/// How long a chart is good: it counts every attempt of an hour.
const CHART_FOR: Duration = Duration::from_secs(5);

struct View {
    desk: Desk,
    id: String,
    done: Option<&'static str>,
    chart: RefCell<Option<(Instant, Markup)>>,
}

/// Shows an endpoint.
pub(super) async fn show(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&["done"])?;
    let view = Rc::new(View {
        desk: Desk::of(&call, &shared, &caller),
        id: call.variable("id").into_owned(),
        done: parameters.one("done")?.and_then(done_words),
        chart: RefCell::new(None),
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
        let now = self.desk.now();
        let chart = self.chart().await?;
        let retries = self.waiting(Waiting::Retries).await?;
        let dead = self.waiting(Waiting::DeadLetters).await?;
        let page = Page::new(&*self.id).under(HOME, "Outbox");
        let page = match self.done {
            Some(words) => page.part(notice(Tone::Good, words)),
            None => page,
        };
        Ok(page
            .live("standing", standing(&document, now))
            .live("controls", self.controls(&document))
            .live("chart", chart)
            .live("dead", self.dead(&document, &dead, now))
            .live("retries", self.retries(&document, &retries, now))
            .part(config::shown(&document, now)))
    }

    async fn chart(&self) -> Result<Markup, Problem> {
        let kept = self.chart.borrow().clone();
        if let Some((_, chart)) = kept.filter(|(made_at, _)| made_at.elapsed() < CHART_FOR) {
            return Ok(chart);
        }
        let chart = history::chart(&self.desk, &self.id).await?;
        *self.chart.borrow_mut() = Some((Instant::now(), chart.clone()));
        Ok(chart)
    }

    async fn waiting(&self, which: Waiting) -> Result<Vec<WaitingEvent>, Problem> {
        let (tenant, id) = (self.desk.tenant.clone(), self.id.clone());
        let work = move |tx: &mut dyn TxEngine| {
            table::waiting(tx, which, (&tenant, &id), (WaitingPlace::default(), FEW))
        };
        Ok(self.desk.shared.database().inspect(work).await?)
    }

    fn controls(&self, document: &EndpointDocument) -> Markup {
        let to = |below| path(&self.id, below);
        let attempts = Button::leading(&to("/attempts"), "Attempts", Weight::Plain);
        html! {
            div class="buttons" {
                (attempts)
                @if self.desk.may_change {
                    @if !document.config.target.is_pulled() {
                        (Button::to(to("/test"), "Send a test"))
                    }
                    @if document.phase == Phase::Active {
                        (Button::leading(&to("/pause"), "Pause", Weight::Plain))
                        (Button::leading(&to("/disable"), "Disable", Weight::Danger))
                    } @else {
                        (Button::to(to("/resume"), "Resume").weight(Weight::Main))
                    }
                } @else {
                    span class="soft" { "This key may look, and change nothing." }
                }
            }
        }
    }

    fn retries(&self, document: &EndpointDocument, few: &[WaitingEvent], now: Timestamp) -> Markup {
        let all = document.delivery.as_ref().map_or(0, |own| own.retrying);
        let list = path(&self.id, "/retries");
        html! {
            (retry::table(few, now))
            @if few.len() == FEW {
                div class="buttons" {
                    (Button::leading(&list, &format!("See all {}", count(all)), Weight::Plain))
                }
            }
        }
    }

    fn dead(&self, document: &EndpointDocument, dead: &[WaitingEvent], now: Timestamp) -> Markup {
        let all = document.delivery.as_ref().map_or(0, |own| own.dead);
        let list = path(&self.id, "/dead-letters");
        html! {
            (dead_letter::table(&self.desk, &self.id, dead, now))
            @if !dead.is_empty() {
                div class="buttons" {
                    @if self.desk.may_change {
                        (Button::leading(
                            &path(&self.id, "/order?kind=redrive"), "Redrive all", Weight::Main,
                        ))
                    }
                    (Button::leading(
                        &list, &format!("Choose among {}", count(all.max(1))), Weight::Plain,
                    ))
                }
            }
        }
    }
}

fn standing(document: &EndpointDocument, now: Timestamp) -> Markup {
    let own = document.delivery.as_ref();
    let number = |of: fn(&table::Standing) -> u64| own.map_or(0, of);
    html! {
        @if let Some(words) = &document.config.description { p class="soft" { (words) } }
        @if let Some(warned) = &document.warned {
            (notice(Tone::Warn, format!(
                "It has only failed for {} % of the time after which it is disabled.",
                warned.percent,
            )))
        }
        (stats([
            stat("State", state::shown(document, now)),
            stat("Oldest undelivered", list::age(own.and_then(|own| own.oldest_at), now)),
            stat("Events behind", count(number(|own| own.lag_events))),
            stat("Delivered", count(number(|own| own.delivered))),
            stat("Failed attempts", count(number(|own| own.failed))),
            stat("Events waiting", count(number(|own| own.retrying + own.waiting))),
            stat("Dead letters", count(number(|own| own.dead))),
            stat("Last moved", html! {
                @match own { Some(own) => { (moment(own.updated_at, now)) } None => { "never" } }
            }),
        ]))
    }
}

/// Says what was done; anything else that an address asks for is not said.
fn done_words(done: &str) -> Option<&'static str> {
    let words = match done {
        "redrive" => "Ordered: the dead letters are sent again, and then what waits behind them.",
        "skip" => "Ordered: the dead letters are left out, and what waits behind them is sent.",
        "discard" => "Ordered: the dead letters and what waits behind them are left out.",
        "pause" => "Paused: what comes waits.",
        "resume" => "Resumed: what has waited is sent.",
        "disable" => "Disabled until it is resumed.",
        _ => return None,
    };
    Some(words)
}
