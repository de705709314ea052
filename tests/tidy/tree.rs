//! The files of the repository, read once per rule.

use std::fs;
use std::path::{Path, PathBuf};

use super::source::Source;

/// A text file with its path from the root of the repository, `/` between the parts.
pub struct Text {
    pub path: String,
    pub text: String,
}

impl Text {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

/// Returns the folder of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every file that belongs to the repository, in order of path.
pub fn files() -> Vec<String> {
    let mut found = Vec::new();
    collect(root(), &ignored_folders(), &mut found);
    found.sort();
    found
}

/// Returns every file that is text.
pub fn texts() -> Vec<Text> {
    files().iter().filter_map(|path| read(path)).collect()
}

/// Returns every Rust file.
pub fn sources() -> Vec<Source> {
    let rust = |path: &&String| path.ends_with(".rs");
    let files = files();
    let texts = files.iter().filter(rust).filter_map(|path| read(path));
    texts.map(|text| Source::new(&text.path, &text.text)).collect()
}

/// Returns every page of prose.
pub fn pages() -> Vec<Text> {
    files().iter().filter(|path| path.ends_with(".md")).filter_map(|path| read(path)).collect()
}

/// Reads a file as text; `None` when it is missing or not UTF-8.
pub fn read(path: &str) -> Option<Text> {
    fs::read_to_string(root().join(path)).ok().map(|text| Text::new(path, &text))
}

/// Returns the folders that `.gitignore` names with a leading `/`, and git's own.
fn ignored_folders() -> Vec<PathBuf> {
    let ignore = fs::read_to_string(root().join(".gitignore")).unwrap_or_default();
    let named = ignore.lines().filter_map(|line| line.strip_prefix('/'));
    named.chain([".git"]).map(|name| root().join(name.trim_end_matches('/'))).collect()
}

fn collect(folder: &Path, ignored: &[PathBuf], found: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let path = entry.unwrap().path();
        if ignored.contains(&path) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, ignored, found);
        } else if let Ok(inside) = path.strip_prefix(root()) {
            found.push(inside.to_string_lossy().replace('\\', "/"));
        }
    }
}

#[test]
fn the_walk_finds_this_file_and_skips_what_git_ignores() {
    let files = files();
    assert!(files.iter().any(|path| path == "tests/tidy/tree.rs"));
    assert!(!files.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
}
