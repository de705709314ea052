//! From a command line to an exit code; the table of codes is in `docs/reference/cli.md`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::config::veil;
use crate::error::Failure;

/// It was done, or refused before anything was done, or it failed.
const FAILED: u8 = 1;
/// The command line cannot be read.
const UNREADABLE: u8 = 2;
/// It was done, and there is something that somebody should look at.
const FINDINGS: u8 = 3;

/// The exit codes and what they mean in short; the page of the command line has a row for each.
pub const EXIT_CODES: [(u8, &str); 4] =
    [(0, "done"), (FAILED, "failed"), (UNREADABLE, "cannot be read"), (FINDINGS, "left out")];

/// Reads the command line of the process and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return unreadable(&error),
        // Help or the version was asked for.
        Err(help) => return help.print().map_or(ExitCode::from(FAILED), |()| ExitCode::SUCCESS),
    };
    match crate::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say_error(&format!("headwater: {failure}\n"));
            ExitCode::from(code(&failure))
        }
    }
}

const fn code(failure: &Failure) -> u8 {
    match failure {
        Failure::Findings(_) => FINDINGS,
        _ => FAILED,
    }
}

/// Says what is wrong with the command line, without the passwords that are in it.
fn unreadable(error: &clap::Error) -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    say_error(&veil(&error.render().to_string(), words.iter().map(String::as_str)));
    ExitCode::from(UNREADABLE)
}

fn say_error(text: &str) {
    // Standard error may be closed; there is nobody left to tell then.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
