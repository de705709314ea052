//! The commands of the command line, one a file.

mod backup;
mod backup_target;
mod demo;
mod demo_shop;
mod events;
mod import;
mod keys;
mod migrate;
mod migration_file;
mod migration_progress;
mod nodes;
pub(crate) mod output;
mod projections;
mod serve;
mod session;
mod streams;
mod verify;

use std::future::Future;

use crate::backup_mark;
use crate::bench;
use crate::cli::{Cli, Command, SharedArgs};
use crate::config::Config;
use crate::error::Failure;
use crate::private_file;

/// Does what the command line asks for.
///
/// # Errors
/// A [`Failure`] in words for the person at the terminal.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Serve(args) => block_on(serve::run(args)),
        Command::Import(import) => block_on(import::run(import)),
        Command::Events(events) => block_on(events::run(events)),
        Command::Streams(args) => block_on(streams::run(args)),
        Command::Projections(projections) => block_on(projections::run(projections)),
        Command::Verify(args) => verify::run(&args),
        Command::Backup(args) => block_on(backup::run(args)),
        Command::Bench(args) => bench::run(&args),
        Command::Keys(keys) => block_on(keys::run(keys)),
        Command::Nodes(args) => block_on(nodes::run(args)),
        Command::Migrate(migrate) => block_on(migrate::run(migrate)),
    }
}

/// Reads the settings, sets up the program's own records, and keeps from others what is made.
fn settings(shared: &SharedArgs) -> Result<Config, Failure> {
    private_file::keep_from_others();
    let config = Config::load(&shared.config, std::env::vars_os())?;
    headwater::telemetry::init(config.telemetry.format, &config.telemetry.filter)?;
    if config.store.is_none() || config.read.is_none() {
        backup_mark::expect_finished(&config.data_dir)?;
    }
    Ok(config)
}

/// Runs a command on this thread; actors and server have threads of their own.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(command);
    // A read of the terminal or a file that still waits must not hold the program up.
    runtime.shutdown_background();
    done
}
