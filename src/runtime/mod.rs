//! The actors: the only actix code. Shells around the pure verbs that own all I/O.
//!
//! A [`System`] is the handle to everything that runs. Commands go through the registry of
//! their aggregate type to a shard, which brings the aggregate into memory and hands it the
//! command; the aggregate's actor decides, appends, and answers when it is durable. What is
//! sent is answered: no restart, eviction or crash of an actor loses a command (G6), and
//! everything that waits has a bound (G9).
//!
//! Actors run on threads of the system's own, so a handle works from any thread and any
//! executor.

mod aggregate_actor;
mod arbiters;
mod batch;
mod builder;
mod catalog;
mod cause;
mod config;
mod contribution;
mod deciding;
mod earlier;
mod envelope;
mod error;
mod exit;
pub mod feed;
mod handle;
mod health;
mod heartbeat;
mod intake;
mod kind;
mod known_ids;
mod leased_actor;
mod metric;
mod outcome;
mod outcome_budget;
mod patience;
mod pipeline;
mod places;
mod projection_actor;
mod projection_owner;
mod read_models;
mod recovery;
mod registry;
mod report;
mod shard;
mod spec;
mod supervised_actor;
mod supervisor;
mod system;
mod tally;
mod trace;
mod world;

pub use builder::{StartError, SystemBuilder};
pub use catalog::JsonCommand;
pub use cause::caused_by;
pub use config::{RuntimeConfig, Supervision};
pub use contribution::Contribution;
pub use envelope::SendOptions;
pub use error::{AddressError, BodyError, JsonSendError, SendError};
pub use exit::ExitReason;
pub use handle::AggregateHandle;
pub use health::HealthCheck;
pub use heartbeat::Heartbeat;
pub use outcome::{CommandOutcome, OUTCOME_CATEGORY};
pub use projection_actor::ControlError;
pub use report::{ActorReport, SystemReport};
pub use spec::{AggregateSpec, CommandInfo};
pub use supervised_actor::{ActorContext, ActorError, ActorResult, ActorSpec};
pub use supervisor::{ActorState, ActorStatus};
pub use system::{Leftover, System, WeakSystem};
