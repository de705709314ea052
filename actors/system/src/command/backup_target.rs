//! The folder that a backup is made in.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// The folder of the copy, and what was made for it.
pub struct BackupTarget {
    dir: PathBuf,
    /// Folders that were not there before, the innermost first; the log's own not among them.
    made: Vec<PathBuf>,
}

impl BackupTarget {
    /// Makes the folder, for its owner alone; one that holds anything is refused and not touched.
    ///
    /// # Errors
    /// A [`Failure`] naming the folder and what to do.
    pub fn make(dir: &Path) -> Result<Self, Failure> {
        expect_empty(dir)?;
        let outer = dir.ancestors().take_while(|outer| !outer.as_os_str().is_empty());
        let made = outer.take_while(|outer| !outer.exists()).map(Path::to_owned).collect();
        let target = Self { dir: dir.to_owned(), made };
        // Made here and not there before, so it may be removed when the copy fails.
        let done = make_private(dir).and_then(|()| fs::create_dir(target.log_dir()));
        match done {
            Ok(()) => Ok(target),
            Err(error) => {
                target.remove_made();
                Err(Failure::new(format!("create {}: {error}", dir.display())))
            }
        }
    }

    /// Returns the folder of the log's copy.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Returns where the copy of a file of the data folder lies.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Removes what was made, these files included, and says why there is no copy.
    pub fn give_up(&self, files: &[&str], error: &Failure) -> Failure {
        let removed = files.iter().try_for_each(|name| remove_file(&self.file(name)));
        let removed = removed.and(fs::remove_dir_all(self.log_dir()));
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

/// Makes a folder that only its owner may look into: files get their own modes when they are
/// whole. One that is there keeps the mode that somebody has given it.
fn make_private(dir: &Path) -> io::Result<()> {
    if let Some(outer) = dir.parent() {
        fs::create_dir_all(outer)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Removes a file that may not be there.
fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
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
