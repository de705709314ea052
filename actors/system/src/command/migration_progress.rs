//! How far a backfill is: a bar on a terminal, else a record now and then.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use headwater::sql::migration::MigrationProgress;
use indicatif::ProgressBar;

use crate::intake::{Unit, bar};

/// How often a record is written.
const PAUSE: Duration = Duration::from_secs(5);

/// The step that is shown.
struct Shown {
    name: String,
    bar: ProgressBar,
    told_at: Instant,
}

/// Returns what shows how far a run is.
pub fn observer() -> impl Fn(&MigrationProgress) + Send + Sync + 'static {
    let is_terminal = stderr().is_terminal();
    let shown: Mutex<Option<Shown>> = Mutex::default();
    move |progress| {
        // What is shown is whole even if somebody panicked.
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{}/{}", progress.capability, progress.stem);
        let is_new = shown.as_ref().is_none_or(|shown| shown.name != name);
        if is_new {
            let bar = bar(progress.rows_total, Unit::Things, "backfill", !is_terminal);
            *shown = Some(Shown { name, bar, told_at: Instant::now() });
        }
        if let Some(shown) = shown.as_mut() {
            show(shown, progress, is_terminal, is_new);
        }
    }
}

fn show(shown: &mut Shown, progress: &MigrationProgress, is_terminal: bool, is_new: bool) {
    let MigrationProgress { rows, rows_total, .. } = progress;
    shown.bar.set_length(*rows_total.max(rows));
    shown.bar.set_position(*rows);
    if !is_terminal && (is_new || shown.told_at.elapsed() >= PAUSE) {
        shown.told_at = Instant::now();
        tracing::info!(step = shown.name, rows, rows_total, "backfill goes on");
    }
}
