//! The kit for tests: given/when/then, golden files, the conformance suite, faulty parts.

pub mod attack;
pub mod conformance;
pub mod disk;
mod faulty_store;
mod given;
mod given_rows;
pub mod golden;
mod pooler;
mod postgres;
mod process;
mod server;
mod skip;

pub use faulty_store::{AppendFault, FaultyStore};
pub use given::{Given, When, given, given_nothing};
pub use given_rows::{GivenRows, given_rows};
pub use pooler::ScratchPooler;
pub use postgres::{ScratchError, ScratchSchema};
pub use server::ScratchServer;
pub use skip::skip;

/// Compiles and runs the guide's examples.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/testing.md")]
mod guide {}
