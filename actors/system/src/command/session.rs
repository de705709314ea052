//! Where the data is asked for: in the folder itself, or of the server that has it open.

use headwater::store::StoreError;

use crate::cli::SharedArgs;
use crate::config::Config;
use crate::error::Failure;
use crate::node::Node;
use crate::remote::Remote;

/// A way to the data.
pub enum Session {
    /// Nobody has the folder open, or the data is shared, so this process opens it.
    Local(Box<Node>),
    /// A server has it open and is asked.
    Remote(Remote),
}

impl Session {
    /// Opens the folder, or finds the server that has it.
    ///
    /// # Errors
    /// A [`Failure`] when the folder cannot be opened, or a server has it and no key is given.
    pub async fn start(shared: &SharedArgs) -> Result<Self, Failure> {
        let config = super::settings(shared)?;
        let is_shared = config.store.is_some() && config.read.is_some();
        if is_shared && std::env::var_os("HEADWATER_KEY").is_some() {
            return remote(&config).map(Self::Remote);
        }
        if config.store.is_none() && !crate::node::log_dir(&config).exists() {
            let dir = config.data_dir.display();
            return Err(Failure::new(format!("{dir} holds no data: name another --data-dir")));
        }
        let opened = match is_shared {
            true => Node::visit(config.clone()).await,
            false => Node::open(config.clone()).await,
        };
        match opened {
            Ok(node) => Ok(Self::Local(Box::new(node))),
            Err(Failure::Store(StoreError::Locked { .. }) | Failure::InUse { .. }) => {
                remote(&config).map(Self::Remote)
            }
            Err(other) => Err(other),
        }
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

/// Points at the server of the settings, or at `HEADWATER_URL`, with the key `HEADWATER_KEY`.
fn remote(config: &Config) -> Result<Remote, Failure> {
    let key = std::env::var("HEADWATER_KEY").map_err(|_| {
        Failure::new("a server has the data open: set HEADWATER_KEY to one of its API keys")
    })?;
    let url = std::env::var("HEADWATER_URL");
    Ok(Remote::new(url.unwrap_or_else(|_| format!("http://{}", config.listen)), key))
}
