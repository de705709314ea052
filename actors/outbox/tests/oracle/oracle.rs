//! The official libraries, fetched once into the build's own folder and asked in one run each.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use headwater::test::skip;
use serde_json::Value;

/// What is installed; a change of it makes a new folder.
const PYTHON: [&str; 2] = ["standardwebhooks==1.1.0", "cloudevents==2.2.0"];
const NODE: [&str; 1] = ["standardwebhooks@1.1.1"];

/// A language with the libraries and the program that asks them.
#[derive(Clone, Copy)]
pub enum Oracle {
    Python,
    Node,
}

impl Oracle {
    /// Returns what the libraries make of the cases; `None` when they cannot be had here, which
    /// is said loudly.
    pub fn ask(self, cases: &Value) -> Option<Value> {
        let folder = self.folder()?;
        let output = fed(&mut self.program(&folder), &cases.to_string());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Returns the interpreter that has the libraries; `None` as [`Oracle::ask`].
    pub fn program_of_its_own(self) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join("bin/python"))
    }

    fn folder(self) -> Option<PathBuf> {
        let installed = self.installed();
        installed.map_err(|problem| skip(&format!("no {}: {problem}", self.name()))).ok()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Python => "Python with standardwebhooks and cloudevents of PyPI",
            Self::Node => "Node.js with standardwebhooks of npm",
        }
    }

    fn program(self, folder: &Path) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
        let (mut program, script) = match self {
            Self::Python => (Command::new(folder.join("bin/python")), "verify.py"),
            Self::Node => (Command::new("node"), "verify.mjs"),
        };
        program.arg(scripts.join(script)).arg(folder);
        program
    }

    /// Returns the folder of the libraries, filled by the first test that asks.
    fn installed(self) -> Result<PathBuf, String> {
        let (name, packages) = match self {
            Self::Python => ("python", PYTHON.join("-")),
            Self::Node => ("node", NODE.join("-")),
        };
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{name}-{packages}"));
        let done = folder.join("installed");
        // Tests run in programs of their own, so the lock is a file's.
        let lock = File::create(folder.with_extension("lock")).and_then(|file| {
            file.lock()?;
            Ok(file)
        });
        let _held = lock.map_err(|error| format!("{}: {error}", folder.display()))?;
        if !done.exists() {
            self.install(&folder)?;
            fs::write(done, "").map_err(|error| error.to_string())?;
        }
        Ok(folder)
    }

    fn install(self, folder: &Path) -> Result<(), String> {
        say(&format!("fetching {}", self.name()));
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        match self {
            Self::Python => {
                run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
                let mut pip = Command::new(folder.join("bin/python"));
                run(pip.args(["-m", "pip", "install", "--quiet"]).args(PYTHON))
            }
            Self::Node => {
                run(Command::new("node").arg("--version"))?;
                let quiet = ["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"];
                run(Command::new("npm").args(quiet).arg("--prefix").arg(folder).args(NODE))
            }
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn fed(program: &mut Command, input: &str) -> Output {
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Says something past the harness, which shows the words of failed tests alone.
fn say(words: &str) {
    let _ = writeln!(io::stderr(), "oracle: {words}");
}
