//! `headwater backup`: copies a consistent log.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use headwater::store::StoreError;
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
    if let Some(address) = &config.store {
        let schema = address.schema();
        let words = "the log lies in PostgreSQL, back it up with its own tools";
        return Err(Failure::new(format!("{words}: pg_dump --schema={schema}")));
    }
    let target = Target::make(&args.dir)?;
    let from = log_dir(&config);
    let copied = LogStore::backup_folder(&from, target.log_dir());
    let report = copied.map_err(|error| target.give_up(&from, error))?;
    if args.shared.json {
        return output::json(&json!({
            "position": report.position, "segments": report.segments, "bytes": report.bytes,
        }));
    }
    print(&report, &args.dir);
    Ok(())
}

fn print(report: &BackupReport, dir: &Path) {
    say!(
        "copied {} segments, {} bytes, up to position {} into {}",
        report.segments,
        thousands(report.bytes),
        report.position,
        dir.display(),
    );
    say!("it opens with: headwater serve --data-dir {}", dir.display());
}

/// The folder of the copy, and what was made for it.
struct Target {
    dir: PathBuf,
    /// Folders that were not there before, the innermost first; the log's own not among them.
    made: Vec<PathBuf>,
}

impl Target {
    /// Makes the folder; one that holds anything is refused and not touched.
    fn make(dir: &Path) -> Result<Self, Failure> {
        expect_empty(dir)?;
        let outer = dir.ancestors().take_while(|outer| !outer.as_os_str().is_empty());
        let made = outer.take_while(|outer| !outer.exists()).map(Path::to_owned).collect();
        let target = Self { dir: dir.to_owned(), made };
        // Made here and not there before, so it may be removed when the copy fails.
        let done = fs::create_dir_all(dir).and_then(|()| fs::create_dir(target.log_dir()));
        match done {
            Ok(()) => Ok(target),
            Err(error) => {
                target.remove_made();
                Err(Failure::new(format!("create {}: {error}", dir.display())))
            }
        }
    }

    fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Removes what was made and says why there is no copy.
    fn give_up(&self, from: &Path, error: StoreError) -> Failure {
        let error = at_source(error, from, &self.log_dir());
        let removed = fs::remove_dir_all(self.log_dir());
        self.remove_made();
        match removed {
            Ok(()) => Failure::new(format!("{error}; nothing is left of the copy")),
            Err(left) => {
                let dir = self.dir.display();
                Failure::new(format!("{error}; remove {dir}, which could not be removed: {left}"))
            }
        }
    }

    fn remove_made(&self) {
        // A folder in which somebody else has put something stays.
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

fn expect_empty(dir: &Path) -> Result<(), Failure> {
    let shown = dir.display();
    match fs::read_dir(dir).map(|mut found| found.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(format!("{shown} is not empty: name a new folder"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(Failure::new(format!("{shown} is no folder: name a new one")))
        }
        Err(error) => Err(Failure::new(format!("list {shown}: {error}"))),
    }
}

/// Names the file that was copied where its copy, which goes away, was found damaged.
fn at_source(error: StoreError, from: &Path, copy: &Path) -> StoreError {
    match error {
        StoreError::Damaged { path, offset, problem } => {
            let source = Path::new(&path).strip_prefix(copy).map(|file| from.join(file));
            let path = source.map_or(path.clone(), |file| file.display().to_string());
            StoreError::Damaged { path, offset, problem }
        }
        other => other,
    }
}
