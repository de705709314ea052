//! The program headwater: composition root and command line.

mod bench;
mod cli;
pub mod config;
mod error;
mod intake;
mod remote;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("headwater: {failure}\n"),
            );
            ExitCode::FAILURE
        }
    }
}
