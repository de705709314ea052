//! `headwater backup`: copies a consistent log.

use headwater::store::log::{BackupReport, LogStore};
use serde_json::json;

use super::output::{self, thousands};
use crate::cli::BackupArgs;
use crate::command::output::say;
use crate::error::Failure;
use crate::node::log_dir;

/// Copies the log into a data folder of its own; read models are rebuilt from it.
pub fn run(args: &BackupArgs) -> Result<(), Failure> {
    let config = super::settings(&args.shared)?;
    let report: BackupReport = LogStore::backup_folder(log_dir(&config), args.dir.join("log"))?;
    if args.shared.json {
        return output::json(&json!({
            "position": report.position, "segments": report.segments, "bytes": report.bytes,
        }));
    }
    say!(
        "copied {} segments, {} bytes, up to position {} into {}",
        report.segments,
        thousands(report.bytes),
        report.position,
        args.dir.display(),
    );
    say!("it opens with: headwater serve --data-dir {}", args.dir.display());
    Ok(())
}
