//! A running system of the sample domain, on SQLite.

use std::ops::Deref;

use headwater::runtime::{RuntimeConfig, System, SystemBuilder};
use headwater::sql::SqliteConfig;
use headwater::store::SharedStore;
use tempfile::TempDir;

use super::sample::counter;

/// A system, and the folder of its read side.
pub struct Running {
    system: System,
    _folder: TempDir,
}

impl Deref for Running {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

/// Starts a system with the counter alone, on two threads.
pub async fn start(store: SharedStore, config: RuntimeConfig) -> Running {
    start_with(store, config, |builder| builder).await
}

/// Starts a system with the counter and more.
pub async fn start_with(
    store: SharedStore,
    config: RuntimeConfig,
    more: impl FnOnce(SystemBuilder) -> SystemBuilder,
) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let database = SqliteConfig::at(folder.path().join("read.db")).open().unwrap();
    let config = RuntimeConfig { arbiters: 2, shards: 2, ..config };
    let builder = System::builder(store, database).config(config).aggregate(counter());
    Running { system: more(builder).start().await.unwrap(), _folder: folder }
}
