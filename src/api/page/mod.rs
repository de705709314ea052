//! `/ui`: the pages of the program and of its plugins, behind a key like everything else.

mod asset;
mod call;
mod fault;
mod guard;
mod overview;
mod routes;
mod session;
mod stream;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, VARY,
};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

pub(super) use fault::fault;
pub use routes::PageRoutes;

use super::route::at;
use super::{ApiState, Problem, ProblemKind};
use crate::page::{Link, Markup, Page, SIGN_IN, SIGN_OUT, Shell, Visitor, time};

/// Pages load their own style and script from this server and nothing else from anywhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Returns whether an address is a page's, so that what goes wrong is told as a page.
pub(super) fn is_page(path: &str) -> bool {
    path == "/ui" || path.starts_with("/ui/")
}

/// Registers every page. What is not listed as open has the guard before it.
pub(super) fn configure(services: &mut ServiceConfig, state: &Arc<ApiState>) {
    let own = Arc::clone(state);
    services
        .service(at("/ui/asset/{name}", "GET", vec![web::get().to(asset::asset)]))
        .service(at(
            SIGN_IN,
            "GET, POST",
            vec![web::get().to(session::form), web::post().to(session::sign_in)],
        ))
        .service(at(SIGN_OUT, "POST", vec![web::post().to(session::sign_out)]))
        .service(
            web::scope("/ui")
                .configure(|services| closed(services, state))
                .default_service(web::to(nothing_here))
                .wrap(from_fn(move |request, next| guard::guard(Arc::clone(&own), request, next))),
        );
}

fn closed(services: &mut ServiceConfig, state: &ApiState) {
    for path in ["", "/"] {
        services.route(path, web::get().to(overview::overview));
    }
    for routes in state.system.routes::<PageRoutes>() {
        services.service(routes.scope());
    }
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(ProblemKind::NotFound, "there is no page at this address"))
}

/// Puts a page into its shell.
fn around(state: &ApiState, page: &Page, (path, visitor): (&str, Option<&Visitor>)) -> Markup {
    let mut navigation = vec![Link::new("/ui", "Overview")];
    let routes = state.system.routes::<PageRoutes>();
    navigation.extend(routes.iter().map(|own| Link::new(own.path(), own.title())));
    let made_at = time(state.clock.now());
    let shell = Shell {
        navigation: &navigation,
        path,
        visitor,
        version: env!("CARGO_PKG_VERSION"),
        made_at: &made_at,
    };
    shell.around(page)
}

/// Replies with a document.
fn html_reply(status: StatusCode, document: Markup) -> HttpResponse {
    let mut reply = HttpResponse::build(status);
    reply.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")));
    reply.insert_header((CONTENT_SECURITY_POLICY, POLICY));
    // With `no-referrer` browsers would send forms with the origin `null`.
    reply.insert_header((REFERRER_POLICY, HeaderValue::from_static("same-origin")));
    reply.insert_header((VARY, HeaderValue::from_static("accept")));
    reply.body(document.into_string())
}

/// Leads on to another page after a form.
fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", path)).finish()
}
