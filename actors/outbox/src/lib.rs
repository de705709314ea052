//! The outbox of Headwater: every event delivered at least once, in order.
//!
//! The log is the outbox record: the append that makes an event makes it deliverable, so there
//! is no second write to lose. What each endpoint still owes is a cursor, and rows for what
//! failed.

pub mod payload;
pub mod schedule;
pub mod secret;
pub mod webhook;
