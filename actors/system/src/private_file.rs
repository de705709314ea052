//! Makes folders and files that only their owner may look into, whole or not at all.
//!
//! Every folder and file that this crate makes beside the log and the read side is made here.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::Mode;

/// The mode of folders.
const FOLDER: u32 = 0o700;
/// The mode of files.
const FILE: u32 = 0o600;
/// What group and others may do.
const OTHERS: u32 = 0o077;

/// Lets everything that this process makes be its owner's alone, whatever library makes it.
pub fn keep_from_others() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Makes a folder and those above it; one that is there is fine and stays as it is.
///
/// # Errors
/// What the system says.
pub fn make_folder(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(dir)
}

/// Makes a file that must not be there yet.
///
/// # Errors
/// What the system says.
pub fn make_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)
}

/// Opens a file to be locked, making it when it is not there.
///
/// # Errors
/// What the system says.
pub fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE).open(path)
}

/// Writes a file whole: under another name, durable, then renamed. One that is there is replaced.
///
/// # Errors
/// What the system says; the file is as it was before then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    remove(&temporary)?;
    let mut file = make_file(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    put_in_place(&temporary, path)
}

/// Renames a file that is durable and makes its new name durable.
///
/// # Errors
/// What the system says.
pub fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Removes a file for good; one that is not there is fine.
///
/// # Errors
/// What the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes away what group and others may do with a folder and all that is in it; returns how many
/// files and folders were open to them. What is called `but` stays as it is.
///
/// # Errors
/// What the system says, for example that they belong to another user.
pub fn tighten(path: &Path, but: &str) -> io::Result<u64> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() || path.file_name().is_some_and(|name| name == but) {
        return Ok(0);
    }
    let mode = found.permissions().mode();
    let is_open = mode & OTHERS != 0;
    if is_open {
        fs::set_permissions(path, fs::Permissions::from_mode(mode & !OTHERS))?;
    }
    let mut count = u64::from(is_open);
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            count += match tighten(&entry?.path(), but) {
                // SQLite removes its own files when it closes.
                Err(error) if error.kind() == ErrorKind::NotFound => 0,
                tightened => tightened?,
            };
        }
    }
    Ok(count)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        make_folder(&folder).unwrap();
        write_whole(&folder.join("x.json"), b"1").unwrap();
        write_whole(&folder.join("x.json"), b"2").unwrap();
        assert_eq!((mode(&folder), mode(&folder.join("x.json"))), (0o700, 0o600));
        assert_eq!(fs::read(folder.join("x.json")).unwrap(), b"2");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_others_could_read_is_tightened_with_all_that_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        fs::create_dir_all(folder.join("log")).unwrap();
        fs::write(folder.join("log/1"), "x").unwrap();
        for (path, mode) in [("log/1", 0o644), ("log", 0o755), ("", 0o755)] {
            fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        assert_eq!(tighten(&folder, "key").unwrap(), 3);
        assert_eq!((mode(&folder), mode(&folder.join("log/1"))), (0o700, 0o600));
        assert_eq!(tighten(&folder, "key").unwrap(), 0);
    }
}
