//! `/ui/sign-in` and `/ui/sign-out`: a key for the browser, checked like any other.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, ORIGIN, RETRY_AFTER, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse};

use super::guard::check_source;
use super::{around, html_reply, see_other};
use crate::api::keys::KeyText;
use crate::api::{ApiState, Call, Problem, ProblemKind};
use crate::page::{Page, SIGN_IN, cookie, no_cookie, safe_next, sign_in as sign_in_form};

/// Shows the form.
pub(super) async fn form(call: Call) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&["next"])?;
    let next = safe_next(parameters.one("next")?);
    Ok(shown(call.state(), StatusCode::OK, next, None))
}

/// Checks the key and gives it to the browser to keep.
pub(super) async fn sign_in(mut call: Call, request: HttpRequest) -> Result<HttpResponse, Problem> {
    check_source(request.method(), request.headers())?;
    let fields = call.form(&["key", "next"]).await?;
    let next = safe_next(fields.one("next")?);
    let text = fields.one("key")?.unwrap_or_default().trim();
    let refused = |words| Ok(shown(call.state(), StatusCode::UNAUTHORIZED, next, Some(words)));
    let (state, address) = (call.state(), request.peer_addr().map(|peer| peer.ip()));
    let parsed = KeyText::parse(text);
    // Who has a key that works is let in, whatever others at the same address do.
    if !parsed.as_ref().is_some_and(|key| state.keys.remembers(key))
        && let Err(problem) = state.sign_ins.admit(address)
    {
        return Ok(held_up(state, &problem, next));
    }
    let Some(key) = parsed else {
        state.sign_ins.fail(address);
        return refused("This is no key: it is mistyped or cut. Copy the whole of it.");
    };
    match state.keys.authenticate(&key, address).await {
        Ok(_) => {
            let mut reply = see_other(next);
            keep(&mut reply, &cookie(key.reveal(), came_by_https(request.headers())));
            Ok(reply)
        }
        Err(problem) if problem.kind() == ProblemKind::RateLimited => {
            Ok(held_up(state, &problem, next))
        }
        Err(problem) if problem.kind() == ProblemKind::Unauthenticated => {
            state.sign_ins.fail(address);
            refused("This key is not known, has expired or was revoked.")
        }
        Err(problem) => Err(problem),
    }
}

/// Takes the key from the browser.
pub(super) async fn sign_out(request: HttpRequest) -> Result<HttpResponse, Problem> {
    check_source(request.method(), request.headers())?;
    let mut reply = see_other(SIGN_IN);
    keep(&mut reply, &no_cookie(came_by_https(request.headers())));
    Ok(reply)
}

fn shown(state: &ApiState, status: StatusCode, next: &str, fault: Option<&str>) -> HttpResponse {
    let page = Page::new("Sign in").part(sign_in_form(next, fault));
    html_reply(status, around(state, &page, (SIGN_IN, None)))
}

/// Shows the form again, and says how long to wait.
fn held_up(state: &ApiState, problem: &Problem, next: &str) -> HttpResponse {
    let seconds = problem.waits_s().unwrap_or(1);
    let words =
        format!("Too many wrong keys came from your address. Wait {seconds} s, then try again.");
    let mut reply = shown(state, StatusCode::TOO_MANY_REQUESTS, next, Some(&words));
    reply.headers_mut().insert(RETRY_AFTER, seconds.into());
    reply
}

fn keep(reply: &mut HttpResponse, cookie: &str) {
    if let Ok(value) = cookie.parse() {
        reply.headers_mut().append(SET_COOKIE, value);
    }
}

/// Returns whether the browser came by https: it says so itself in the origin of its form, so
/// no header of a proxy has to be believed.
fn came_by_https(headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok());
    origin.is_some_and(|origin| origin.starts_with("https://"))
}
