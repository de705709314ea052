//! How a backup is told from a part of one: a mark while it is made, and a list of what it holds.
//!
//! The mark [`UNFINISHED`] is in the folder from its first moment and goes last of all, so a folder
//! with it is never whole. The list [`LIST_FILE`] says how long each file is, so that a copy of the
//! backup that was cut short is found out before anything is served from it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::private_file;

/// The mark of a backup that is being made.
pub const UNFINISHED: &str = "UNFINISHED-BACKUP";
/// The list of what a backup holds.
pub const LIST_FILE: &str = "backup.json";

/// The mark's text, for who finds it.
const WORDS: &str = "This backup was not finished. Remove the folder and back up again.\n";
/// The folder of the log, whose records have checksums of their own.
const LOG: &str = "log";
const CHUNK: usize = 1 << 20;

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct BackupList {
    /// The version of this list.
    pub format: u32,
    /// The version of the program that made the backup.
    pub program: String,
    /// When it was made.
    pub made_at: String,
    /// The position of the last event in it.
    pub position: u64,
    /// What became of the read side.
    pub read_side: String,
    /// Its files.
    pub files: Vec<ListedFile>,
}

/// A file of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListedFile {
    /// Its path from the folder.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// Its BLAKE3 hash; none for files of the log, which have checksums inside.
    pub blake3: Option<String>,
}

/// Marks a folder as a backup that is being made.
///
/// # Errors
/// What the system says.
pub fn begin(dir: &Path) -> io::Result<()> {
    private_file::write_whole(&dir.join(UNFINISHED), WORDS.as_bytes())
}

/// Lists what a backup holds, and takes the mark away: it is whole from now on.
///
/// # Errors
/// What the system says; the backup stays marked then.
pub fn finish(dir: &Path, list: &mut BackupList) -> io::Result<()> {
    list.files = Vec::new();
    add_files(dir, Path::new(""), &mut list.files)?;
    list.files.sort_by(|one, other| one.path.cmp(&other.path));
    private_file::write_whole(&dir.join(LIST_FILE), &serde_json::to_vec_pretty(list)?)?;
    private_file::remove(&dir.join(UNFINISHED))
}

/// Refuses a folder with a part of a backup.
///
/// # Errors
/// A [`Failure`] that says what to do.
pub fn expect_finished(dir: &Path) -> Result<(), Failure> {
    if !dir.join(UNFINISHED).exists() {
        return Ok(());
    }
    let shown = dir.display();
    Err(Failure::new(format!(
        "{shown} is a backup that was not finished ({UNFINISHED} is in it): remove {shown} and back up \
         again, or name another --data-dir"
    )))
}

/// Compares a folder with the list of the backup that it is, if it is one.
///
/// # Errors
/// A [`Failure`] naming the first file that is not as it was.
pub fn compare(dir: &Path) -> Result<(), Failure> {
    let path = dir.join(LIST_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    let list: BackupList = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let wrong = list.files.iter().find_map(|file| Some((file, file.problem(dir)?)));
    let Some((file, problem)) = wrong else { return Ok(()) };
    let (file, list) = (dir.join(&file.path), path.display());
    Err(Failure::new(format!(
        "{}: {problem}, says {list}: the folder is not the whole backup that was made; copy it again, \
         or, if you have changed it on purpose, remove {list}",
        file.display()
    )))
}

/// Takes a backup as the data folder that it is from now on: compares it with its list, which goes,
/// because the files change.
///
/// # Errors
/// As [`compare`], and when the list cannot be removed.
pub fn take_over(dir: &Path) -> Result<(), Failure> {
    expect_finished(dir)?;
    compare(dir)?;
    let path = dir.join(LIST_FILE);
    private_file::remove(&path)
        .map_err(|error| Failure::new(format!("remove {}: {error}", path.display())))
}

impl ListedFile {
    /// Returns what is wrong with the file; `None` when it is as it was.
    fn problem(&self, dir: &Path) -> Option<String> {
        let path = dir.join(&self.path);
        let len = match fs::metadata(&path) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Some("the file is missing".to_owned());
            }
            Err(error) => return Some(error.to_string()),
        };
        // A log that was opened and closed may have got longer, and is never shorter.
        let fits = if self.blake3.is_some() { len == self.bytes } else { len >= self.bytes };
        if !fits {
            return Some(format!("the file has {len} bytes instead of {}", self.bytes));
        }
        match self.blake3.as_ref().map(|wanted| hash(&path).map(|found| found == *wanted)) {
            None | Some(Ok(true)) => None,
            Some(Ok(false)) => Some("the file has another content".to_owned()),
            Some(Err(error)) => Some(error.to_string()),
        }
    }
}

fn add_files(dir: &Path, below: &Path, files: &mut Vec<ListedFile>) -> io::Result<()> {
    for entry in fs::read_dir(dir.join(below))? {
        let path: PathBuf = below.join(entry?.file_name());
        let full = dir.join(&path);
        if full.is_dir() {
            add_files(dir, &path, files)?;
        } else if path != Path::new(UNFINISHED) && path != Path::new(LIST_FILE) {
            let is_log = path.starts_with(LOG);
            let blake3 = if is_log { None } else { Some(hash(&full)?) };
            let bytes = fs::metadata(&full)?.len();
            files.push(ListedFile { path: path.to_string_lossy().into_owned(), bytes, blake3 });
        }
    }
    Ok(())
}

fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, blake3::Hasher::new());
    let mut bytes = vec![0; CHUNK];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            count => hasher.update(bytes.get(..count).unwrap_or_default()),
        };
    }
}
