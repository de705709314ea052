//! The HTTP API: commands, raw events, read models and operation under `/v1`, pages under `/ui`.
//!
//! [`serve`] puts a [`System`](crate::runtime::System) behind actix-web. Every request passes
//! the gate (correlation, time bound, panics, problem documents, log) and, but for health and
//! documentation, the guard (key, rate). The tenant comes from the key and from nowhere else.

mod body;
mod border;
mod budget;
mod call;
mod charged;
mod config;
mod cursor;
mod drain;
mod gate;
mod guard;
mod idempotency;
pub mod keys;
mod listening;
mod methods;
mod openapi;
mod origin;
mod page;
mod place;
mod plugin_routes;
mod precondition;
mod problem;
mod problem_kind;
mod query;
mod readiness;
mod refusal;
mod reply;
mod route;
mod seats;
mod server;
mod state;

pub use call::Call;
pub use config::{ApiConfig, ApiLimits};
pub use listening::{Listening, event_stream};
pub use openapi::openapi;
pub use page::PageRoutes;
pub use plugin_routes::PluginRoutes;
pub use problem::{FieldError, Problem, ProblemDocument};
pub use problem_kind::ProblemKind;
pub use query::Parameters;
pub use route::RESERVED;
pub use server::{ApiServer, ServeError, serve};

/// The names of the web framework that routes of plugins are made of.
pub mod http {
    pub use actix_web::{HttpResponse, web};
}

use state::ApiState;
