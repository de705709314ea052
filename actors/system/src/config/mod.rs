//! The settings of the program: defaults, then a TOML file, the environment, flags.
//!
//! Every setting stands once in [`SETTINGS`]: from that table come the flags, the variables,
//! the keys of the file, the checks and the reference page. [`Config::load`] reads all layers
//! before it judges, so that one start names every fault at once.

mod args;
mod fault;
mod handover;
mod layer;
mod quantity;
mod reader;
mod reference;
mod section;
mod setting;
mod shown;
mod suggestion;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use headwater::postgres::Address;

pub use args::ConfigArgs;
pub use fault::{ConfigError, Fault, Origin};
pub use reference::reference_table;
pub use section::{
    LimitSettings, LogSettings, NodeSettings, OutboxSettings, RuntimeSettings, TelemetrySettings,
};
pub use setting::{DEFAULT_DATA_DIR, ELSEWHERE, Kind, SETTINGS, Setting};
pub use shown::veil;

use layer::Layers;
use reader::Reader;

/// The settings of the program, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the log and the read models lie.
    pub data_dir: PathBuf,
    /// Where the log lies in PostgreSQL; `None` is the data folder.
    pub store: Option<Address>,
    /// Where the read models lie in PostgreSQL; `None` is the data folder.
    pub read: Option<Address>,
    /// The address of the HTTP server; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// This program among those that share a database.
    pub node: NodeSettings,
    /// How long a stop waits for work under way.
    pub shutdown_timeout: Duration,
    /// How records of the program are written.
    pub telemetry: TelemetrySettings,
    /// The embedded log.
    pub log: LogSettings,
    /// What callers are held to.
    pub limits: LimitSettings,
    /// What leaves the system.
    pub outbox: OutboxSettings,
    /// The actors.
    pub runtime: RuntimeSettings,
}

impl Config {
    /// Reads every layer and checks what came together.
    ///
    /// `environment` is usually [`std::env::vars_os`]; of it only names that begin with
    /// `HEADWATER_` count. A file named nowhere is `headwater.toml` in the working folder, if
    /// it is there.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault: settings that do not exist, values that do not fit,
    /// values that contradict each other, a file that cannot be read.
    pub fn load<K, V>(
        args: &ConfigArgs,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError>
    where
        K: Into<std::ffi::OsString>,
        V: Into<std::ffi::OsString>,
    {
        let environment = environment.into_iter().map(|(name, value)| (name.into(), value.into()));
        let mut reader = Reader::new(Layers::gather(args, environment));
        let mut config = Self::read(&mut reader);
        config.check(&mut reader);
        reader.finish(config)
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            data_dir: reader.folder("data_dir"),
            store: reader.place("store"),
            read: reader.place("read"),
            listen: reader.address("listen"),
            node: NodeSettings::read(reader),
            shutdown_timeout: reader.duration("shutdown_timeout"),
            telemetry: TelemetrySettings::read(reader),
            log: LogSettings::read(reader),
            limits: LimitSettings::read(reader),
            outbox: OutboxSettings::read(reader),
            runtime: RuntimeSettings::read(reader),
        }
    }

    /// Checks what single values cannot show.
    fn check(&mut self, reader: &mut Reader) {
        if self.data_dir.is_file() {
            reader.refuse("data_dir", "is a file", "name a folder; it is made when missing");
        }
        let (limits, log) = (&mut self.limits, &mut self.log);
        let event = ("limits.event_bytes_max", &mut limits.event_bytes_max);
        reader.keep_within(event, "limits.append_bytes_max", limits.append_bytes_max);
        let page = ("limits.page_default", &mut limits.page_default);
        reader.keep_within(page, "limits.page_max", limits.page_max);
        let ahead = ("log.ahead_bytes", &mut log.ahead_bytes);
        reader.keep_within(ahead, "log.segment_bytes", log.segment_bytes);
    }
}
