//! The folder that a backup is made in.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::backup_mark::{self, LIST_FILE, UNFINISHED};
use crate::error::Failure;
use crate::private_file;

/// The folder of the copy, and what was made for it.
pub struct BackupTarget {
    dir: PathBuf,
    /// Folders that were not there before, the innermost first; the log's own not among them.
    made: Vec<PathBuf>,
}

impl BackupTarget {
    /// Makes the folder, for its owner alone and marked as unfinished from its first moment; one
    /// that holds anything is refused and not touched.
    ///
    /// # Errors
    /// A [`Failure`] naming the folder and what to do.
    pub fn make(dir: &Path) -> Result<Self, Failure> {
        expect_empty(dir)?;
        let outer = dir.ancestors().take_while(|outer| !outer.as_os_str().is_empty());
        let made = outer.take_while(|outer| !outer.exists()).map(Path::to_owned).collect();
        let target = Self { dir: dir.to_owned(), made };
        // Made here and not there before, so it may be removed when the copy fails.
        let done = make_marked(dir).and_then(|()| private_file::make_folder(&target.log_dir()));
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

    /// Returns where a file of the data folder is written before it is whole.
    pub fn part(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.tmp"))
    }

    /// Says that the copy is whole, with what it holds.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(&self, list: &mut backup_mark::BackupList) -> io::Result<()> {
        backup_mark::finish(&self.dir, list)
    }

    /// Removes what was made, these files included, and says why there is no copy.
    pub fn give_up(&self, files: &[&str], error: &Failure) -> Failure {
        let names = files.iter().chain(&[LIST_FILE]);
        let mut paths = names.flat_map(|name| [self.file(name), self.part(name)]);
        let removed = paths.try_for_each(|path| private_file::remove(&path));
        let removed = removed.and(fs::remove_dir_all(self.log_dir()));
        // The mark goes last: until then the folder holds a part of a copy.
        let removed = removed.and_then(|()| private_file::remove(&self.file(UNFINISHED)));
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

/// Makes a folder with the mark in it. It gets its name when the mark is there, so that a kill at no
/// moment leaves an empty folder, which would open as a new one. One that is there keeps the mode
/// that somebody has given it.
fn make_marked(dir: &Path) -> io::Result<()> {
    if dir.exists() {
        return backup_mark::begin(dir);
    }
    if let Some(outer) = dir.parent().filter(|outer| !outer.as_os_str().is_empty()) {
        fs::create_dir_all(outer)?;
    }
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unnamed = dir.with_file_name(format!(".{name}.{}.unfinished", std::process::id()));
    private_file::make_folder(&unnamed)?;
    let named =
        backup_mark::begin(&unnamed).and_then(|()| private_file::put_in_place(&unnamed, dir));
    if named.is_err() {
        // Nothing but the mark is in it; why there is no copy is told by the first error.
        let _ = fs::remove_dir_all(&unnamed);
    }
    named
}

fn expect_empty(dir: &Path) -> Result<(), Failure> {
    let shown = dir.display();
    if dir.join(UNFINISHED).exists() {
        let words = "holds a backup that was not finished: remove it, or name a new folder";
        return Err(Failure::new(format!("{shown} {words}")));
    }
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
