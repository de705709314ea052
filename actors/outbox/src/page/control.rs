//! An endpoint paused, resumed, disabled, and tried out.

use headwater::aggregate::{Command, Decide};
use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Admin, Caller};
use headwater::api::{Call, Problem};
use headwater::event::EventId;
use headwater::page::{Button, Confirm, Markup, Page, Weight, duration, facts, html};
use headwater::runtime::SendOptions;

use super::HOME;
use super::desk::{Desk, path};
use super::field::Field;
use super::state::verdict;
use crate::api::command::send_with;
use crate::api::sample::{TestDocument, try_out};
use crate::endpoint::{Disable, DisableCause, Endpoint, Pause, Resume};
use crate::plugin::Shared;

const REASON: Field = Field::new("reason", "Why");
pub(super) const INTENT: Field = Field::new("intent", "The name of the intent");

/// Asks whether an endpoint shall be held back.
pub(super) async fn ask_pause(
    Admin(caller): Admin,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let told = "It is sent nothing until it is resumed. What comes waits for it and is then sent \
                in order; nothing is lost.";
    ask(&call, &Desk::of(&call, &shared, &caller), ("Pause", "/pause"), told).await
}

/// Asks whether an endpoint shall be taken out of service.
pub(super) async fn ask_disable(
    Admin(caller): Admin,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let told = "It is out of service until it is resumed, and shown as disabled with your reason. \
                What comes waits for it and is then sent in order; nothing is lost.";
    ask(&call, &Desk::of(&call, &shared, &caller), ("Disable", "/disable"), told).await
}

/// Holds an endpoint back.
pub(super) async fn pause(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let (reason, intent) = reason(&mut call).await?;
    done(&call, &caller, Pause { reason }, ("pause", &intent)).await
}

/// Takes an endpoint out of service.
pub(super) async fn disable(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let (reason, intent) = reason(&mut call).await?;
    let cause = DisableCause::Operator { reason };
    done(&call, &caller, Disable { cause }, ("disable", &intent)).await
}

/// Lets an endpoint go on with what has waited.
pub(super) async fn resume(Admin(caller): Admin, call: Call) -> Result<HttpResponse, Problem> {
    done(&call, &caller, Resume {}, ("resume", "")).await
}

/// Sends a test message and shows what came of it.
pub(super) async fn test(
    Admin(caller): Admin,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let id = &*call.variable("id");
    let desk = Desk::of(&call, &shared, &caller);
    let came = try_out(&call, &shared, &desk.key(id)).await?;
    let page = Page::new("A test message")
        .under(HOME, "Outbox")
        .under(path(id, ""), id)
        .part(outcome(&came))
        .part(html! {
            div class="buttons" {
                (Button::leading(&path(id, ""), "Back to the endpoint", Weight::Plain))
                (Button::to(path(id, "/test"), "Send another"))
            }
        });
    Ok(call.show_once(&page))
}

/// Shows the answer of an endpoint: text of somebody else, which is shown as text.
pub(super) fn answer(response: Option<&str>) -> Markup {
    html! {
        section class="panel" {
            h2 { "Beginning of the answer" }
            @match response {
                Some(text) if !text.is_empty() => {
                    pre class="output" tabindex="0" aria-label="Answer" { (text) }
                }
                _ => { p class="soft" { "It sent none." } }
            }
        }
    }
}

/// Returns with which cause, author and intent a command of a form is sent: the same form sent
/// twice has one effect.
pub(super) fn options(
    call: &Call,
    caller: &Caller,
    intent: Option<&str>,
) -> Result<SendOptions, Problem> {
    let mut options = call.send_options(caller)?;
    let is_formed = |intent: &&str| {
        (1..=64).contains(&intent.len()) && intent.bytes().all(|byte| byte.is_ascii_graphic())
    };
    options.idempotency_key = intent.filter(is_formed).map(str::to_owned);
    Ok(options)
}

async fn ask(
    call: &Call,
    desk: &Desk,
    (verb, below): (&str, &str),
    told: &str,
) -> Result<HttpResponse, Problem> {
    let id = &*call.variable("id");
    desk.endpoint(id).await?;
    let fields = html! {
        (INTENT.hidden(&EventId::fresh().to_string()))
        (REASON.input("", "For whoever looks at it later; at most 200 bytes."))
    };
    let confirm = Confirm::to(path(id, below), &format!("{verb} {id}?"))
        .telling(html! { p { (told) } })
        .with(fields)
        .by(verb, Weight::Danger)
        .or_back_to(path(id, ""));
    let page = Page::new(format!("{verb} an endpoint"))
        .under(HOME, "Outbox")
        .under(path(id, ""), id)
        .part(confirm);
    Ok(call.show_once(&page))
}

async fn reason(call: &mut Call) -> Result<(Option<String>, String), Problem> {
    let fields = call.form(&[REASON.name, INTENT.name]).await?;
    let reason = Some(REASON.text(&fields)?).filter(|text| !text.is_empty());
    Ok((reason, INTENT.text(&fields)?))
}

async fn done<C: Command>(
    call: &Call,
    caller: &Caller,
    command: C,
    (done, intent): (&str, &str),
) -> Result<HttpResponse, Problem>
where
    Endpoint: Decide<C>,
{
    let id = &*call.variable("id");
    let options = options(call, caller, Some(intent))?;
    let sent = send_with(call.system(), (caller.tenant(), id), command, options).await;
    // The one field of these forms that may be wrong.
    sent.map_err(|problem| REASON.about(problem))?;
    Ok(call.see_other(&path(id, &format!("?done={done}"))))
}

fn outcome(came: &TestDocument) -> Markup {
    let status = came.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    html! {
        section class="panel" {
            h2 { "What came of it" }
            (facts([
                ("Outcome", verdict(came.verdict)),
                ("Status", html! { (status) }),
                ("Took", html! { (duration(came.took_us)) }),
                ("Error", html! { (came.error.as_deref().unwrap_or("none")) }),
            ]))
        }
        (answer(came.response.as_deref()))
    }
}
