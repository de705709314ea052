//! Why a schema was not changed; each variant says who acts.

use super::head::HeadError;
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
    /// The database has a step that this program does not. Operator: use the newer program.
    #[error("database has migration {capability}/{stem}, unknown here: use a newer program")]
    Newer {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
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
    /// A step failed. It was rolled back, or, without a transaction, is done again from its
    /// beginning by the next run. Developer or operator, as the cause says.
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
