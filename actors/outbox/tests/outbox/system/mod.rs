//! From the log to receivers, through a running system.

mod bloat;
mod dead_letter;
pub mod kit;
mod nodes;
mod operator;
mod order;
