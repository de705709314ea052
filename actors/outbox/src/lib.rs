//! The outbox of Headwater: every event delivered at least once, in order.
//!
//! The log is the outbox record: the append that makes an event makes it deliverable, so there
//! is no second write to lose. What each endpoint still owes is a cursor, and rows for what
//! failed.

mod api;
pub mod broker;
mod dispatch;
pub mod endpoint;
mod metric;
mod page;
pub mod payload;
mod plugin;
mod pull;
pub mod read_model;
pub mod schedule;
pub mod secret;
mod sink;
mod table;
pub mod webhook;

pub use plugin::{Outbox, OutboxConfig, OutboxError};
pub use table::MIGRATIONS;
