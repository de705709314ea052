//! Given, when, then; the conformance suite; faulty parts.

mod faulty_store;

pub use faulty_store::{AppendFault, FaultyStore};
