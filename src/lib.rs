//! Headwater: actor-based event sourcing. One log upstream; everything else flows from it.
//!
//! Domain code is four pure verbs: [`decide`](aggregate::Decide::decide) and
//! [`evolve`](aggregate::Aggregate::evolve) of an aggregate, `route` and `evolve` of a
//! projection. The [`runtime`] puts actors around them, the [`store`] keeps the log, the
//! [`sql`] module the read models, the [`api`] shows both over HTTP, and [`page`] to people.

pub mod aggregate;
pub mod api;
pub mod clock;
pub mod event;
#[cfg(doctest)]
mod handbook;
mod json;
pub mod nodes;
pub mod page;
pub mod plugin;
pub mod postgres;
pub mod projection;
pub mod runtime;
pub mod sql;
pub mod store;
pub mod telemetry;
pub mod test;

// The crates whose types stand in this crate's public interface, in the versions that fit. A domain
// uses them from here (`headwater::jiff::Timestamp`): another version in its `Cargo.toml` would be
// another type. The derives of serde, thiserror and utoipa need dependencies of their own;
// docs/start.md has the versions.
pub use actix_web;
pub use jiff;
pub use prometheus;
pub use serde;
pub use serde_json;
pub use utoipa;
pub use uuid;

/// Crates that the macros of this one name, so that their users need not depend on them.
#[doc(hidden)]
pub mod reexport {
    pub use jiff;
    pub use serde_json;
}
