//! Orders about dead letters: first what they would do, then the question, then the order.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Admin;
use headwater::api::{Call, Parameters, Problem};
use headwater::event::EventId;
use headwater::page::{Confirm, Markup, Page, Tone, Weight, count, html, notice};

use super::HOME;
use super::control::{INTENT, options};
use super::dead_letter::table;
use super::desk::{Desk, path};
use super::field::Field;
use super::selection::{Chosen, FIELDS};
use crate::api::command::key;
use crate::api::order;
use crate::api::selection::{Selected, count_selected};
use crate::endpoint::{Order, OrderKind};
use crate::plugin::Shared;

const KIND: Field = Field::new("kind", "The order");
const RATE: Field = Field::new("rate", "At most so many a second");
/// How many dead letters are shown before an order.
const FEW: usize = 20;

/// Shows what an order would do, and asks.
pub(super) async fn ask(
    Admin(caller): Admin,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let known: Vec<&str> = FIELDS.into_iter().chain([KIND.name]).collect();
    let parameters = call.parameters(&known)?;
    let (kind, chosen) = (read(&parameters)?, Chosen::read(&parameters)?);
    let (desk, id) = (Desk::of(&call, &shared, &caller), &*call.variable("id"));
    // Says whether there is such an endpoint.
    desk.endpoint(id).await?;
    let dead = count_selected(&shared, &desk.key(id), &chosen.checked()?, FEW).await?;
    let page = Page::new(format!("{} dead letters", verb(kind)))
        .under(HOME, "Outbox")
        .under(path(id, ""), id)
        .under(path(id, "/dead-letters"), "Dead letters");
    let page = match dead.last {
        None => page.part(notice(
            Tone::Notice,
            html! {
                "No dead letter is chosen by this. "
                a href=(path(id, "/dead-letters")) { "See all dead letters" } "."
            },
        )),
        Some(last) => {
            let bounded = chosen.up_to(last.get());
            let desk = Desk { may_change: false, ..desk.clone() };
            page.part(question(id, kind, &bounded, &dead))
                .part(table(&desk, id, &dead.first, desk.now()))
                .part(more(dead.count))
        }
    };
    Ok(call.show_once(&page))
}

/// Gives the order.
pub(super) async fn give(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let known: Vec<&str> = FIELDS.into_iter().chain([KIND.name, RATE.name, INTENT.name]).collect();
    let fields = call.form(&known).await?;
    let (kind, selection) = (read(&fields)?, Chosen::read(&fields)?.checked()?);
    let rate_per_second = RATE.number(&fields)?;
    let options = options(&call, &caller, fields.one(INTENT.name)?)?;
    let key = key(&caller, &call);
    let order = Order { kind, selection, rate_per_second };
    // What was chosen is checked already, so a field at fault is the rate.
    let given = order::give(call.system(), &key, order, options).await;
    given.map_err(|problem| RATE.about(problem))?;
    let id = &key.id;
    Ok(call.see_other(&path(id, &format!("?done={}", kind.name()))))
}

fn question(id: &str, kind: OrderKind, chosen: &Chosen, dead: &Selected) -> Confirm {
    let (number, noun) = (dead.count, if dead.count == 1 { "" } else { "s" });
    let asked = format!("{} {} dead letter{noun} of {id}?", verb(kind), count(number));
    let fields = html! {
        (KIND.hidden(kind.name()))
        (INTENT.hidden(&EventId::fresh().to_string()))
        (chosen.hidden())
        @if kind == OrderKind::Redrive {
            (RATE.input("", "Empty means without bound. A bound keeps an outage from coming back."))
        }
    };
    Confirm::to(path(id, "/order"), &asked)
        .telling(html! { p { (told(kind, number, dead.waiting)) } })
        .with(fields)
        .by(&format!("{} {} dead letter{noun}", verb(kind), count(number)), weight(kind))
        .or_back_to(path(id, "/dead-letters"))
}

fn more(dead: u64) -> Markup {
    let more = dead.saturating_sub(FEW as u64);
    html! {
        @if more > 0 { p class="soft" { "and " (count(more)) " more" } }
    }
}

fn read(parameters: &Parameters) -> Result<OrderKind, Problem> {
    let name = KIND.text(parameters)?;
    let kind = OrderKind::OF_DEAD_LETTERS.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| KIND.wrong("must be redrive, skip or discard"))
}

const fn verb(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Redrive => "Redrive",
        OrderKind::Skip => "Skip",
        OrderKind::Discard => "Discard",
        OrderKind::Replay => "Replay",
    }
}

const fn weight(kind: OrderKind) -> Weight {
    match kind {
        OrderKind::Redrive | OrderKind::Replay => Weight::Main,
        OrderKind::Skip | OrderKind::Discard => Weight::Danger,
    }
}

/// Says what will happen, exactly.
fn told(kind: OrderKind, dead: u64, waiting: u64) -> String {
    let (these, are) = if dead == 1 { ("It", "is") } else { ("They", "are") };
    let behind = match waiting {
        0 => "Nothing waits behind.".to_owned(),
        waiting => format!("About {} wait behind.", events(waiting)),
    };
    let what = match kind {
        OrderKind::Redrive | OrderKind::Replay => {
            format!("{these} {are} sent again with the same ids, and then what waits behind.")
        }
        OrderKind::Skip => {
            format!("{these} {are} never sent to this endpoint; what waits behind is sent.")
        }
        OrderKind::Discard => format!(
            "{these} {are} never sent to this endpoint, nor is what waits behind now; what \
             comes later is sent."
        ),
    };
    format!("{what} {behind} The order is an event of the endpoint, with the name of your key.")
}

fn events(number: u64) -> String {
    format!("{} event{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_what_it_does_and_with_how_many() {
        let words = told(OrderKind::Skip, 1, 1_200);
        assert!(words.contains("It is never sent"), "{words}");
        assert!(words.contains("About 1\u{202f}200 events wait behind."), "{words}");
        assert!(told(OrderKind::Discard, 2, 0).contains("They are never sent"));
        assert!(told(OrderKind::Redrive, 2, 0).contains("Nothing waits behind."));
    }
}
