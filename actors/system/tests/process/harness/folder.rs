//! A working folder of its own, with the program run in it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use headwater::sql::{Database, SqliteConfig};
use serde_json::Value;
use tempfile::TempDir;

/// A working folder that goes away with the test.
pub struct Folder {
    dir: TempDir,
}

/// What a finished command left behind.
#[derive(Debug)]
pub struct Outcome {
    pub is_success: bool,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, its folder included.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Prepares the program; no setting of this process or of another folder reaches it.
    pub fn program(&self, args: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_headwater"));
        program.current_dir(self.dir.path()).args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HEADWATER_") {
                program.env_remove(name);
            }
        }
        program
    }

    /// Opens the read side in the data folder beside the program.
    pub fn database(&self) -> Database {
        SqliteConfig::at(self.path("headwater-data/read.sqlite")).open().unwrap()
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(&mut self.program(args))
    }

    /// Runs the program, which must succeed, and reads what it prints.
    pub fn json(&self, args: &[&str]) -> Value {
        self.run(args).json()
    }
}

impl Outcome {
    pub fn of(program: &mut Command) -> Self {
        let output = program.output().unwrap();
        Self {
            is_success: output.status.success(),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        assert!(self.is_success, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Reads one document a line.
    pub fn json_lines(&self) -> Vec<Value> {
        assert!(self.is_success, "{self:?}");
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Checks that it failed and said each of these words on standard error.
    pub fn assert_refused(&self, words: &[&str]) {
        assert!(!self.is_success, "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing: {self:?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}
