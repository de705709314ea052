//! Measures this machine: each subject beside its own limit, in turns, medians at the end.

mod append;
mod case;
mod command;
mod ground;
mod lag;
mod load;
mod migrate;
mod outbox;
mod postgres;
mod project;
mod raw;
mod read;
mod sample;
mod system;
mod table;

use crate::cli::{Bench, BenchArgs};
use crate::error::Failure;
use ground::Ground;

/// What is measured when nothing is named; `migrate` needs a server.
const ALL: [Bench; 7] = [
    Bench::Append,
    Bench::Read,
    Bench::Rehydrate,
    Bench::Command,
    Bench::Http,
    Bench::Project,
    Bench::Outbox,
];

/// Runs the benches asked for, each in a folder of its own that is removed at the end.
///
/// # Errors
/// A [`Failure`] when the folder cannot be used or a measurement breaks.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    let wanted = if args.what.is_empty() { &ALL[..] } else { &args.what };
    let mut outcomes = Vec::new();
    for bench in wanted {
        let ground = Ground::prepare(args)?;
        outcomes.extend(match (bench, &args.store) {
            (Bench::Append, Some(address)) => postgres::run_append(&ground, address)?,
            (Bench::Read, Some(address)) => postgres::run_read(&ground, address)?,
            (Bench::Migrate, Some(address)) => migrate::run(&ground, address)?,
            (Bench::Migrate, None) => {
                return Err(Failure::new("migrate is measured on PostgreSQL: say --store"));
            }
            (_, Some(_)) => {
                let words = "--store measures append, read and migrate: name what you mean";
                return Err(Failure::new(words));
            }
            (Bench::Append, None) => append::run(&ground)?,
            (Bench::Read, None) => read::run_read(&ground)?,
            (Bench::Rehydrate, None) => read::run_rehydrate(&ground)?,
            (Bench::Command, None) => command::run_command(&ground)?,
            (Bench::Http, None) => command::run_http(&ground)?,
            (Bench::Project, None) => project::run(&ground)?,
            (Bench::Outbox, None) => outbox::run(&ground)?,
        });
    }
    table::print(&outcomes, args.json)
}
