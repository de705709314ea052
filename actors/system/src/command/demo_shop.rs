//! Which shop a demo has put into its folder, so that another run does not send it again.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use headwater::event::Position;
use headwater::store::log::{LogConfig, LogStore};
use headwater_shop::generator::REAL_INVOICES;
use serde::{Deserialize, Serialize};

use crate::cli::DemoArgs;
use crate::config::Config;
use crate::error::Failure;
use crate::node::{READ_FILE, SEAL_KEY_FILE, log_dir};
use crate::private_file;

/// The file that says which shop a folder holds; written when all of it is in the log.
const NOTE_FILE: &str = "demo.json";

/// A shop that is in the log, whole.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoShop {
    /// What it was made from.
    pub shop: String,
    /// Where its log is.
    pub store: String,
    /// The last position of the log when it was whole.
    pub position: u64,
}

impl DemoShop {
    /// Names the shop that is asked for; `None` when any will do.
    pub fn wanted(args: &DemoArgs) -> Option<String> {
        let made_up = args.invoices.map(made_up);
        made_up.or_else(|| args.import.as_ref().map(|file| file.display().to_string()))
    }

    /// Finds the whole shop that a log of this length holds.
    ///
    /// # Errors
    /// A [`Failure`] when it is another one than is asked for, or the note cannot be read.
    pub fn find(config: &Config, args: &DemoArgs, head: Position) -> Result<Option<Self>, Failure> {
        let path = config.data_dir.join(NOTE_FILE);
        let told = |problem: String| Failure::new(format!("{}: {problem}", path.display()));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(told(error.to_string())),
        };
        let found: Self = serde_json::from_str(&text).map_err(|error| told(error.to_string()))?;
        if found.store != config.place() || found.position > head.get() {
            return Ok(None);
        }
        match Self::wanted(args) {
            Some(wanted) if wanted != found.shop => Err(Failure::new(format!(
                "{} holds the shop of {}, not of {wanted}: name another --data-dir, or begin again \
                 with --fresh, which removes it",
                found.store, found.shop
            ))),
            _ => Ok(Some(found)),
        }
    }

    /// Notes that the shop is in the log, whole.
    ///
    /// # Errors
    /// A [`Failure`] when the note cannot be written.
    pub fn note(config: &Config, args: &DemoArgs, head: Position) -> Result<(), Failure> {
        let shop = Self::wanted(args).unwrap_or_else(|| made_up(REAL_INVOICES));
        let note = Self { shop, store: config.place(), position: head.get() };
        let path = config.data_dir.join(NOTE_FILE);
        let written = private_file::make_folder(&config.data_dir)
            .and_then(|()| private_file::write_whole(&path, &serde_json::to_vec_pretty(&note)?));
        written.map_err(|error| failed(&path, &error))
    }
}

/// Removes what a demo has left in its folder, and nothing else.
///
/// # Errors
/// A [`Failure`] when the folder holds data and no demo's note, or a program has it open.
pub fn remove(config: &Config) -> Result<(), Failure> {
    if config.store.is_some() || config.read.is_some() {
        return Err(Failure::new("--fresh removes folders alone: drop the schemas by hand"));
    }
    let (dir, log) = (&config.data_dir, log_dir(config));
    if !log.exists() {
        return Ok(());
    }
    if !dir.join(NOTE_FILE).exists() {
        let dir = dir.display();
        return Err(Failure::new(format!(
            "{dir} holds data and no whole demo ({NOTE_FILE} is not there): name another \
             --data-dir, or remove {dir} by hand"
        )));
    }
    // Refused while a program has it open.
    LogStore::open(LogConfig::new(&log))?.close()?;
    // The note last: a run that is killed here can be asked again.
    let read_side = ["", "-wal", "-shm", "-journal"].map(|end| format!("{READ_FILE}{end}"));
    let files = read_side.iter().map(String::as_str).chain([SEAL_KEY_FILE]);
    remove_folder(&log)?;
    files.chain([NOTE_FILE]).try_for_each(|name| {
        let path = dir.join(name);
        private_file::remove(&path).map_err(|error| failed(&path, &error))
    })
}

fn remove_folder(path: &Path) -> Result<(), Failure> {
    fs::remove_dir_all(path).map_err(|error| failed(path, &error))
}

fn made_up(invoices: u32) -> String {
    format!("{invoices} made-up invoices")
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", PathBuf::from(path).display()))
}
