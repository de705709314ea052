//! `headwater migrate new`: the files of a step, with what has to be thought of in them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use headwater::sql::migration::Phase;

use crate::command::output::say;
use crate::error::Failure;

const EXPAND: [&str; 2] = [
    "-- Why: …
-- phase: expand
-- Adds what an older program beside this one does not mind: a table, a column that is nullable or
-- has a constant default. An index of a large table: `-- transaction: none` and `create index
-- concurrently if not exists`.
",
    "-- Undoes exactly that.
",
];
const BACKFILL: [&str; 2] = [
    "-- Why: …
-- phase: backfill
-- batch: TABLE by KEY
update TABLE set NEW = OLD where KEY between $1 and $2 and NEW is null;
",
    "-- What was filled may stay: the step that added the column removes it.
",
];
const CONTRACT: [&str; 2] = [
    "-- Why: …
-- phase: contract
-- Removes what no program that runs needs any more; refused while one does not know this step.
",
    "-- Puts back what an older program needs to run, as far as it can be made from what is left.
",
];

/// Writes the pair of files behind the last step of a capability and says what is left to do.
pub fn write(dir: &Path, capability: &str, name: &str, phase: Phase) -> Result<(), Failure> {
    check_word("capability", capability)?;
    check_word("name", name)?;
    let folder = dir.join(capability);
    if !dir.is_dir() {
        let dir = dir.display();
        return Err(Failure::new(format!(
            "{dir} is no folder: run this where Cargo.toml of the capability is, or say --dir"
        )));
    }
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    let stem = format!("{:04}_{name}", next_number(&folder, name)?);
    let texts = match phase {
        Phase::Expand => EXPAND,
        Phase::Backfill => BACKFILL,
        Phase::Contract => CONTRACT,
    };
    for (way, text) in ["up", "down"].into_iter().zip(texts) {
        let path = folder.join(format!("{stem}.{way}.sql"));
        write_new(&path, text)?;
        say!("{}", path.display());
    }
    say!(
        "add \"{stem}\" at the end of migrations!(\"{capability}\" in \"{}\" {{ … }})",
        folder.display()
    );
    Ok(())
}

/// Returns the number behind the last one in the folder.
fn next_number(folder: &Path, name: &str) -> Result<u32, Failure> {
    let mut last = 0;
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        let file = path.file_name().map(|file| file.to_string_lossy().into_owned());
        let Some((number, rest)) = file.as_deref().and_then(|file| file.split_once('_')) else {
            continue;
        };
        if rest.split('.').next() == Some(name) {
            let path = path.display();
            return Err(Failure::new(format!("{path} is there already: take another name")));
        }
        last = last.max(number.parse().unwrap_or_default());
    }
    Ok(last + 1)
}

fn write_new(path: &PathBuf, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, &error))
}

fn check_word(field: &str, word: &str) -> Result<(), Failure> {
    let is_word = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_word {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{field} is {word:?}: say lower case letters, digits and _, such as add_digest"
    )))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
