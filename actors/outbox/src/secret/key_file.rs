//! The file that keeps the key: made once, whole or not at all, for its owner's eyes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{SealKey, SealKeyError};

/// What others than the owner and the group may do; a group may read, because that is how
/// containers hand secrets to a program that is not their owner.
const OTHERS: u32 = 0o007;

/// Says why the file of the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Cannot be read or made. The operator acts.
    #[error("the key file {}: {problem}: make its folder writable, or set outbox.key", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the machine says.
        #[source]
        problem: io::Error,
    },
    /// Is open to everyone. The operator acts.
    #[error("everyone on this machine may use the key file {}: chmod 600 it", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// Holds no key. The operator acts.
    #[error("the key file {}: {problem}", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong with what it holds.
        #[source]
        problem: SealKeyError,
    },
}

impl SealKey {
    /// Reads the key of a file, or makes both, the file with mode 0600.
    ///
    /// Several programs may do this at the same time: all get the same key. A crash leaves the
    /// whole file or none, so that no secret is ever sealed with a key that is lost.
    ///
    /// # Errors
    /// [`KeyFileError`] when the file cannot be read or made, is open to everyone, or holds no
    /// key.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        if let Some(key) = load(path)? {
            return Ok(key);
        }
        let key = Self::generate().map_err(|problem| wrong(path, problem))?;
        create(path, &key).map_err(|problem| failed(path, problem))?;
        // Another program may have been first; what lies in the file now is the key.
        load(path)?.ok_or_else(|| failed(path, ErrorKind::NotFound.into()))
    }
}

/// Returns the key of a file; `None` when there is no file.
fn load(path: &Path) -> Result<Option<SealKey>, KeyFileError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(failed(path, problem)),
    };
    let mode = fs::metadata(path).map_err(|problem| failed(path, problem))?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned() });
    }
    text.parse().map(Some).map_err(|problem| wrong(path, problem))
}

/// Puts the key at the path, unless something is there: written and synced beside it, then
/// linked, which unlike a rename never replaces a key that is in use.
fn create(path: &Path, key: &SealKey) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    // Left behind by a program of the same number that crashed.
    let _ = fs::remove_file(&beside);
    let linked = write(&beside, key).and_then(|()| fs::hard_link(&beside, path));
    let removed = fs::remove_file(&beside);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked.and(removed).and_then(|()| sync_folder_of(path)),
    }
}

fn write(path: &Path, key: &SealKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", key.reveal())?;
    file.sync_all()
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(path: &Path, problem: io::Error) -> KeyFileError {
    KeyFileError::File { path: path.to_owned(), problem }
}

fn wrong(path: &Path, problem: SealKeyError) -> KeyFileError {
    KeyFileError::Key { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_read_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.key");
        let made = SealKey::load_or_create(&path).unwrap();
        let read = SealKey::load_or_create(&path).unwrap();
        assert_eq!(made.reveal(), read.reveal());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn programs_that_start_together_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.key");
        create(&path, &SealKey::new([1; 32])).unwrap();
        create(&path, &SealKey::new([2; 32])).unwrap();
        assert_eq!(SealKey::load_or_create(&path).unwrap().id(), SealKey::new([1; 32]).id());
    }

    #[test]
    fn a_file_that_everyone_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.key");
        SealKey::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(SealKey::load_or_create(&path).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = SealKey::load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_file_without_a_key_and_a_folder_that_is_missing_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.key");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = SealKey::load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains("0 bytes") && refused.contains("outbox.key"), "{refused}");
        let missing = SealKey::load_or_create(&folder.path().join("a/b")).unwrap_err();
        assert!(matches!(missing, KeyFileError::File { .. }), "{missing}");
    }
}
