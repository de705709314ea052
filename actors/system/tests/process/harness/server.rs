//! A running server: found by what it prints, stopped in order or killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Client, Folder};

/// A server over a folder's data, on a port of its own.
pub struct Server {
    pub client: Client,
    pub address: String,
    child: Child,
    output: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Server {
    /// Starts on a new data folder, with the first key that it prints.
    pub fn start(folder: &Folder, args: &[&str]) -> Self {
        Self::open(folder, args, None)
    }

    /// Starts again on data that has keys already.
    pub fn start_again(folder: &Folder, args: &[&str], key: &str) -> Self {
        Self::open(folder, args, Some(key))
    }

    fn open(folder: &Folder, args: &[&str], key: Option<&str>) -> Self {
        let log = folder.path("server.log");
        let mut program = folder.program(&["serve", "--listen", "127.0.0.1:0"]);
        program.args(args).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = program.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (mut address, mut first) = (None, None);
        loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap() == 0 {
                panic!("server did not start: {}", std::fs::read_to_string(&log).unwrap());
            }
            if let Some((_, found)) = line.trim().split_once(" on http://") {
                address.get_or_insert_with(|| found.to_owned());
            }
            if let Some((_, found)) = line.trim().split_once("shown this once: ") {
                first = Some(found.to_owned());
            }
            if line.starts_with("documentation on ") {
                break;
            }
        }
        assert_eq!(first.is_some(), key.is_none(), "a first key is made for new data alone");
        let key = first.as_deref().or(key).unwrap();
        let address = address.unwrap();
        Self { client: Client::new(&address, key), address, child, output, log }
    }

    /// Points a command of the program at this server.
    pub fn point(&self, program: &mut Command) {
        program.env("HEADWATER_URL", format!("http://{}", self.address));
        program.env("HEADWATER_KEY", self.client.key());
    }

    /// Kills it: no handler runs, nothing is flushed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal: `STOP` makes it stand still, `CONT` lets it go on.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -$1 $0", &id, name]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it to end and waits; returns its exit code and its log.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.output.read_to_string(&mut String::new()).unwrap();
        let status = self.child.wait().unwrap();
        (status.code(), std::fs::read_to_string(&self.log).unwrap())
    }

    /// Asks it to end, which must go in order.
    pub fn stop(self) {
        let (code, log) = self.terminate();
        assert_eq!(code, Some(0), "{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
