//! Feeds projections from the log: the loop behind each, and the catalog of all of them.
//!
//! The pure types are in [`projection`](crate::projection); here the log is read, batches are
//! applied and committed with their checkpoint, and failures, rebuilds and operators' wishes
//! are dealt with. Nothing here is actix: a [`Runner`] is driven by whoever has an executor.

mod catalog;
mod error;
mod lane;
mod origin;
mod poison;
mod redrive;
mod runner;
mod swap;

pub use catalog::{Catalog, Readable};
pub use error::StepError;
pub use runner::Runner;
