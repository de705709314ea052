//! The write side as pure types: an aggregate folds its events and decides commands.
//!
//! Nothing here is async, knows actors or does I/O. The runtime loads an aggregate by folding
//! its stream with [`Aggregate::evolve`], asks it with [`Decide::decide`], appends what it
//! answered at the revision it had, and only then replies.

mod command;
mod context;
mod receipt;
mod snapshot;

pub use command::{Command, Rejection};
pub use context::Context;
pub use receipt::Receipt;
pub use snapshot::{SnapshotCodec, SnapshotPolicy};

use crate::event::Event;

/// A consistency boundary: what its events add up to, and the rules over that.
///
/// `Default` is the state before the first event.
pub trait Aggregate: Default + Send + 'static {
    /// The events of its streams; their category is the aggregate's.
    type Event: Event;
    /// How its rules say no.
    type Rejection: Rejection;

    /// Folds one event. Total: history is never refused.
    fn evolve(&mut self, event: &Self::Event);

    /// Says how its state is kept as a snapshot; `None`, the default, means that it is always
    /// folded from its events.
    #[must_use]
    fn snapshots() -> Option<SnapshotPolicy<Self>> {
        None
    }
}

/// Decides one command: which events follow, or why not.
pub trait Decide<C: Command>: Aggregate {
    /// Returns the events that follow from the command, in order; none when there is nothing
    /// to do, for example because it is done already.
    ///
    /// It must depend on nothing but its arguments: it may be called again after a conflict.
    ///
    /// # Errors
    /// A rejection, in the domain's words, when the rules do not allow the command.
    fn decide(&self, command: C, context: &Context) -> Result<Vec<Self::Event>, Self::Rejection>;
}
