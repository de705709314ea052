//! The layer before every page but those to sign in: a form of our own, a good key, its turn.

use std::sync::Arc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN};
use actix_web::middleware::Next;

use super::see_other;
use super::stream::wants_stream;
use crate::api::guard::{bearer, let_in};
use crate::api::keys::KeyText;
use crate::api::{ApiState, Problem, ProblemKind};
use crate::page::{SIGN_IN, came_from_here, of_cookies, with_query};

/// Who is not let in, and what is said instead.
enum Turned {
    /// They should sign in first.
    ToSignIn,
    /// Something else is wrong.
    Away(Problem),
}

/// Lets one request pass, leads to the form to sign in, or says why not.
pub(super) async fn guard<B: MessageBody + 'static>(
    state: Arc<ApiState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admit(&state, &request).await {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(Turned::Away(problem)) => Ok(request.error_response(problem)),
        Err(Turned::ToSignIn) if wants_stream(request.headers()) => {
            let ended = Problem::new(ProblemKind::Unauthenticated, "sign in first");
            Ok(request.error_response(ended))
        }
        Err(Turned::ToSignIn) => {
            let path = sign_in_path(&request);
            Ok(request.into_response(see_other(&path)))
        }
    }
}

/// Refuses a form that was sent from a page of somebody else.
pub(super) fn check_source(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let site = headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or_default());
    match came_from_here(site, text(ORIGIN), text(HOST)) {
        true => Ok(()),
        false => {
            let detail = "the form was not sent by a page of this server: open the page again \
                          and send it from there";
            Err(Problem::new(ProblemKind::Forbidden, detail).closing())
        }
    }
}

async fn admit(state: &ApiState, request: &ServiceRequest) -> Result<(), Turned> {
    check_source(request.method(), request.headers()).map_err(Turned::Away)?;
    if request.headers().contains_key(AUTHORIZATION) {
        let key = bearer(request.headers()).map_err(Turned::Away)?;
        return let_in(state, request, &key).await.map_err(Turned::Away);
    }
    let key = of_cookie(request.headers()).ok_or(Turned::ToSignIn)?;
    let_in(state, request, &key).await.map_err(|problem| match problem.kind() {
        ProblemKind::Unauthenticated => Turned::ToSignIn,
        _ => Turned::Away(problem),
    })
}

fn of_cookie(headers: &HeaderMap) -> Option<KeyText> {
    let texts = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    texts.filter_map(of_cookies).find_map(KeyText::parse)
}

/// A page that was asked for is gone on to; a form is lost and has to be filled in again.
fn sign_in_path(request: &ServiceRequest) -> String {
    let wanted = request.uri().path_and_query().map_or("", |wanted| wanted.as_str());
    match request.method() {
        &Method::GET if wanted != "/ui" => with_query(SIGN_IN, &[("next", wanted)]),
        _ => SIGN_IN.to_owned(),
    }
}
