//! The dispatcher: reads the log and sends what endpoints owe.
//!
//! Each node has one [`directory`] actor, which folds the events of endpoints and reads the end
//! of the log once for all. The endpoints are split into shards, each worked by one node at a
//! time under a lease. In a shard every endpoint is a lane: a reader, a pure [`Backlog`] that
//! says what to send next, and the requests under way. Twice a second a shard stores what has
//! changed in all its lanes in one transaction, which counts only while it owns the shard.

mod backlog;
mod block;
mod breaker;
mod directory;
mod failing;
mod fetch;
mod lane;
mod pace;
mod reader;
mod shard;
mod sieve;
mod signal;
mod store;
mod tail;
mod watch;
mod window;

#[cfg(test)]
mod simulation;

pub(crate) use backlog::Now;
pub(crate) use block::{Block, BlockPhase, Head, LastFailure};
pub(crate) use directory::{Directory, Registered};
pub(crate) use pace::Paces;
pub(crate) use shard::{SHARDS, lease_of, shard_actor};
pub(crate) use watch::{Silence, check_dispatcher, silences};
pub(crate) use window::Line;
