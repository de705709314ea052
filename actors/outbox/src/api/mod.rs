//! `/v1/endpoints`: endpoints, what they were sent, and what operators do about it.

mod attempt;
pub(crate) mod command;
mod control;
mod dead_letter;
pub(crate) mod document;
mod endpoint;
mod handshake;
pub(crate) mod known;
pub(crate) mod lookup;
pub(crate) mod order;
mod pull;
mod registration;
pub(crate) mod sample;
mod secret;
pub(crate) mod selection;
mod target;

use std::str::FromStr;
use std::sync::Arc;

use headwater::api::http::web::{self, Data};
use headwater::api::{Parameters, PluginRoutes, Problem};
use utoipa::OpenApi;

use crate::plugin::Shared;
use crate::table::PlaceError;

/// The part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    paths(
        registration::register,
        endpoint::list,
        endpoint::one,
        registration::change,
        control::remove,
        control::pause,
        control::resume,
        control::disable,
        secret::rotate_secret,
        attempt::list,
        dead_letter::list,
        dead_letter::retries,
        order::redrive,
        order::skip,
        order::discard,
        order::replay,
        sample::test,
        sample::example,
        pull::take,
        pull::ack::acknowledge,
    ),
    tags((name = "endpoints", description = "Where events go, and what became of them")),
)]
struct Document;

/// Returns the addresses of the outbox.
pub(crate) fn routes(shared: Arc<Shared>) -> PluginRoutes {
    let routes = PluginRoutes::new("endpoints", move |services| {
        services
            .app_data(Data::from(Arc::clone(&shared)))
            .route("", web::get().to(endpoint::list))
            .route("", web::post().to(registration::register))
            .route("/{id}", web::get().to(endpoint::one))
            .route("/{id}", web::put().to(registration::change))
            .route("/{id}", web::delete().to(control::remove))
            .route("/{id}/pause", web::post().to(control::pause))
            .route("/{id}/resume", web::post().to(control::resume))
            .route("/{id}/disable", web::post().to(control::disable))
            .route("/{id}/secret", web::post().to(secret::rotate_secret))
            .route("/{id}/attempts", web::get().to(attempt::list))
            .route("/{id}/dead-letters", web::get().to(dead_letter::list))
            .route("/{id}/retries", web::get().to(dead_letter::retries))
            .route("/{id}/redrive", web::post().to(order::redrive))
            .route("/{id}/skip", web::post().to(order::skip))
            .route("/{id}/discard", web::post().to(order::discard))
            .route("/{id}/replay", web::post().to(order::replay))
            .route("/{id}/test", web::post().to(sample::test))
            .route("/{id}/example", web::get().to(sample::example))
            .route("/{id}/events", web::get().to(pull::take))
            .route("/{id}/acks", web::post().to(pull::ack::acknowledge));
    });
    routes.pushing("events").documented(Document::openapi())
}

/// Reads behind which place a page begins.
pub(crate) fn after<T: FromStr<Err = PlaceError>>(
    parameters: &Parameters,
) -> Result<Option<T>, Problem> {
    let read = |text: &str| text.parse();
    let wrong = |error: PlaceError| Problem::field("query:after", error.to_string());
    parameters.one("after")?.map(read).transpose().map_err(wrong)
}
