//! From the log to receivers, through a running system.

mod asking;
mod batch;
mod bloat;
mod dead_letter;
mod handshake;
pub mod kit;
mod nodes;
mod operator;
mod order;
mod overdue;
mod reach;
mod schema;
