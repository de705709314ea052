//! Takes a year of a shop into the log: a file, or a made-up one, as commands.

mod lanes;
mod progress;

use std::fs::File;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headwater::aggregate::Receipt;
use headwater::event::Position;
use headwater_shop::generator::{Generator, REAL_INVOICES};
use headwater_shop::retail::{
    Commands, ImportReport, KeyedCommand, Lines as RetailLines, ReadRow, read_lines,
};
use headwater_shop::sender::{ShopSendError, ShopSender};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::error::Failure;
use lanes::Lanes;
pub use progress::{Unit, bar};

/// Commands under way at the same time: enough that each barrier of the log carries many.
const LANES: usize = 256;
/// Commands that wait in a lane.
const LANE_DEPTH: usize = 4;
/// Rejections that are kept in words; all are counted.
const REJECTIONS_KEPT: usize = 100;

/// What an intake did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IntakeReport {
    /// What was read.
    #[serde(flatten)]
    pub read: ImportReport,
    /// Commands answered.
    pub commands: u64,
    /// Commands that an earlier run had sent already.
    pub replayed: u64,
    /// Commands that the rules refused.
    pub rejected: u64,
    /// The first of these, in words.
    pub rejections: Vec<String>,
    /// Position of the last event that a command led to.
    pub position: Position,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A file whose heading has been read; opened once, for a pipe cannot be read twice.
pub struct RetailFile {
    rows: RetailLines<Box<dyn BufRead + Send>>,
    path: PathBuf,
    bar: ProgressBar,
}

impl RetailFile {
    /// Opens a file, plain or gzip, before a log is opened or made for it.
    ///
    /// # Errors
    /// A [`Failure`] naming the file, when it cannot be read or has another heading.
    pub fn open(path: &Path, is_quiet: bool) -> Result<Self, Failure> {
        let told = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(told)?;
        let bar = bar(file.metadata().map_err(told)?.len(), Unit::Bytes, "import", is_quiet);
        let rows = read_lines(bar.wrap_read(file)).map_err(told)?;
        Ok(Self { rows, path: path.to_owned(), bar })
    }

    /// Takes the file in.
    ///
    /// # Errors
    /// A [`Failure`] when the file cannot be read or a command cannot be stored.
    pub async fn take_in(self, sender: ShopSender) -> Result<IntakeReport, Failure> {
        let Self { rows, path, bar } = self;
        let report = take(sender, Commands::new(rows), Order::OfStreams, |_| {}).await;
        bar.finish();
        let path = path.display();
        match report {
            Err(failure) => Err(Failure::new(format!("{path}: {failure}"))),
            Ok(report) if report.read.lines == 0 => {
                Err(Failure::new(format!("{path}: has a heading and no line")))
            }
            report => report,
        }
    }
}

/// Takes in a made-up shop of so many invoices.
///
/// # Errors
/// A [`Failure`] when a command cannot be stored.
pub async fn take_made_up(
    sender: ShopSender,
    invoices: Option<u32>,
    is_quiet: bool,
) -> Result<IntakeReport, Failure> {
    let invoices = invoices.unwrap_or(REAL_INVOICES);
    let bar = bar(u64::from(invoices), Unit::Things, "invoices", is_quiet);
    let commands = Generator::new(SEED, invoices).commands();
    let shown: ProgressBar = bar.clone();
    let on_progress = move |read: &ImportReport| shown.set_position(read.invoices);
    let report = take(sender, commands, Order::OfTimes, on_progress).await;
    bar.finish();
    report
}

/// The seed of the demo's shop: everybody sees the same one.
const SEED: u64 = 1;

/// Which order the log has in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// That of the file in each stream; streams go beside one another.
    OfStreams,
    /// That of the times too: what is later is sent when all that is earlier is answered.
    OfTimes,
}

async fn take<R>(
    sender: ShopSender,
    mut commands: Commands<R>,
    order: Order,
    on_progress: impl Fn(&ImportReport) + Send + 'static,
) -> Result<IntakeReport, Failure>
where
    R: Iterator<Item = ReadRow> + Send + 'static,
{
    let start = Instant::now();
    let tally = Arc::new(Mutex::new(IntakeReport::default()));
    let counted = Arc::clone(&tally);
    let lanes = Lanes::start(LANES, LANE_DEPTH, move |keyed: KeyedCommand| {
        let (sender, tally) = (sender.clone(), Arc::clone(&counted));
        async move {
            let what = format!("{} {}", keyed.command.category(), keyed.command.id());
            let answer = sender.send(keyed).await;
            tally.lock().unwrap_or_else(PoisonError::into_inner).count(&what, answer)
        }
    });
    let push = move || {
        let (mut pushed, mut time) = (Ok(()), None);
        while let Some(keyed) = commands.next() {
            let keyed = keyed.map_err(|error| Failure::new(error.to_string()))?;
            let before = std::mem::replace(&mut time, keyed.command.local_time());
            if order == Order::OfTimes && before != time {
                pushed = lanes.settle();
            }
            let lane = keyed.command.lane(lanes.count());
            pushed = pushed.and_then(|()| lanes.push(lane, keyed));
            if pushed.is_err() {
                break;
            }
            on_progress(commands.report());
        }
        Ok::<_, Failure>((lanes, commands.report().clone(), pushed))
    };
    let pushed = tokio::task::spawn_blocking(push).await;
    let (lanes, read, pushed) = pushed.map_err(|error| Failure::new(error.to_string()))??;
    lanes.finish().await?;
    pushed?;
    let mut report = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report.read = read;
    report.seconds = seconds(start.elapsed());
    Ok(report)
}

fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1_000.0).round() / 1_000.0
}

impl IntakeReport {
    /// Counts an answer; only what keeps the import from going on is a failure.
    fn count(&mut self, what: &str, answer: Result<Receipt, ShopSendError>) -> Result<(), Failure> {
        self.commands += 1;
        match answer {
            Ok(receipt) => {
                self.replayed += u64::from(receipt.replayed);
                self.position = self.position.max(receipt.position);
            }
            Err(error) if error.is_refusal() => {
                self.rejected += 1;
                if self.rejections.len() < REJECTIONS_KEPT {
                    self.rejections.push(format!("{what}: {error}"));
                }
            }
            Err(error) => return Err(Failure::new(format!("{what}: {error}"))),
        }
        Ok(())
    }
}
