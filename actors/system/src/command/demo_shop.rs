//! Which shop a demo has put into its folder, so that another run does not send it again.

use std::fs;
use std::io;
use std::path::Path;

use headwater::event::Position;
use headwater::sql::{Database, ToValue, Value};
use headwater::store::log::{LogConfig, LogStore};
use headwater_shop::generator::REAL_INVOICES;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::DemoArgs;
use crate::config::Config;
use crate::error::Failure;
use crate::node::{READ_FILE, SEAL_KEY_FILE, log_dir, read_file};
use crate::private_file;
use crate::read_side;

/// Row 2 of the mark says which shop the log holds; written when all of it is there.
const READ: &str = "select name from program_mark where id = 2";
const WRITE: &str = "insert into program_mark (id, name, made_at) values (2, $1, $2)
    on conflict (id) do update set name = excluded.name, made_at = excluded.made_at";

/// A shop that is in the log, whole.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoShop {
    /// What it was made from.
    pub shop: String,
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
    pub async fn find(
        database: &Database,
        args: &DemoArgs,
        head: Position,
    ) -> Result<Option<Self>, Failure> {
        let Some(found) = Self::read(database).await?.filter(|own| own.position <= head.get())
        else {
            return Ok(None);
        };
        match Self::wanted(args) {
            Some(wanted) if wanted != found.shop => Err(Failure::new(format!(
                "the log holds the shop of {}, not of {wanted}: name another --data-dir, or begin \
                 again with --fresh, which removes it",
                found.shop
            ))),
            _ => Ok(Some(found)),
        }
    }

    /// Notes that the shop is in the log, whole.
    ///
    /// # Errors
    /// A [`Failure`] when the note cannot be written.
    pub async fn note(database: &Database, args: &DemoArgs, head: Position) -> Result<(), Failure> {
        let shop = Self::wanted(args).unwrap_or_else(|| made_up(REAL_INVOICES));
        let note = serde_json::to_string(&Self { shop, position: head.get() })?;
        let values = [note.to_value(), Timestamp::now().to_string().to_value()];
        Ok(database.write_durably(move |tx| tx.execute(WRITE, &values).map(drop)).await?)
    }

    async fn read(database: &Database) -> Result<Option<Self>, Failure> {
        let rows = database.read(READ, Vec::new()).await?.rows;
        let note = rows.first().and_then(|row| row.first()).and_then(Value::as_text);
        Ok(note.map(serde_json::from_str).transpose()?)
    }
}

/// Removes what a demo has left in its folder, and nothing else.
///
/// # Errors
/// A [`Failure`] when the folder holds data and no demo's note, or a program has it open.
pub async fn remove(config: &Config) -> Result<(), Failure> {
    if config.store.is_some() || config.read.is_some() {
        return Err(Failure::new("--fresh removes folders alone: drop the schemas by hand"));
    }
    let (dir, log) = (&config.data_dir, log_dir(config));
    if !read_file(config).exists() {
        return Ok(());
    }
    let database = read_side::open_to_read(config).await?;
    if DemoShop::read(&database).await?.is_none() {
        let dir = dir.display();
        return Err(Failure::new(format!(
            "{dir} holds data and no whole demo: name another --data-dir, or remove {dir} by hand"
        )));
    }
    drop(database);
    // Refused while a program has it open.
    LogStore::open(LogConfig::new(&log))?.close()?;
    // The read side, in which the note is, last: a run that is killed here can be asked again.
    fs::remove_dir_all(&log).map_err(|error| failed(&log, &error))?;
    let read_side = ["", "-wal", "-shm", "-journal"].map(|end| format!("{READ_FILE}{end}"));
    [SEAL_KEY_FILE].into_iter().chain(read_side.iter().rev().map(String::as_str)).try_for_each(
        |name| {
            let path = dir.join(name);
            private_file::remove(&path).map_err(|error| failed(&path, &error))
        },
    )
}

fn made_up(invoices: u32) -> String {
    format!("{invoices} made-up invoices")
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
