//! `/ui/outbox`: endpoints, what they were sent, and what operators do about it, for people.

mod attempt;
mod config;
mod control;
mod dead_letter;
mod desk;
mod endpoint;
mod field;
mod history;
mod list;
mod order;
mod retry;
mod search;
mod selection;
mod state;

use std::sync::Arc;

use headwater::api::PageRoutes;
use headwater::api::http::web::{self, Data};

use crate::plugin::Shared;

/// Where these pages are.
const HOME: &str = "/ui/outbox";

/// Returns the pages of the outbox.
pub(crate) fn pages(shared: Arc<Shared>) -> PageRoutes {
    let routes = PageRoutes::new("outbox", "Outbox", move |services| {
        services
            .app_data(Data::from(Arc::clone(&shared)))
            .route("", web::get().to(list::show))
            .route("/{id}", web::get().to(endpoint::show))
            .route("/{id}/attempts", web::get().to(attempt::list))
            .route("/{id}/attempts/{place}", web::get().to(attempt::show))
            .route("/{id}/dead-letters", web::get().to(dead_letter::show))
            .route("/{id}/retries", web::get().to(retry::show))
            .route("/{id}/order", web::get().to(order::ask))
            .route("/{id}/order", web::post().to(order::give))
            .route("/{id}/pause", web::get().to(control::ask_pause))
            .route("/{id}/pause", web::post().to(control::pause))
            .route("/{id}/disable", web::get().to(control::ask_disable))
            .route("/{id}/disable", web::post().to(control::disable))
            .route("/{id}/resume", web::post().to(control::resume))
            .route("/{id}/test", web::post().to(control::test));
    });
    routes.about("Endpoints, what they were sent, and what they did not take")
}
