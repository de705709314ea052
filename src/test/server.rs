//! A PostgreSQL server of a test's own, which may be killed, refused and filled up.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, getuid, kill_process};

use super::ScratchError;
use super::postgres::random_name;
use crate::postgres::Address;

/// Of the superuser `postgres`, for connections over TCP.
const PASSWORD: &str = "scratch";

/// How long a server may take to start; recovery after a kill is part of it.
const START_MAX: Duration = Duration::from_secs(120);

/// Where distributions keep the server's programs, version by version.
const PLACES: [&str; 3] = ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt"];

/// A server in a temporary folder, with the defaults of its version: what it acknowledged
/// survives. It ends and its folder is gone when this is dropped.
pub struct ScratchServer {
    folder: PathBuf,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    port: u16,
    running: Mutex<Option<Running>>,
    log: Arc<Mutex<String>>,
}

/// A postmaster, and the thread that reads what it and its processes say until all are gone.
struct Running {
    postmaster: Child,
    listener: JoinHandle<()>,
}

impl ScratchServer {
    /// Makes a server and starts it with further settings, `name=value` each.
    ///
    /// # Errors
    /// [`ScratchError::NoPrograms`] when PostgreSQL is not installed on this machine;
    /// [`ScratchError::Machine`] with what the server said.
    pub fn start(settings: &[&str]) -> Result<Self, ScratchError> {
        let server = Self::new()?;
        let password = server.folder.join("password");
        fs::write(&password, PASSWORD).map_err(|error| machine(&error))?;
        server.program(
            "initdb",
            &["-U", "postgres", "-E", "UTF8", "--locale=C", "-N"],
            |initdb| {
                initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile"]);
                initdb.arg(&password).arg("-D").arg(server.data());
            },
        )?;
        server.set(&[
            "listen_addresses='127.0.0.1'",
            "lc_messages='C'",
            "shared_buffers='32MB'",
        ])?;
        server.set(settings)?;
        server.start_again()?;
        Ok(server)
    }

    /// Makes a copy that follows this server as a hot standby, and starts it.
    ///
    /// # Errors
    /// [`ScratchError`] as [`ScratchServer::start`].
    pub fn standby(&self) -> Result<Self, ScratchError> {
        let copy = Self::new()?;
        let port = self.port.to_string();
        copy.program("pg_basebackup", &["-R", "-h", "127.0.0.1", "-U", "postgres"], |backup| {
            backup.args(["--checkpoint=fast", "-p"]).arg(port).env("PGPASSWORD", PASSWORD);
            backup.arg("-D").arg(copy.data());
        })?;
        copy.start_again()?;
        Ok(copy)
    }

    /// Returns where its superuser logs in.
    ///
    /// # Errors
    /// None in practice: the address is well formed.
    pub fn address(&self) -> Result<Address, ScratchError> {
        self.address_of("postgres", PASSWORD)
    }

    /// Returns where another role logs in.
    ///
    /// # Errors
    /// [`ScratchError::Address`] when name or password must be escaped.
    pub fn address_of(&self, role: &str, password: &str) -> Result<Address, ScratchError> {
        Ok(self.url(role, password).parse()?)
    }

    /// Returns the same as a text, which shows the password.
    #[must_use]
    pub fn url(&self, role: &str, password: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the port of 127.0.0.1 that it listens on, the same over all starts.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder of its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Adds settings, `name=value` each, which its next start reads.
    ///
    /// # Errors
    /// [`ScratchError::Machine`] when the file cannot be written.
    pub fn set(&self, settings: &[&str]) -> Result<(), ScratchError> {
        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path).map_err(|error| machine(&error))?;
        settings.iter().for_each(|setting| {
            text.push_str(setting);
            text.push('\n');
        });
        fs::write(&path, text).map_err(|error| machine(&error))
    }

    /// Puts a file into the folder of its data, readable for the server alone.
    ///
    /// # Errors
    /// [`ScratchError::Machine`] when it cannot be written.
    pub fn put(&self, name: &str, text: &str) -> Result<(), ScratchError> {
        let path = self.data().join(name);
        fs::write(&path, text).map_err(|error| machine(&error))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .map_err(|error| machine(&error))?;
        self.give(&path)
    }

    /// Starts it, after [`ScratchServer::kill`] or [`ScratchServer::stop`]; waits until it
    /// takes connections.
    ///
    /// # Errors
    /// [`ScratchError::Machine`] with what the server said.
    pub fn start_again(&self) -> Result<(), ScratchError> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-k"]);
        command.arg(&self.folder).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut postmaster = command.spawn().map_err(|error| machine(&error))?;
        let (tell, ready) = channel();
        let Some(said) = postmaster.stderr.take() else {
            return Err(ScratchError::Machine("the server has no output".to_owned()));
        };
        let log = self.log.clone();
        log.lock().clear();
        let listener = thread::Builder::new().name("scratch-server".to_owned());
        let listener = listener.spawn(move || listen(said, &log, &tell));
        let listener = listener.map_err(|error| machine(&error))?;
        *self.running.lock() = Some(Running { postmaster, listener });
        if ready.recv_timeout(START_MAX).is_ok() {
            return Ok(());
        }
        self.kill();
        Err(ScratchError::Machine(format!("the server did not start: {}", self.log())))
    }

    /// Ends it and every process of it at once, as a lost machine does; waits until all are gone.
    pub fn kill(&self) {
        let Some(mut running) = self.running.lock().take() else { return };
        let children = children(running.postmaster.id());
        // It may have ended by itself.
        let _ = running.postmaster.kill();
        let _ = running.postmaster.wait();
        for child in children {
            let _ = kill_process(child, Signal::KILL);
        }
        let _ = running.listener.join();
    }

    /// Stops it in order; sessions are ended, not waited for.
    pub fn stop(&self) {
        let Some(mut running) = self.running.lock().take() else { return };
        if let Some(postmaster) = pid(running.postmaster.id()) {
            let _ = kill_process(postmaster, Signal::INT);
        }
        let _ = running.postmaster.wait();
        let _ = running.listener.join();
    }

    /// Returns what it has said since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    fn new() -> Result<Self, ScratchError> {
        let programs = programs().ok_or(ScratchError::NoPrograms)?;
        let folder = std::env::temp_dir().join(random_name("scratch_server")?);
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| machine(&error))?;
        let port = listener.local_addr().map_err(|error| machine(&error))?.port();
        let (owner, running) = (owner(), Mutex::new(None));
        let server = Self { folder, programs, owner, port, running, log: Arc::default() };
        // PostgreSQL refuses a folder that others may enter.
        for folder in [server.folder.clone(), server.data()] {
            fs::create_dir(&folder).map_err(|error| machine(&error))?;
            server.give(&folder)?;
        }
        let closed = fs::Permissions::from_mode(0o700);
        fs::set_permissions(server.data(), closed).map_err(|error| machine(&error))?;
        Ok(server)
    }

    fn program(
        &self,
        name: &str,
        arguments: &[&str],
        complete: impl FnOnce(&mut Command),
    ) -> Result<(), ScratchError> {
        let mut command = self.command(name);
        complete(command.args(arguments));
        let output = command.output().map_err(|error| machine(&error))?;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return Ok(());
        }
        Err(ScratchError::Machine(format!("{name} failed: {}", said())))
    }

    /// A program of PostgreSQL, run as a user whom it accepts: it refuses the superuser.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(&self.folder).env("LC_ALL", "C");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    fn give(&self, path: &Path) -> Result<(), ScratchError> {
        match self.owner {
            Some((user, group)) => {
                chown(path, Some(user), Some(group)).map_err(|error| machine(&error))
            }
            None => Ok(()),
        }
    }
}

impl Drop for ScratchServer {
    fn drop(&mut self) {
        self.kill();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "scratch server was not removed");
        }
    }
}

/// Keeps what the server says, and tells when it takes connections.
fn listen(said: impl Read, log: &Mutex<String>, ready: &Sender<()>) {
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        if line.contains("database system is ready to accept") {
            // Whoever waited may have given up.
            let _ = ready.send(());
        }
        let mut log = log.lock();
        log.push_str(&line);
        log.push('\n');
    }
}

/// Returns the folder of the server's programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let is_complete = |folder: &PathBuf| folder.join("initdb").is_file();
    let inside = |place: &str| fs::read_dir(place).into_iter().flatten().flatten();
    let versions = PLACES.iter().flat_map(|place| inside(place)).filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("pgsql-") || name.starts_with("postgresql@") || name.parse::<u32>().is_ok()
    });
    let mut found: Vec<PathBuf> =
        versions.map(|entry| entry.path().join("bin")).filter(is_complete).collect();
    found.sort_by_key(|folder| version(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.pop().or_else(|| std::env::split_paths(&path).find(is_complete))
}

fn version(folder: &Path) -> u32 {
    let name = folder.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or_default()
}

/// Returns user and group under which a server may run; `None` is: this process's own.
fn owner() -> Option<(u32, u32)> {
    if !getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let mut fields =
            users.lines().find(|line| line.split(':').next() == Some(name))?.split(':');
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

/// Returns the processes that a process has started. Where there is no /proc they are not known,
/// and end when they notice that their postmaster is gone.
fn children(parent: u32) -> Vec<Pid> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let listed = fs::read_to_string(path).unwrap_or_default();
    listed.split_whitespace().filter_map(|number| pid(number.parse().ok()?)).collect()
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

fn machine(error: &std::io::Error) -> ScratchError {
    ScratchError::Machine(error.to_string())
}
