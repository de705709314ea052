//! A real PgBouncer between a test and a server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::ScratchError;
use super::postgres::random_name;
use super::process::{Owner, Running, Said, free_port, machine};
use crate::postgres::{Address, Pooler};

/// Where Debian and Red Hat put it, beside the folders of `PATH`.
const PLACES: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];

/// A PgBouncer with its own defaults, but for what is set: with `default_pool_size = 2` it has
/// fewer connections to the server than a store has to it, so that sessions are swapped. It ends
/// when this is dropped.
pub struct ScratchPooler {
    folder: PathBuf,
    port: u16,
    running: Option<Running>,
}

impl ScratchPooler {
    /// Returns whether PgBouncer is on this machine.
    #[must_use]
    pub fn is_installed() -> bool {
        program().is_some()
    }

    /// Starts one in front of the server of an address, with further settings, `name = value`
    /// each. It lets everybody in as the address's role.
    ///
    /// # Errors
    /// [`ScratchError::NoPooler`] when it is not installed; [`ScratchError::Machine`] with what
    /// it said.
    pub fn before(
        address: &Address,
        mode: Pooler,
        settings: &[&str],
    ) -> Result<Self, ScratchError> {
        let program = program().ok_or(ScratchError::NoPooler)?;
        let (port, owner) = (free_port()?, Owner::find());
        let folder = std::env::temp_dir().join(random_name("scratch_pooler")?);
        fs::create_dir(&folder).map_err(machine)?;
        let mut pooler = Self { folder, port, running: None };
        let mode = if mode == Pooler::Transaction { "transaction" } else { "session" };
        let text = format!(
            "[databases]\n* = {}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\n{}\n",
            address.login(),
            settings.join("\n"),
        );
        let file = pooler.folder.join("pgbouncer.ini");
        fs::write(&file, text).map_err(machine)?;
        // It names the password.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(machine)?;
        owner.give(&file)?;
        let mut command = Command::new(program);
        command.arg(&file).current_dir(&pooler.folder);
        owner.run(&mut command);
        pooler.running = Some(Running::start(&mut command, "process up", &Said::default())?);
        Ok(pooler)
    }

    /// Returns the same address through it, as one that says so or as one that does not.
    ///
    /// # Errors
    /// [`ScratchError::Address`] when the database's name must be escaped.
    pub fn address(&self, of: &Address, mode: Pooler) -> Result<Address, ScratchError> {
        Ok(self.url(of, mode).parse::<Address>()?.with_application_name(of.schema()))
    }

    /// Returns the same as a text.
    #[must_use]
    pub fn url(&self, of: &Address, mode: Pooler) -> String {
        let (database, port, schema) = (of.database(), self.port, of.schema());
        let mode = match mode {
            Pooler::Absent => "",
            Pooler::Session => "&pooler=session",
            Pooler::Transaction => "&pooler=transaction",
        };
        let place = format!("postgres://pooled@127.0.0.1:{port}/{database}");
        format!("{place}?sslmode=disable&schema={schema}{mode}")
    }
}

impl Drop for ScratchPooler {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "scratch pooler was not removed");
        }
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = PLACES.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    places.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}
