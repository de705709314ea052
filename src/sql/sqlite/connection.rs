//! Opens connections: whose file it is, and how it is used.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};

use super::SqliteConfig;
use super::fault::open_error;
use crate::sql::OpenError;

/// Marks the file as this program's: "HDWR", in the header of the file.
const APPLICATION_ID: i32 = 0x4844_5752;

/// What may have a meaning in a URI.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-');

const STATEMENTS_KEPT: usize = 256;

/// Opens the connection that writes, and makes the file this program's if it is new.
pub(super) fn open_writer(config: &SqliteConfig) -> Result<Connection, OpenError> {
    let path = config.path.as_path();
    make_folder(path)?;
    // A failure is told by the next step, which looks for its reason.
    let _ = make_file(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| cannot_open(&error, path))?;
    prepare_writer(&connection, config)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(config: &SqliteConfig) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fail = |error: &rusqlite::Error| open_error(error, &config.path);
    let connection =
        Connection::open_with_flags(&config.path, flags).map_err(|error| fail(&error))?;
    let pragmas =
        format!("pragma query_only = on; pragma cache_size = -{};", config.cache_kib.max(4) / 4);
    set_up(&connection, config, &pragmas).map_err(|error| fail(&error))?;
    Ok(connection)
}

/// Opens a connection that only reads and makes no file, not even SQLite's own beside it: without a
/// write-ahead log the file is whole, and nobody has it open.
pub(super) fn open_still(config: &SqliteConfig) -> Result<Connection, OpenError> {
    let path = config.path.as_path();
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let is_closed = !Path::new(&wal).exists();
    let connection = if is_closed { open_immutable(config)? } else { open_reader(config)? };
    match owner(&connection, path)? {
        Owner::This | Owner::Nobody => Ok(connection),
        Owner::Other => Err(OpenError::Foreign { path: path.display().to_string() }),
    }
}

fn open_immutable(config: &SqliteConfig) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fail = |error: &rusqlite::Error| open_error(error, &config.path);
    let path = config.path.as_os_str().as_encoded_bytes();
    let uri = format!("file:{}?immutable=1", percent_encode(path, ENCODED));
    let connection = Connection::open_with_flags(uri, flags).map_err(|error| fail(&error))?;
    set_up(&connection, config, "pragma query_only = on").map_err(|error| fail(&error))?;
    Ok(connection)
}

/// Whose a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    This,
    Nobody,
    Other,
}

fn owner(connection: &Connection, path: &Path) -> Result<Owner, OpenError> {
    let number = |sql: &str| {
        let number = connection.query_row(sql, [], |row| row.get::<_, i32>(0));
        number.map_err(|error| open_error(&error, path))
    };
    let (owner, tables) =
        (number("pragma application_id")?, number("select count(*) from sqlite_master")?);
    Ok(match (owner, tables) {
        (APPLICATION_ID, _) => Owner::This,
        (0, 0) => Owner::Nobody,
        _ => Owner::Other,
    })
}

fn prepare_writer(connection: &Connection, config: &SqliteConfig) -> Result<(), OpenError> {
    let fail = |error: rusqlite::Error| open_error(&error, &config.path);
    connection.busy_timeout(busy_timeout(config)).map_err(fail)?;
    if connection.is_readonly("main").map_err(fail)? {
        return Err(OpenError::ReadOnly { path: config.path.display().to_string() });
    }
    claim(connection, &config.path)?;
    let pragmas = format!(
        "pragma synchronous = normal; pragma wal_autocheckpoint = 4000;
         pragma journal_size_limit = 67108864; pragma temp_store = memory;
         pragma cache_size = -{};",
        config.cache_kib
    );
    set_up(connection, config, &pragmas).map_err(fail)
}

/// Checks that the file is empty or this program's, and marks it.
fn claim(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let fail = |error: rusqlite::Error| open_error(&error, path);
    match owner(connection, path)? {
        Owner::This => {}
        Owner::Nobody => {
            connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
        }
        Owner::Other => return Err(OpenError::Foreign { path: path.display().to_string() }),
    }
    connection
        .query_row("pragma journal_mode = wal", [], |row| row.get::<_, String>(0))
        .map(drop)
        .map_err(fail)
}

fn set_up(connection: &Connection, config: &SqliteConfig, pragmas: &str) -> rusqlite::Result<()> {
    connection.busy_timeout(busy_timeout(config))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.execute_batch(pragmas)
}

pub(super) fn busy_timeout(config: &SqliteConfig) -> Duration {
    Duration::from_millis(u64::from(config.busy_timeout_ms))
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| OpenError::Unusable {
        path: path.display().to_string(),
        problem: format!("folder {}: {error}", folder.display()),
    })
}

/// Makes a file for its owner's eyes, if there is none; SQLite gives its own files beside it the
/// same mode. SQLite takes an empty file for an empty database.
pub(super) fn make_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Tells a folder without rights from other reasons why a file cannot be opened.
fn cannot_open(error: &rusqlite::Error, path: &Path) -> OpenError {
    let probe = OpenOptions::new().append(true).create(true).open(path);
    match probe.map_err(|probe| probe.kind()) {
        Err(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            OpenError::ReadOnly { path: path.display().to_string() }
        }
        _ => open_error(error, path),
    }
}
