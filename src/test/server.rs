//! A PostgreSQL server of a test's own, which may be killed, refused and filled up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use parking_lot::Mutex;

use super::ScratchError;
use super::postgres::random_name;
use super::process::{Owner, Running, Said, free_port, machine};
use crate::postgres::Address;

/// Of the superuser `postgres`, for connections over TCP.
const PASSWORD: &str = "scratch";

/// Where distributions keep the server's programs, version by version.
const PLACES: [&str; 3] = ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt"];

/// A server in a temporary folder, on 127.0.0.1 alone, with 32 MB of cache, messages in English
/// and else the defaults of its version: what it acknowledged survives. It ends and its folder is
/// gone when this is dropped.
pub struct ScratchServer {
    folder: PathBuf,
    programs: PathBuf,
    owner: Owner,
    port: u16,
    running: Mutex<Option<Running>>,
    log: Said,
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
        fs::write(&password, PASSWORD).map_err(machine)?;
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
        copy.program(
            "pg_basebackup",
            &["-R", "-N", "-h", "127.0.0.1", "-U", "postgres"],
            |backup| {
                backup.args(["--checkpoint=fast", "-p"]).arg(port).env("PGPASSWORD", PASSWORD);
                backup.arg("-D").arg(copy.data());
            },
        )?;
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
        let mut text = fs::read_to_string(&path).map_err(machine)?;
        settings.iter().for_each(|setting| {
            text.push_str(setting);
            text.push('\n');
        });
        fs::write(&path, text).map_err(machine)
    }

    /// Puts a file into the folder of its data, readable for the server alone.
    ///
    /// # Errors
    /// [`ScratchError::Machine`] when it cannot be written.
    pub fn put(&self, name: &str, text: &str) -> Result<(), ScratchError> {
        let path = self.data().join(name);
        fs::write(&path, text).map_err(machine)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(machine)?;
        self.owner.give(&path)
    }

    /// Starts it, after [`ScratchServer::kill`] or [`ScratchServer::stop`]; waits until it
    /// takes connections.
    ///
    /// # Errors
    /// [`ScratchError::Machine`] with what the server said.
    pub fn start_again(&self) -> Result<(), ScratchError> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-k"]);
        command.arg(&self.folder);
        let is_ready = "database system is ready to accept";
        *self.running.lock() = Some(Running::start(&mut command, is_ready, &self.log)?);
        Ok(())
    }

    /// Ends it and every process of it at once, as a lost machine does; waits until all are gone.
    pub fn kill(&self) {
        if let Some(running) = self.running.lock().take() {
            running.kill();
        }
    }

    /// Stops it in order; sessions are ended, not waited for.
    pub fn stop(&self) {
        if let Some(running) = self.running.lock().take() {
            running.interrupt();
        }
    }

    /// Returns what it has said since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    fn new() -> Result<Self, ScratchError> {
        let programs = programs().ok_or(ScratchError::NoPrograms)?;
        let folder = std::env::temp_dir().join(random_name("scratch_server")?);
        let (port, owner, running) = (free_port()?, Owner::find(), Mutex::new(None));
        let server = Self { folder, programs, owner, port, running, log: Said::default() };
        // PostgreSQL refuses a folder that others may enter.
        for folder in [server.folder.clone(), server.data()] {
            fs::create_dir(&folder).map_err(machine)?;
            owner.give(&folder)?;
        }
        let closed = fs::Permissions::from_mode(0o700);
        fs::set_permissions(server.data(), closed).map_err(machine)?;
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
        let output = command.output().map_err(machine)?;
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
        self.owner.run(&mut command);
        command
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
