//! The composition root: log, read side and actors over one data folder.

use std::path::Path;
use std::sync::Arc;

use headwater::runtime::System;
use headwater::sql::{Database, SqliteConfig};
use headwater::store::log::{LogConfig, LogStore};
use headwater_shop::plugin::Shop;

use crate::config::Config;
use crate::error::Failure;

/// Everything that runs over a data folder.
pub struct Node {
    /// The log.
    pub log: Arc<LogStore>,
    /// The read side.
    pub database: Database,
    /// The actors.
    pub system: System,
    config: Config,
}

impl Node {
    /// Opens the data folder, making it when it is not there, and starts the actors.
    ///
    /// # Errors
    /// A [`Failure`] naming the file and the fix, for example that another process has it.
    pub async fn open(config: Config) -> Result<Self, Failure> {
        let log = Arc::new(open_log(&config)?);
        let database = open_database(&config)?;
        let system = System::builder(log.clone(), database.clone())
            .config(config.runtime.runtime_config())
            .plugin(Shop)
            .start()
            .await?;
        Ok(Self { log, database, system, config })
    }

    /// Stops in order: commands under way are answered, projections finish their batch, the
    /// log is closed with its end mark.
    ///
    /// # Errors
    /// A [`Failure`] when the log could not write its end mark.
    pub async fn close(self) -> Result<(), Failure> {
        let left = self.system.shutdown(self.config.shutdown_timeout).await;
        if left.commands > 0 {
            tracing::warn!(commands = left.commands, "stopped before every command was answered");
        }
        Ok(self.log.close()?)
    }
}

/// Returns the folder of the log in a data folder.
pub fn log_dir(config: &Config) -> std::path::PathBuf {
    config.data_dir.join("log")
}

/// Opens the log of a data folder.
///
/// # Errors
/// A [`Failure`] naming the file and the fix.
pub fn open_log(config: &Config) -> Result<LogStore, Failure> {
    let mut log = LogConfig::new(log_dir(config))
        .with_limits(config.limits.store_limits(&config.log))
        .with_segment_bytes(config.log.segment_bytes);
    log.ahead_bytes = config.log.ahead_bytes;
    log.batch_bytes_max = config.log.batch_bytes_max;
    log.reader_threads = config.log.reader_threads;
    Ok(LogStore::open(log)?)
}

/// Opens the read side of a data folder.
///
/// # Errors
/// A [`Failure`] naming the file and the fix.
pub fn open_database(config: &Config) -> Result<Database, Failure> {
    let path: &Path = &config.data_dir.join("read.sqlite");
    Ok(SqliteConfig::at(path).open()?)
}
