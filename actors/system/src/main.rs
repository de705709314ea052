//! The program headwater.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use headwater_system::cli::Cli;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match headwater_system::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "headwater: {failure}");
            ExitCode::FAILURE
        }
    }
}
