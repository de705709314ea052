//! Processes that tests start, listen to, and end.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, getuid, kill_process};

use super::ScratchError;

/// How long a process may take to start; recovery after a kill is part of it.
const START_MAX: Duration = Duration::from_secs(120);

/// Below 32768, where systems begin to give ports out.
const PORT_FIRST: u16 = 20_000;
const PORT_COUNT: u16 = 12_000;
const PORT_ATTEMPTS: u32 = 100;

/// What a process has said on its standard error.
pub(super) type Said = Arc<Mutex<String>>;

/// A process, and the thread that reads what it and its children say until all are gone.
pub(super) struct Running {
    process: Child,
    listener: JoinHandle<()>,
}

impl Running {
    /// Starts a process and waits until it says that it is ready.
    pub(super) fn start(
        command: &mut Command,
        is_ready: &'static str,
        said: &Said,
    ) -> Result<Self, ScratchError> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = spawned.spawn().map_err(machine)?;
        let (tell, ready) = channel();
        let Some(voice) = process.stderr.take() else {
            return Err(ScratchError::Machine("the process has no output".to_owned()));
        };
        said.lock().clear();
        let own = Arc::clone(said);
        let listener = thread::Builder::new().name("scratch-listener".to_owned());
        let listener = listener.spawn(move || listen(voice, is_ready, &own, &tell));
        let running = Self { process, listener: listener.map_err(machine)? };
        if ready.recv_timeout(START_MAX).is_ok() {
            return Ok(running);
        }
        running.kill();
        Err(ScratchError::Machine(format!("it did not start: {}", said.lock())))
    }

    /// Ends it and its children at once; waits until all are gone.
    pub(super) fn kill(mut self) {
        let children = children(self.process.id());
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for child in children {
            let _ = kill_process(child, Signal::KILL);
        }
        let _ = self.listener.join();
    }

    /// Asks it to end and waits until it and its children have.
    pub(super) fn interrupt(mut self) {
        if let Some(process) = pid(self.process.id()) {
            let _ = kill_process(process, Signal::INT);
        }
        let _ = self.process.wait();
        let _ = self.listener.join();
    }
}

/// Keeps what a process says, and tells when it is ready.
fn listen(voice: impl Read, is_ready: &str, said: &Mutex<String>, ready: &Sender<()>) {
    for line in BufReader::new(voice).lines().map_while(Result::ok) {
        if line.contains(is_ready) {
            // Whoever waited may have given up.
            let _ = ready.send(());
        }
        let mut said = said.lock();
        said.push_str(&line);
        said.push('\n');
    }
}

/// User and group under which programs run that refuse the superuser.
#[derive(Clone, Copy)]
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// Finds them; who is no superuser runs such programs as oneself.
    pub(super) fn find() -> Self {
        if !getuid().is_root() {
            return Self(None);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let find = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        Self(find("postgres").or_else(|| find("nobody")))
    }

    /// Runs a command as this user.
    pub(super) fn run(self, command: &mut Command) {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
    }

    /// Gives a file or folder to this user.
    pub(super) fn give(self, path: &Path) -> Result<(), ScratchError> {
        self.0.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)).map_err(machine))
    }
}

/// Returns a port of 127.0.0.1 on which nobody listens.
///
/// By chance, and below those that the system gives out by itself: it would give out the one of
/// a server that is down for a moment, or not yet up, to the next connection.
pub(super) fn free_port() -> Result<u16, ScratchError> {
    for _ in 0..PORT_ATTEMPTS {
        let mut random = [0_u8; 2];
        getrandom::fill(&mut random).map_err(|error| ScratchError::Machine(error.to_string()))?;
        let port = PORT_FIRST + u16::from_ne_bytes(random) % PORT_COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(ScratchError::Machine("no port of 127.0.0.1 is free".to_owned()))
}

pub(super) fn machine(error: std::io::Error) -> ScratchError {
    ScratchError::Machine(error.to_string())
}

/// Returns the processes that a process has started. Where there is no /proc they are not known,
/// and end when they notice that their parent is gone.
fn children(parent: u32) -> Vec<Pid> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let listed = fs::read_to_string(path).unwrap_or_default();
    listed.split_whitespace().filter_map(|number| pid(number.parse().ok()?)).collect()
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}
