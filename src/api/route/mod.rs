//! The addresses: which handler answers which, and who may ask.

pub(super) mod append;
pub(super) mod append_body;
pub(super) mod command;
pub(super) mod docs;
pub(super) mod document;
pub(super) mod event;
pub(super) mod health;
pub(super) mod key;
pub(super) mod metric;
pub(super) mod node;
pub(super) mod noop;
pub(super) mod projection;
pub(super) mod read_model;
pub(super) mod root;
pub(super) mod stream;
pub(super) mod subscribe;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, Resource, Route, Scope};

use super::guard::guard;
use super::origin::Origin;
use super::{ApiState, PluginRoutes, Problem, ProblemKind, methods, page};

/// First parts of fixed addresses, which no category of an aggregate may have.
pub const RESERVED: [&str; 10] = [
    "docs",
    "events",
    "health",
    "keys",
    "nodes",
    "noop",
    "openapi.json",
    "projections",
    "read",
    "streams",
];

/// Registers every address. What is not listed as open has the guard before it.
pub(super) fn configure(services: &mut ServiceConfig, state: &Arc<ApiState>) {
    services
        .service(at("/", "GET", vec![web::get().to(root::root)]))
        .service(at("/v1/health/live", "GET", vec![web::get().to(health::live)]))
        .service(at("/v1/health/ready", "GET", vec![web::get().to(health::ready)]))
        .service(at("/v1/openapi.json", "GET", vec![web::get().to(docs::openapi)]))
        .service(
            group("/v1/docs")
                .service(at("", "GET", vec![web::get().to(docs::docs_folder)]))
                .service(at("/{file:.*}", "GET", vec![web::get().to(docs::docs)])),
        );
    let own = Arc::clone(state);
    services.service(
        at("/metrics", "GET", vec![web::get().to(metric::metrics)])
            .wrap(from_fn(move |request, next| guard(Arc::clone(&own), request, next))),
    );
    let own = Arc::clone(state);
    services.service(
        web::scope("/v1")
            .configure(|services| closed(services, state))
            .default_service(web::to(nothing_here))
            .wrap(from_fn(move |request, next| guard(Arc::clone(&own), request, next))),
    );
    page::configure(services, state);
    services.default_service(web::to(nothing_here));
}

fn closed(services: &mut ServiceConfig, state: &ApiState) {
    services
        .service(at("/health", "GET", vec![web::get().to(health::detail)]))
        .service(at("/events", "GET", vec![web::get().to(event::read)]))
        .service(at("/events/subscribe", "GET", vec![web::get().to(subscribe::subscribe)]))
        .service(keys())
        .service(group("/nodes").service(at("", "GET", vec![web::get().to(node::list)])))
        .service(projections())
        .service(
            group("/read")
                .service(at("/{projection}", "GET", vec![web::get().to(read_model::page)]))
                .service(at("/{projection}/{key}", "GET", vec![web::get().to(read_model::one)])),
        )
        .service(streams());
    if state.config.bench_routes {
        services.service(at("/noop", "POST", vec![web::post().to(noop::noop)]));
    }
    for routes in state.system.routes::<PluginRoutes>() {
        services.service(routes.scope());
    }
    // Last, because it would match others; what begins like a fixed address is none.
    services.service(at("/{category}/{id}/{command}", "POST", vec![web::post().to(command::send)]));
}

fn keys() -> Scope {
    group("/keys")
        .service(at("", "GET, POST", vec![web::get().to(key::list), web::post().to(key::create)]))
        .service(at("/{key}", "DELETE", vec![web::delete().to(key::revoke)]))
}

fn projections() -> Scope {
    let operation = |name: &str, route| at(&format!("/{{name}}/{name}"), "POST", vec![route]);
    group("/projections")
        .service(at("", "GET", vec![web::get().to(projection::list)]))
        .service(operation("pause", web::post().to(projection::pause)))
        .service(operation("resume", web::post().to(projection::resume)))
        .service(operation("rebuild", web::post().to(projection::rebuild)))
}

fn streams() -> Scope {
    let (list, append_all) = (web::get().to(stream::list), web::post().to(append::append_all));
    let (read, append) = (web::get().to(stream::read), web::post().to(append::append));
    group("/streams")
        .service(at("", "GET, POST", vec![list, append_all]))
        .service(at("/{category}/{id}", "GET, POST", vec![read, append]))
        .service(at("/{category}/{id}/metadata", "GET", vec![web::get().to(stream::metadata)]))
}

/// Makes a group of addresses with the same beginning.
///
/// A beginning without variables is compared; an address with variables costs a regular
/// expression each time it is tried, and commands come behind all of them.
fn group(beginning: &str) -> Scope {
    web::scope(beginning).default_service(web::to(nothing_here))
}

/// Makes a resource that says which methods it takes when it is asked for another.
pub(super) fn at(path: &str, allow: &'static str, routes: Vec<Route>) -> Resource {
    let refuse = move |request: HttpRequest| async move {
        let allow: Vec<&str> = allow.split(", ").collect();
        methods::refuse(&request, &allow)
    };
    let resource = web::resource(path).default_service(web::to(refuse));
    routes.into_iter().fold(resource, Resource::route)
}

/// Replies where nothing is registered for the method, or nothing at all.
async fn nothing_here(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    if let Some(allow) = state.methods.of_path(request.path()) {
        return methods::refuse(&request, &allow);
    }
    Err(Problem::new(ProblemKind::NotFound, "no such address: see /v1/openapi.json"))
}

/// Returns the origin that the gate gave the request.
pub(super) fn origin_of(request: &HttpRequest) -> Rc<Origin> {
    let origin = request.extensions().get::<Rc<Origin>>().cloned();
    origin.unwrap_or_else(|| Rc::new(Origin::of(request.headers())))
}
