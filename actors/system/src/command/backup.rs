//! `headwater backup`: copies what cannot be made again: the log, what the read side alone knows,
//! and the key of the endpoints' secrets.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use headwater::sql::SqliteConfig;
use headwater::store::StoreError;
use headwater::store::log::{BackupReport, LogStore};
use jiff::Timestamp;
use serde_json::json;

use super::backup_target::BackupTarget;
use super::output::{self, thousands};
use crate::backup_mark::BackupList;
use crate::cli::BackupArgs;
use crate::command::output::note;
use crate::config::Config;
use crate::error::Failure;
use crate::node::{READ_FILE, SEAL_KEY_FILE, log_dir, read_file};
use crate::private_file;
use crate::read_side;
use crate::wal_watch::WalWatch;

/// What is removed when a copy fails, besides the log: SQLite's own file beside the copy too.
const FILES: [&str; 4] =
    [READ_FILE, "read.sqlite-journal", "read.sqlite.tmp-journal", SEAL_KEY_FILE];

/// What was copied.
struct Copied {
    log: BackupReport,
    read_side: ReadSide,
    seal_key: SealKeyFile,
}

impl Copied {
    /// Gives the read side its name when the log, without which it must not be opened, is whole.
    fn put_in_place(&self, target: &BackupTarget) -> io::Result<()> {
        match self.read_side {
            ReadSide::Copied(_) => {
                private_file::put_in_place(&target.part(READ_FILE), &target.file(READ_FILE))
            }
            ReadSide::Missing | ReadSide::Elsewhere(_) => Ok(()),
        }
    }

    /// Says what the copy holds; its files are added when they are listed.
    fn list(&self) -> BackupList {
        BackupList {
            format: 1,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: Timestamp::now().to_string(),
            position: self.log.position.get(),
            read_side: self.read_side.word().to_owned(),
            files: Vec::new(),
        }
    }
}

impl ReadSide {
    const fn word(&self) -> &'static str {
        match self {
            Self::Copied(_) => "copied",
            Self::Missing => "missing",
            Self::Elsewhere(_) => "in PostgreSQL",
        }
    }
}

/// What became of the read side.
enum ReadSide {
    /// It was copied, so many bytes.
    Copied(u64),
    /// The folder has none.
    Missing,
    /// It lies in PostgreSQL, in this schema.
    Elsewhere(String),
}

/// What became of the key that seals the endpoints' secrets.
enum SealKeyFile {
    Copied,
    /// The folder has none: no server was ever started on it, or its server has a setting for it.
    Missing,
    /// A setting is the key.
    Setting,
}

/// Copies a data folder.
pub async fn run(args: BackupArgs) -> Result<(), Failure> {
    let config = super::settings(&args.shared)?;
    expect_embedded(&config)?;
    expect_read_side(&config).await?;
    let target = BackupTarget::make(&args.dir)?;
    let copied = copy(&config, &target).map_err(|error| target.give_up(&FILES, &error))?;
    WalWatch::settle(&config)?;
    if args.shared.json {
        return output::tell_json(&document(&copied));
    }
    print(&copied, &args.dir);
    Ok(())
}

/// Refuses a read side that is empty or another program's: its copy would look like a good one.
async fn expect_read_side(config: &Config) -> Result<(), Failure> {
    let path = read_file(config);
    let is_there = config.read.is_none() && path.exists();
    if !is_there || read_side::ReadSide::look(config).await? != read_side::ReadSide::Nothing {
        return Ok(());
    }
    let shown = path.display();
    Err(Failure::new(format!(
        "{shown} is empty: API keys and the places of endpoints are lost; restore it from a backup, or \
         remove {shown} to back up the log without it"
    )))
}

/// Refuses a log in PostgreSQL and says how that is backed up, the read side first.
fn expect_embedded(config: &Config) -> Result<(), Failure> {
    let Some(store) = &config.store else { return Ok(()) };
    let log = format!("pg_dump --schema={}", store.schema());
    let how = match &config.read {
        Some(read) if read == store => log,
        Some(read) => format!("pg_dump --schema={} of the read models, then {log}", read.schema()),
        None => {
            let dir = config.data_dir.display();
            format!("stop the server, copy {READ_FILE} and {SEAL_KEY_FILE} of {dir}, then {log}")
        }
    };
    let words = "the log lies in PostgreSQL, back it up with its own tools";
    Err(Failure::new(format!("{words}: {how}")))
}

/// Copies the read side before the log, so that it has rows of no event that the log's copy lacks.
fn copy(config: &Config, target: &BackupTarget) -> Result<Copied, Failure> {
    let read_side = copy_read_side(config, target)?;
    let seal_key = copy_seal_key(config, target)?;
    let (from, to) = (log_dir(config), target.log_dir());
    let log = LogStore::backup_folder(&from, &to);
    let log = log.map_err(|error| at_source(error, &from, &to))?;
    let copied = Copied { log, read_side, seal_key };
    let named = copied.put_in_place(target).and_then(|()| target.finish(&mut copied.list()));
    named.map_err(|error| Failure::new(format!("finish the copy: {error}")))?;
    Ok(copied)
}

fn copy_read_side(config: &Config, target: &BackupTarget) -> Result<ReadSide, Failure> {
    if let Some(address) = &config.read {
        return Ok(ReadSide::Elsewhere(address.schema().to_owned()));
    }
    let path = config.data_dir.join(READ_FILE);
    match fs::metadata(&path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ReadSide::Missing),
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    Ok(ReadSide::Copied(SqliteConfig::at(&path).copy_to(target.part(READ_FILE))?))
}

fn copy_seal_key(config: &Config, target: &BackupTarget) -> Result<SealKeyFile, Failure> {
    if config.outbox.key.is_some() {
        return Ok(SealKeyFile::Setting);
    }
    let path = config.data_dir.join(SEAL_KEY_FILE);
    let told = |error: io::Error| Failure::new(format!("copy {}: {error}", path.display()));
    match fs::read(&path) {
        Ok(key) => {
            private_file::write_whole(&target.file(SEAL_KEY_FILE), &key).map_err(told)?;
            Ok(SealKeyFile::Copied)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(SealKeyFile::Missing),
        Err(error) => Err(told(error)),
    }
}

fn document(copied: &Copied) -> serde_json::Value {
    let (read_bytes, dump) = match &copied.read_side {
        ReadSide::Copied(bytes) => (Some(*bytes), None),
        ReadSide::Missing => (None, None),
        ReadSide::Elsewhere(schema) => (None, Some(format!("pg_dump --schema={schema}"))),
    };
    let read_side = copied.read_side.word();
    let seal_key = match copied.seal_key {
        SealKeyFile::Copied => "copied",
        SealKeyFile::Missing => "missing",
        SealKeyFile::Setting => "a setting",
    };
    let log = &copied.log;
    json!({
        "position": log.position, "segments": log.segments, "bytes": log.bytes,
        "read_side": read_side, "read_side_bytes": read_bytes, "read_side_by": dump,
        "outbox_key": seal_key,
    })
}

fn print(copied: &Copied, dir: &Path) {
    let (log, dir) = (&copied.log, dir.display());
    let (segments, bytes, position) = (log.segments, thousands(log.bytes), log.position);
    note!("copied {segments} segments, {bytes} bytes, up to position {position} into {dir}");
    match &copied.read_side {
        ReadSide::Copied(bytes) => note!("copied {READ_FILE}, {} bytes", thousands(*bytes)),
        ReadSide::Missing => note!("{READ_FILE} is not there: read models are made from the log"),
        ReadSide::Elsewhere(schema) => note!(
            "the read models lie in PostgreSQL and are not copied; their dump must be older than \
             this copy: if it is not, pg_dump --schema={schema}, then back up again"
        ),
    }
    match copied.seal_key {
        SealKeyFile::Copied => note!("copied {SEAL_KEY_FILE}: keep the copy as you keep keys"),
        SealKeyFile::Missing => note!(
            "{SEAL_KEY_FILE} is not there: if the server's setting outbox.key holds the key, \
             keep that apart"
        ),
        SealKeyFile::Setting => note!("{SEAL_KEY_FILE} is a setting and not copied: keep it apart"),
    }
    note!("it opens with: headwater serve --data-dir {dir}");
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
