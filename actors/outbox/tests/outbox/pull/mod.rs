//! Consumers that ask a running server for an endpoint's events.

mod ack;
pub mod kit;
mod nodes;
mod phase;
mod push;
mod refusal;
mod sharing;
