//! Measures this machine: each subject beside its own limit, in turns, medians at the end.

mod append;
mod case;
mod ground;
mod load;
mod raw;
mod read;
mod sample;
mod table;

use crate::cli::{Bench, BenchArgs};
use crate::error::Failure;
use ground::Ground;

const ALL: [Bench; 6] =
    [Bench::Append, Bench::Read, Bench::Rehydrate, Bench::Command, Bench::Http, Bench::Project];

/// Runs the benches asked for, each in a folder of its own that is removed at the end.
///
/// # Errors
/// A [`Failure`] when the folder cannot be used or a measurement breaks.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    let wanted = if args.what.is_empty() { &ALL[..] } else { &args.what };
    let mut outcomes = Vec::new();
    for bench in wanted {
        let ground = Ground::prepare(args)?;
        outcomes.extend(match bench {
            Bench::Append => append::run(&ground)?,
            Bench::Read => read::run_read(&ground)?,
            Bench::Rehydrate => read::run_rehydrate(&ground)?,
            Bench::Command | Bench::Http | Bench::Project => Vec::new(),
        });
    }
    table::print(&outcomes, args.json)
}
