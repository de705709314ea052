//! The composition root: log, read side and actors over one data folder or database.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater::api::ApiConfig;
use headwater::nodes::NodeConfig;
use headwater::plugin::Plugin;
use headwater::postgres::Address;
use headwater::runtime::{Contribution, System};
use headwater::sql::migration::{NODES, STORE};
use headwater::sql::{Database, MigrationSet, Migrator, PostgresConfig, SqliteConfig};
use headwater::store::log::{LogConfig, LogStore};
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::store::{SharedStore, StoreError};
use headwater_outbox::broker::BrokerConfig;
use headwater_outbox::secret::SealKey;
use headwater_outbox::webhook::{WebhookClient, WebhookSettings};
use headwater_outbox::{Outbox, OutboxConfig};
use headwater_shop::plugin::Shop;

use crate::backup_mark;
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::error::Failure;
use crate::private_file;
use crate::read_side::{self, Lost, ProgramMark, ReadSide, nothing_there};
use crate::wal_watch::WalWatch;

/// The file of the read side in a data folder.
pub const READ_FILE: &str = "read.sqlite";
/// The file of the key that seals endpoints' secrets in a data folder.
pub const SEAL_KEY_FILE: &str = "outbox.key";

/// Everything that runs over the data.
pub struct Node {
    /// The log.
    pub log: Log,
    /// The read side.
    pub database: Database,
    /// The actors.
    pub system: System,
    config: Config,
    watch: Option<WalWatch>,
    _folder: Option<DataFolder>,
}

/// What a node is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stay {
    /// To serve, and to send what endpoints are owed.
    Service(Lost),
    /// For one command.
    Command,
}

impl Node {
    /// Opens log and read side, making them when they are not there, and starts the actors, those
    /// that send to endpoints among them: for what serves, and for nothing else.
    ///
    /// # Errors
    /// A [`Failure`] naming the file or the database and the fix, for example that another
    /// process has it.
    pub async fn serve(config: Config, lost: Lost) -> Result<Self, Failure> {
        let node = config.node_config();
        Self::start(config, node, Stay::Service(lost)).await
    }

    /// The same for a command that is there for a moment: nothing leaves the system.
    ///
    /// A command ends in the middle of whatever is sent, and its settings of the outbox need not
    /// be those of the server: each try would be refused and noted. What it appends is sent by
    /// the next program that serves.
    ///
    /// # Errors
    /// As [`Node::serve`].
    pub async fn open(config: Config) -> Result<Self, Failure> {
        let node = config.node_config();
        Self::start(config, node, Stay::Command).await
    }

    /// The same as [`Node::open`] beside servers, without taking work from them.
    ///
    /// # Errors
    /// As [`Node::serve`].
    pub async fn visit(config: Config) -> Result<Self, Failure> {
        let node = NodeConfig { is_visitor: true, address: None, ..config.node_config() };
        Self::start(config, node, Stay::Command).await
    }

    async fn start(config: Config, node: NodeConfig, stay: Stay) -> Result<Self, Failure> {
        backup_mark::take_over(&config.data_dir)?;
        let found = ReadSide::look(&config).await?;
        keep_private(&config.data_dir);
        // The embedded log keeps others out of its folder by itself.
        let is_read_alone = config.store.is_some() && config.read.is_none();
        let folder = is_read_alone.then(|| DataFolder::take(&config.data_dir)).transpose()?;
        let log = open_log(&config, node.is_visitor).await?;
        let lost = if let Stay::Service(lost) = stay { lost } else { Lost::Refuse };
        let head = *log.store().head().borrow();
        found.expect_known(&config, head, lost)?;
        let watch = WalWatch::begin(&config)?;
        let database = open_database(&config)?;
        if !node.is_visitor {
            found.mark(&database).await?;
        }
        let outbox = match stay {
            Stay::Service(_) => {
                Outbox::new(outbox_config(&config)?, log.store(), database.clone())?
                    .held(config.outbox.hold)
            }
            Stay::Command => Outbox::without_dispatcher(),
        };
        let system = System::builder(log.store(), database.clone())
            .config(config.runtime.runtime_config())
            .node(node)
            .log_tables(open_store_database(&config)?)
            .plugin(ProgramMark)
            .plugin(Shop)
            .plugin(outbox)
            .start()
            .await?;
        Ok(Self { log, database, system, config, watch, _folder: folder })
    }

    /// Stops in order: commands under way are answered, projections finish their batch, the
    /// log is closed, the embedded one with its end mark.
    ///
    /// # Errors
    /// A [`Failure`] when the log could not write its end mark.
    pub async fn close(self) -> Result<(), Failure> {
        let left = self.system.shutdown(self.config.shutdown_timeout).await;
        if left.commands > 0 {
            tracing::warn!(commands = left.commands, "stopped before every command was answered");
        }
        if let Some(watch) = &self.watch {
            watch.end()?;
        }
        Ok(self.log.close()?)
    }
}

/// A log that is looked at, and nothing else: no read side is opened and nothing runs.
pub struct Look {
    /// The log.
    pub log: Log,
    /// Where everything lies.
    pub config: Config,
}

impl Look {
    /// Opens a log that is there.
    ///
    /// # Errors
    /// A [`Failure`] naming the file or the database and the fix.
    pub async fn open(config: Config) -> Result<Self, Failure> {
        let log = open_log(&config, true).await?;
        Ok(Self { log, config })
    }

    /// Closes the log.
    ///
    /// # Errors
    /// A [`Failure`] when it could not be closed in order.
    pub fn close(self) -> Result<(), Failure> {
        Ok(self.log.close()?)
    }
}

/// The log on the engine of the settings.
pub enum Log {
    /// Files in the data folder.
    Embedded(Arc<LogStore>),
    /// Tables of a database.
    Postgres(Arc<PostgresStore>),
}

impl Log {
    /// Returns the log as the actors know it.
    pub fn store(&self) -> SharedStore {
        match self {
            Self::Embedded(log) => log.clone(),
            Self::Postgres(log) => log.clone(),
        }
    }

    fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Embedded(log) => log.close(),
            Self::Postgres(log) => {
                log.close();
                Ok(())
            }
        }
    }
}

/// Returns the folder of the log in a data folder.
pub fn log_dir(config: &Config) -> PathBuf {
    config.data_dir.join("log")
}

/// Opens the read side.
///
/// # Errors
/// A [`Failure`] naming the file or the database and the fix.
pub fn open_database(config: &Config) -> Result<Database, Failure> {
    if let Some(address) = &config.read {
        return Ok(PostgresConfig::at(address.clone()).open()?);
    }
    make_data_dir(&config.data_dir)?;
    backup_mark::take_over(&config.data_dir)?;
    Ok(SqliteConfig::at(read_file(config)).open()?)
}

/// The same, without making a file where there is none.
///
/// # Errors
/// As [`open_database`], and a [`Failure`] when the folder has no read side.
pub async fn existing_database(config: &Config) -> Result<Database, Failure> {
    match ReadSide::look(config).await? {
        ReadSide::Own { .. } => open_database(config),
        ReadSide::Nothing => Err(nothing_there(config)),
    }
}

/// Returns the file of the read side in the data folder.
pub fn read_file(config: &Config) -> PathBuf {
    config.data_dir.join(READ_FILE)
}

/// Opens the tables of the log for migrations; `None` when the log is files.
///
/// # Errors
/// A [`Failure`] naming the database and the fix.
pub fn open_store_database(config: &Config) -> Result<Option<Database>, Failure> {
    config.store.as_ref().map(open_tables).transpose()
}

/// The same for reading alone: nothing is made.
///
/// # Errors
/// A [`Failure`] naming the database and the fix.
pub fn store_database_to_read(config: &Config) -> Result<Option<Database>, Failure> {
    let open = |address: &Address| PostgresConfig::at(address.clone()).open_to_read();
    Ok(config.store.as_ref().map(open).transpose()?)
}

/// Returns the steps that the capabilities add to the framework's own.
pub fn migration_sets() -> Vec<MigrationSet> {
    let shop = Shop.contribute(Contribution::default());
    let outbox = [headwater_outbox::MIGRATIONS];
    shop.migration_sets().iter().copied().chain(outbox).chain([read_side::steps()]).collect()
}

/// Makes what sends events, from the settings and the key of the data folder.
fn outbox_config(config: &Config) -> Result<OutboxConfig, Failure> {
    let own = &config.outbox;
    // Nodes that share a database would each have a key of its own.
    let is_shared = config.store.is_some() && config.read.is_some();
    let seal = match &own.key {
        Some(key) => Some(key.clone()),
        None if is_shared => None,
        None => {
            make_data_dir(&config.data_dir)?;
            Some(SealKey::load_or_create(&config.data_dir.join(SEAL_KEY_FILE))?)
        }
    };
    let settings = WebhookSettings {
        allow_http: own.allow_http,
        allow_networks: own.allow_networks.clone(),
        ca_file: own.ca_file.clone(),
        ..WebhookSettings::default()
    };
    let client = WebhookClient::new(&settings)?;
    let (source, origin) = (own.source.clone(), own.origin.clone());
    let (attempts_kept, endpoints_max) = (own.attempts_kept, own.endpoints_max);
    let brokers = BrokerConfig {
        operator: ApiConfig::default().operator,
        nats: own.nats.clone(),
        rabbitmq: own.rabbitmq.clone(),
        kafka: own.kafka.clone(),
        ca_file: own.ca_file.clone(),
    };
    Ok(OutboxConfig { source, origin, seal, client, attempts_kept, endpoints_max, brokers })
}

fn open_tables(address: &Address) -> Result<Database, Failure> {
    let tables = PostgresConfig { writers: 1, readers: 1, ..PostgresConfig::at(address.clone()) };
    Ok(tables.open()?)
}

async fn open_log(config: &Config, is_visit: bool) -> Result<Log, Failure> {
    let limits = config.limits.store_limits(&config.log);
    let Some(address) = &config.store else {
        let mut log = LogConfig::new(log_dir(config))
            .with_limits(limits)
            .with_segment_bytes(config.log.segment_bytes);
        log.ahead_bytes = config.log.ahead_bytes;
        log.batch_bytes_max = config.log.batch_bytes_max;
        log.reader_threads = config.log.reader_threads;
        return Ok(Log::Embedded(Arc::new(LogStore::open(log)?)));
    };
    let migrator = Migrator::only(open_tables(address)?, [STORE, NODES]);
    match is_visit {
        true => migrator.check().await?,
        false => migrator.up().await.map(drop)?,
    }
    let store = PostgresStoreConfig::new(address.clone()).with_limits(limits);
    Ok(Log::Postgres(Arc::new(PostgresStore::open(store)?)))
}

/// Takes the data folder and what is in it away from group and others, who could read every event
/// in it: folders of earlier programs were open to all.
fn keep_private(dir: &Path) {
    let shown = dir.display();
    // A key that others could read is refused when it is read, and not made look as if it had
    // always been kept.
    match private_file::tighten(dir, SEAL_KEY_FILE) {
        Ok(0) => {}
        Ok(count) => tracing::warn!(
            dir = %shown, files = count, "data folder was open to others and is its owner's alone now"
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(dir = %shown, %error, "data folder is open to others and stays so");
        }
    }
}

/// Makes the data folder, which the embedded log would have made.
pub fn make_data_dir(dir: &Path) -> Result<(), Failure> {
    private_file::make_folder(dir)
        .map_err(|error| Failure::new(format!("create {}: {error}", dir.display())))
}
