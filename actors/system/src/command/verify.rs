//! `headwater verify`: checks the log and says what it found.

use std::path::Path;

use headwater::store::StoreError;
use headwater::store::log::{LogStore, VerifyReport};
use serde_json::json;

use super::output::{self, thousands};
use crate::backup_mark;
use crate::cli::VerifyArgs;
use crate::command::output::say;
use crate::error::Failure;
use crate::node::log_dir;

/// Checks every record, index and place; fails when something does not hold.
pub fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let config = super::settings(&args.shared)?;
    if config.store.is_some() {
        let words = "the log lies in PostgreSQL, which checks itself: run pg_amcheck";
        return Err(Failure::new(words));
    }
    backup_mark::compare(&config.data_dir)?;
    let report = LogStore::verify(log_dir(&config));
    let report = report.map_err(|error| explain(error, &config.data_dir))?;
    if args.shared.json {
        output::json(&document(&report))?;
    } else {
        print(&report);
    }
    match report.problems.len() {
        0 => Ok(()),
        count => Err(Failure::new(format!(
            "the log has {count} fault{}: restore it from a backup",
            if count == 1 { "" } else { "s" }
        ))),
    }
}

/// Says how a log that a server has open is verified all the same.
fn explain(error: StoreError, data_dir: &Path) -> Failure {
    if !matches!(error, StoreError::Locked { .. }) {
        return error.into();
    }
    let copy = format!("{}-copy", data_dir.display().to_string().trim_end_matches('/'));
    Failure::new(format!(
        "{error}: stop it, or verify a copy of what is durable now:\n  \
         headwater backup {copy} --data-dir {}\n  headwater verify --data-dir {copy}",
        data_dir.display(),
    ))
}

fn print(report: &VerifyReport) {
    let word = if report.is_sound() { "sound" } else { "NOT SOUND" };
    say!("log is {word}: {} events, last position {}", thousands(report.events), report.last);
    say!("  segments  {}", thousands(report.segments));
    say!("  batches   {}", thousands(report.batches));
    say!("  streams   {}", thousands(report.streams));
    say!("  bytes     {}", thousands(report.bytes));
    say!("  indexes   {} compared with their segments", thousands(report.indexes));
    for path in &report.missing_indexes {
        say!("  missing index {path}: made anew at the next start");
    }
    if let Some((path, offset)) = &report.torn_tail {
        say!("  torn tail in {path} at offset {offset}: never acknowledged, cut at the next start");
    }
    for problem in &report.problems {
        say!("  fault: {problem}");
    }
}

fn document(report: &VerifyReport) -> serde_json::Value {
    json!({
        "sound": report.is_sound(),
        "events": report.events,
        "last_position": report.last,
        "segments": report.segments,
        "batches": report.batches,
        "streams": report.streams,
        "bytes": report.bytes,
        "indexes": report.indexes,
        "missing_indexes": report.missing_indexes,
        "torn_tail": report.torn_tail.as_ref().map(|(path, offset)| json!({
            "path": path, "offset": offset,
        })),
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
