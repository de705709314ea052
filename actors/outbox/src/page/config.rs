//! How an endpoint is set up, in words.

use headwater::page::{Markup, facts, html, moment, span, time};
use jiff::Timestamp;

use super::state::{place, sink};
use crate::api::document::EndpointDocument;
use crate::endpoint::{EndpointConfig, Filter, Ordering, Start};

/// Shows how an endpoint is set up; never a secret, a path or a header's value.
pub(super) fn shown(document: &EndpointDocument, now: Timestamp) -> Markup {
    let config = &document.config;
    let none_or = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    html! {
        section class="panel" {
            h2 { "Configuration" }
            (facts([
                ("Target", html! { (sink(&config.target)) " to " (place(&config.target)) }),
                ("Events", events(&config.filter)),
                ("Order", html! { (order(config.ordering)) }),
                ("Format", html! { code { (config.format.name()) } }),
                ("Requests", html! { (requests(config)) }),
                ("Retries", html! { (retries(config)) }),
                ("Disabled", html! {
                    "by itself after " (span(u64::from(config.disable_after_hours) * 3_600))
                    " of nothing but failures"
                }),
                ("Headers", html! { (none_or(document.headers.join(", "))) }),
                ("Start", html! { (start(document.start)) }),
                ("Registered", html! { (time(document.registered_at)) }),
                ("Signed with", signed(document, now)),
            ]))
        }
    }
}

fn events(filter: &Filter) -> Markup {
    let listed = |name: &str, list: &[String]| {
        (!list.is_empty()).then(|| format!("{name} {}", list.join(" or ")))
    };
    let tags = (!filter.tags.is_empty()).then(|| format!("tagged {}", filter.tags.join(" and ")));
    let parts = [listed("of category", &filter.categories), listed("of type", &filter.types), tags];
    let words: Vec<String> = parts.into_iter().flatten().collect();
    html! {
        @if words.is_empty() { "all" } @else { (words.join(", ")) }
        @if let Some(expression) = &filter.expression { ", where " code { (expression) } }
    }
}

const fn order(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::PerStream => "in each stream; a failed event holds back its stream",
        Ordering::Strict => "of the whole log; a failed event holds back everything",
        Ordering::None => "none; a failed event holds back nothing",
    }
}

fn requests(config: &EndpointConfig) -> String {
    let rate = match config.rate_per_second {
        Some(rate) => format!("{rate} a second"),
        None => "as many a second as it takes".to_owned(),
    };
    let timeout_s = f64::from(config.timeout_ms) / 1_000.0;
    let events = match config.batch {
        Some(batch) => format!(", up to {} events in each", batch.events_max),
        None => String::new(),
    };
    format!("{} at a time{events}, {rate}, {timeout_s} s for each", config.in_flight_max())
}

fn retries(config: &EndpointConfig) -> String {
    let delays = config.retry.delays_ms();
    let listed: Vec<String> = delays.iter().take(10).map(|ms| delay(*ms)).collect();
    let more = if delays.len() > 10 { ", …" } else { "" };
    format!("{}: after {}{more}", delays.len(), listed.join(", "))
}

fn delay(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { span(ms / 1_000) } else { format!("{ms} ms") }
}

fn start(start: Start) -> String {
    match start {
        Start::Now => "behind its registration".to_owned(),
        Start::Beginning => "with the first event".to_owned(),
        Start::After(position) => format!("behind position {position}"),
    }
}

fn signed(document: &EndpointDocument, now: Timestamp) -> Markup {
    let previous = document.previous_secret_until.filter(|until| *until > now);
    if !document.config.target.is_signed() {
        return html! { "nothing: only webhooks are signed" };
    }
    html! {
        @match previous {
            None => { "one secret" }
            Some(until) => { "two secrets; the old one ends " (moment(until, now)) }
        }
    }
}
