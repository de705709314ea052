//! The kit for tests: given/when/then, golden files, the conformance suite, faulty parts.

mod faulty_store;
mod given;
mod given_rows;
pub mod golden;

pub use faulty_store::{AppendFault, FaultyStore};
pub use given::{Given, When, given, given_nothing};
pub use given_rows::{GivenRows, given_rows};
