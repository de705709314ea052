//! Why a schema was not changed; each variant says who acts.

use super::head::{HeadError, Phase};
use crate::sql::SqlError;

/// Says why the schema was not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MigrationError {
    /// A step was edited after it had been done. Developer: restore it and add another step.
    #[error("migration {capability}/{stem} was changed after it was applied: restore its text")]
    Changed {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
    },
    /// The database lacks what only older programs use, this one among them. Operator: use the
    /// newer program.
    #[error(
        "database has contract step {capability}/{stem} of a newer program, which takes away \
         what this one may need: use the newer program, or undo the step: headwater migrate down"
    )]
    Newer {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
    },
    /// A step is wanted that comes after one which is left to an operator. Operator: migrate.
    #[error(
        "migration {capability}/{stem} comes after {phase} step {behind}, which is not done by \
         itself: run `headwater migrate up`"
    )]
    Waits {
        /// The capability.
        capability: String,
        /// The step that is wanted.
        stem: String,
        /// The step that is left to the operator.
        behind: String,
        /// Its phase.
        phase: Phase,
    },
    /// A step is not done that must be. Operator: migrate, or start a server, which does.
    #[error("migration {capability}/{stem} is not done: run `headwater migrate up`")]
    Pending {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
    },
    /// Programs that run need what the step takes away. Operator: replace or stop them.
    #[error(
        "migration {capability}/{stem} would take away what running programs need: {nodes}; \
         {way} them, or stop them, and try again (one that was killed counts until it has been \
         silent for as long as it said)"
    )]
    InUse {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
        /// Who runs, in which version, and what each knows.
        nodes: String,
        /// What to do with them besides stopping them.
        way: &'static str,
    },
    /// There is no such step. Caller: name another.
    #[error("no step {capability}/{number} is known: see `headwater migrate status`")]
    UnknownStep {
        /// The capability asked for.
        capability: String,
        /// The number asked for.
        number: u32,
    },
    /// The text with which a newer program would undo its step cannot be used. Operator.
    #[error("the stored text that undoes {capability}/{stem} {problem}: undo it with its program")]
    Stored {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A step is not numbered as its place says, or an earlier one is missing. Developer.
    #[error("migration {capability}/{stem} is out of order: number steps from 0001 without gaps")]
    Order {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
    },
    /// There is no such capability. Caller: name another.
    #[error("no migrations of capability {capability:?} are known")]
    UnknownCapability {
        /// The capability asked for.
        capability: String,
    },
    /// A step failed. It was rolled back, or is gone on with by the next run: a backfill where it
    /// stopped, a step without a transaction from its beginning. Developer or operator, as the cause says.
    #[error("migration {capability}/{stem} failed: {source}; correct the cause and migrate again")]
    Failed {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
        /// What the engine says.
        source: SqlError,
    },
    /// The head of a step cannot be read. Developer.
    #[error("migration {capability}/{stem}, {source}")]
    Head {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
        /// What is wrong with it.
        source: HeadError,
    },
    /// Another runner was at work for as long as this one may wait. Operator: let it end.
    #[error("migrations are being run by {holder}: wait for it and try again, or end its session")]
    Busy {
        /// Who, since when, and the server's number of the session.
        holder: String,
    },
    /// The session that kept other runners away was lost and another runner has begun. Nobody:
    /// that one goes on.
    #[error("another runner has taken over: see `headwater migrate status`")]
    Superseded,
    /// The table of done steps cannot be read.
    #[error(transparent)]
    Sql(#[from] SqlError),
}
