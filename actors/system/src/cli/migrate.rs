//! The command line of `migrate`.

use std::path::PathBuf;

use clap::Subcommand;
use headwater::sql::migration::Phase;

use super::{ServeArgs, SharedArgs};

/// A capability and the number of a step, as in `core/3`.
pub type StepName = (String, u32);

fn step_name(text: &str) -> Result<StepName, String> {
    let (capability, step) = text.split_once('/').unwrap_or_default();
    let number = step.split('_').next().and_then(|number| number.parse().ok());
    match number {
        Some(number) if !capability.is_empty() => Ok((capability.to_owned(), number)),
        _ => Err("say a capability and the number of a step, such as core/3".to_owned()),
    }
}

/// What can be done with the schema.
#[derive(Subcommand)]
pub enum MigrateCommand {
    /// Show every step and how far it is
    Status(ServeArgs),
    /// Show what `up` would do, without doing it
    Plan(ServeArgs),
    /// Do every step that is not done, or those of a rolling deployment whose time has come
    Up {
        /// Do the steps of one capability alone, up to this one
        #[arg(long, value_name = "CAPABILITY/NUMBER", value_parser = step_name)]
        to: Option<StepName>,
        /// Stop in each capability before the first step of a later phase: expand, backfill or
        /// contract
        #[arg(long, value_name = "PHASE")]
        phase: Option<Phase>,
        /// Flags of every command.
        #[command(flatten)]
        shared: SharedArgs,
    },
    /// Write the two files of a new step into the tree of its capability
    New {
        /// Whose step
        capability: String,
        /// What it does, such as add_digest
        name: String,
        /// When it may run: expand, backfill or contract
        #[arg(long, value_name = "PHASE", default_value_t = Phase::Expand)]
        phase: Phase,
        /// The folder with a folder for each capability
        #[arg(long, value_name = "FOLDER", default_value = "migrations")]
        dir: PathBuf,
    },
    /// Undo the last step of a capability, or all above a number
    Down {
        /// Whose steps: core, store or a capability's
        capability: String,
        /// Undo all steps above this number; 0 undoes all
        #[arg(long, value_name = "NUMBER")]
        to: Option<u32>,
        /// Remove the tables and columns of these steps with what is in them
        #[arg(long)]
        yes: bool,
        /// Flags of every command.
        #[command(flatten)]
        shared: SharedArgs,
    },
    /// Compare the steps that are done with those of this program
    Verify(ServeArgs),
}
