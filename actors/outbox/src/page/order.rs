//! Orders about dead letters: first what they would do, then the question, then the order.

use headwater::aggregate::Receipt;
use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Admin;
use headwater::api::{Call, Parameters, Problem};
use headwater::event::EventId;
use headwater::page::{
    Confirm, Markup, Page, Tone, Weight, count, hidden, html, notice, text_field,
};

use super::HOME;
use super::control::options;
use super::dead_letter::table;
use super::desk::{Desk, path};
use super::selection::{Chosen, FIELDS};
use crate::api::command::send_with;
use crate::api::order::selected;
use crate::endpoint::{Discard, Redrive, Skip};
use crate::plugin::Shared;
use crate::table::WaitingEvent;

/// How many dead letters are shown before an order.
const FEW: usize = 20;

/// What is done with dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Redrive,
    Skip,
    Discard,
}

impl Kind {
    fn read(parameters: &Parameters) -> Result<Self, Problem> {
        match parameters.one("kind")? {
            Some("redrive") => Ok(Self::Redrive),
            Some("skip") => Ok(Self::Skip),
            Some("discard") => Ok(Self::Discard),
            _ => Err(Problem::field("query:kind", "must be redrive, skip or discard")),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Skip => "skip",
            Self::Discard => "discard",
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Redrive => "Redrive",
            Self::Skip => "Skip",
            Self::Discard => "Discard",
        }
    }

    const fn weight(self) -> Weight {
        match self {
            Self::Redrive => Weight::Main,
            Self::Skip | Self::Discard => Weight::Danger,
        }
    }

    /// Says what will happen, exactly.
    fn told(self, dead: u64, waiting: u64) -> String {
        let (these, are) = if dead == 1 { ("It", "is") } else { ("They", "are") };
        let behind = match waiting {
            0 => "Nothing waits behind.".to_owned(),
            waiting => format!("About {} wait behind.", events(waiting)),
        };
        let what = match self {
            Self::Redrive => {
                format!("{these} {are} sent again with the same ids, and then what waits behind.")
            }
            Self::Skip => {
                format!("{these} {are} never sent to this endpoint; what waits behind is sent.")
            }
            Self::Discard => format!(
                "{these} {are} never sent to this endpoint, nor is what waits behind now; what \
                 comes later is sent."
            ),
        };
        format!("{what} {behind} The order is an event of the endpoint, with the name of your key.")
    }
}

/// Shows what an order would do, and asks.
pub(super) async fn ask(
    Admin(caller): Admin,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let known: Vec<&str> = FIELDS.into_iter().chain(["kind"]).collect();
    let parameters = call.parameters(&known)?;
    let (kind, chosen) = (Kind::read(&parameters)?, Chosen::read(&parameters)?);
    let (desk, id) = (Desk::of(&call, &shared, &caller), &*call.variable("id"));
    // Says whether there is such an endpoint.
    desk.endpoint(id).await?;
    let dead = selected(&shared, &desk.key(id), &chosen.selection()).await?;
    let page = Page::new(format!("{} dead letters", kind.verb()))
        .under(HOME, "Outbox")
        .under(path(id, ""), id)
        .under(path(id, "/dead-letters"), "Dead letters");
    let page = match dead.last() {
        None => page.part(notice(
            Tone::Notice,
            html! {
                "No dead letter is chosen by this. "
                a href=(path(id, "/dead-letters")) { "See all dead letters" } "."
            },
        )),
        Some(last) => {
            let bounded = chosen.up_to(last.position);
            let few = dead.get(..FEW).unwrap_or(&dead);
            page.part(question(id, kind, &bounded, &dead))
                .part(table(&Desk { may_change: false, ..desk.clone() }, id, few, desk.now()))
                .part(more(dead.len()))
        }
    };
    Ok(call.show_once(&page))
}

/// Gives the order.
pub(super) async fn give(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let known: Vec<&str> = FIELDS.into_iter().chain(["kind", "rate", "intent"]).collect();
    let fields = call.form(&known).await?;
    let (kind, selection) = (Kind::read(&fields)?, Chosen::read(&fields)?.selection());
    let rate_per_second = match fields.one("rate")?.map(str::trim) {
        None | Some("") => None,
        Some(_) => fields.number("rate")?,
    };
    let options = options(&call, &caller, fields.one("intent")?)?;
    let id = &*call.variable("id");
    let (system, at) = (call.system(), (caller.tenant(), id));
    let _: Receipt = match kind {
        Kind::Redrive => {
            send_with(system, at, Redrive { selection, rate_per_second }, options).await?
        }
        Kind::Skip => send_with(system, at, Skip { selection }, options).await?,
        Kind::Discard => send_with(system, at, Discard { selection }, options).await?,
    };
    Ok(call.see_other(&path(id, &format!("?done={}", kind.name()))))
}

fn question(id: &str, kind: Kind, chosen: &Chosen, dead: &[WaitingEvent]) -> Confirm {
    let waiting = dead.iter().map(|event| event.waiting).sum();
    let (number, noun) = (dead.len() as u64, if dead.len() == 1 { "" } else { "s" });
    let asked = format!("{} {} dead letter{noun} of {id}?", kind.verb(), count(number));
    let fields = html! {
        (hidden("kind", kind.name()))
        (hidden("intent", &EventId::fresh().to_string()))
        (chosen.hidden())
        @if kind == Kind::Redrive {
            (text_field(
                "rate", "At most so many a second", "",
                "Empty means without bound. A bound keeps an outage from coming back.",
            ))
        }
    };
    Confirm::to(path(id, "/order"), &asked)
        .telling(html! { p { (kind.told(number, waiting)) } })
        .with(fields)
        .by(&format!("{} {} dead letter{noun}", kind.verb(), count(number)), kind.weight())
        .or_back_to(path(id, "/dead-letters"))
}

fn more(dead: usize) -> Markup {
    html! {
        @if dead > FEW { p class="soft" { "and " (count((dead - FEW) as u64)) " more" } }
    }
}

fn events(number: u64) -> String {
    format!("{} event{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_what_it_does_and_with_how_many() {
        let told = Kind::Skip.told(1, 1_200);
        assert!(told.contains("It is never sent"), "{told}");
        assert!(told.contains("About 1\u{202f}200 events wait behind."), "{told}");
        assert!(Kind::Discard.told(2, 0).contains("They are never sent"));
        assert!(Kind::Redrive.told(2, 0).contains("Nothing waits behind."));
    }
}
