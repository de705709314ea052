//! Where the data is asked for: in the folder itself, or of the server that has it open.

use headwater::store::StoreError;

use crate::cli::SharedArgs;
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::error::Failure;
use crate::node::{Look, Node};
use crate::read_side;
use crate::remote::Remote;

/// A way to the data.
pub enum Session<L = Node> {
    /// Nobody has the folder open, or the data is shared, so this process opens it.
    Local(Box<L>),
    /// A server has it open and is asked.
    Remote(Remote),
}

impl Session<Look> {
    /// Opens the log alone, or finds the server that has it; for commands that only read.
    ///
    /// # Errors
    /// A [`Failure`] when the log cannot be opened, or a server has it and no key is given.
    pub async fn look(shared: &SharedArgs) -> Result<Self, Failure> {
        let config = super::settings(shared)?;
        match expect_data(&config)? {
            Some(remote) => Ok(Self::Remote(remote)),
            None => Self::of(Look::open(config.clone()).await, &config),
        }
    }

    /// The same, for commands that read the read side too: it must be there and this program's,
    /// which is found out before anything is opened.
    ///
    /// # Errors
    /// As [`Session::look`], and a [`Failure`] when the read side is another program's.
    pub async fn look_at_both(shared: &SharedArgs) -> Result<Self, Failure> {
        let config = super::settings(shared)?;
        if let Some(remote) = expect_data(&config)? {
            return Ok(Self::Remote(remote));
        }
        drop(read_side::open_to_read(&config).await?);
        let is_read_alone = config.store.is_some() && config.read.is_none();
        let opened = match is_read_alone.then(|| DataFolder::expect_free(&config.data_dir)) {
            Some(Err(taken)) => Err(taken),
            _ => Look::open(config.clone()).await,
        };
        Self::of(opened, &config)
    }

    /// Closes the log, if this process has it.
    ///
    /// # Errors
    /// A [`Failure`] when the log could not be closed.
    pub fn end(self) -> Result<(), Failure> {
        match self {
            Self::Local(look) => look.close(),
            Self::Remote(_) => Ok(()),
        }
    }
}

impl<L> Session<L> {
    fn of(opened: Result<L, Failure>, config: &Config) -> Result<Self, Failure> {
        match opened {
            Ok(local) => Ok(Self::Local(Box::new(local))),
            Err(Failure::Store(StoreError::Locked { .. }) | Failure::InUse { .. }) => {
                remote(config).map(Self::Remote)
            }
            Err(other) => Err(other),
        }
    }
}

impl Session {
    /// Opens the folder, or finds the server that has it.
    ///
    /// # Errors
    /// A [`Failure`] when the folder cannot be opened, or a server has it and no key is given.
    pub async fn start(shared: &SharedArgs) -> Result<Self, Failure> {
        let config = super::settings(shared)?;
        if let Some(remote) = expect_data(&config)? {
            return Ok(Self::Remote(remote));
        }
        let opened = match is_shared(&config) {
            true => Node::visit(config.clone()).await,
            false => Node::open(config.clone()).await,
        };
        Self::of(opened, &config)
    }

    /// Closes the folder, if this process has it.
    ///
    /// # Errors
    /// A [`Failure`] when the log could not be closed.
    pub async fn end(self) -> Result<(), Failure> {
        match self {
            Self::Local(node) => node.close().await,
            Self::Remote(_) => Ok(()),
        }
    }
}

const fn is_shared(config: &Config) -> bool {
    config.store.is_some() && config.read.is_some()
}

/// Makes sure that there is something to open; returns the server that is to be asked at once.
fn expect_data(config: &Config) -> Result<Option<Remote>, Failure> {
    if is_shared(config) && std::env::var_os("HEADWATER_KEY").is_some() {
        return remote(config).map(Some);
    }
    if config.store.is_none() && !crate::node::log_dir(config).exists() {
        let dir = config.data_dir.display();
        return Err(Failure::new(format!("{dir} holds no data: name another --data-dir")));
    }
    Ok(None)
}

/// Points at the server of the settings, or at `HEADWATER_URL`, with the key `HEADWATER_KEY`.
fn remote(config: &Config) -> Result<Remote, Failure> {
    let key = std::env::var("HEADWATER_KEY").map_err(|_| {
        Failure::new("a server has the data open: set HEADWATER_KEY to one of its API keys")
    })?;
    let url = std::env::var("HEADWATER_URL");
    Ok(Remote::new(url.unwrap_or_else(|_| format!("http://{}", config.listen)), key))
}
