//! The command line: what can be asked of the program.

mod bench;
mod migrate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use headwater::event::{Category, EventType, Position, Tag, Tenant};

pub use self::bench::{Bench, BenchArgs};
pub use self::migrate::{MigrateCommand, StepName};
use crate::config::ConfigArgs;

/// Headwater: actor-based event sourcing. One log upstream; everything else flows from it.
#[derive(Parser)]
#[command(name = "headwater", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Run a year of a shop through the whole system, then serve it
    Demo(DemoArgs),
    /// Serve commands, read models and the log over HTTP
    Serve(RunArgs),
    /// Take data of another system in
    #[command(subcommand)]
    Import(ImportCommand),
    /// Read the log
    #[command(subcommand)]
    Events(EventsCommand),
    /// List streams in the order of their first event
    Streams(StreamsArgs),
    /// List, pause, resume or rebuild projections
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// Check every record, index and place of the log, and say what was found
    Verify(VerifyArgs),
    /// Copy log, read models and keys, while a server runs or not; the copy opens as it is
    Backup(BackupArgs),
    /// Measure this machine: the subject and its limit in the same run
    Bench(Box<BenchArgs>),
    /// Create, list or revoke API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List the nodes that share the read side, and what each of them runs
    Nodes(NodesArgs),
    /// Bring the tables of read side and log up or down, or compare them with this program
    #[command(subcommand)]
    Migrate(MigrateCommand),
}

/// Flags of every command that opens data.
#[derive(Args)]
pub struct SharedArgs {
    /// Whose data
    #[arg(long, value_name = "NAME", default_value = "default", global = true)]
    pub tenant: Tenant,
    /// Print JSON, for machines
    #[arg(long, global = true)]
    pub json: bool,
    /// The settings.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Flags of `demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Take a real file (Online Retail, .csv or .gz) instead of a made-up shop
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// Make a smaller or larger shop
    #[arg(long, value_name = "COUNT", conflicts_with = "import")]
    pub invoices: Option<u32>,
    /// Stop after the summary instead of serving
    #[arg(long)]
    pub exit: bool,
    /// Remove what an earlier demo has left in the folder, and begin again
    #[arg(long)]
    pub fresh: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// Flags of `serve`.
#[derive(Args)]
pub struct RunArgs {
    /// Make a new read side for a log with events: API keys and the places of endpoints are lost
    #[arg(long)]
    pub new_read_side: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// Flags of a command without any of its own.
#[derive(Args)]
pub struct ServeArgs {
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// Flags of `nodes`.
#[derive(Args)]
pub struct NodesArgs {
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// What can be taken in.
#[derive(Subcommand)]
pub enum ImportCommand {
    /// Import the Online Retail file, plain or gzip; running it again adds nothing twice
    Retail {
        /// The file
        file: PathBuf,
        /// The most lines and commands that may be left out before the exit code is 3
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        allow_malformed: u64,
        /// Flags of every command.
        #[command(flatten)]
        shared: SharedArgs,
    },
}

/// Ways to read the log.
#[derive(Subcommand)]
pub enum EventsCommand {
    /// Show the last events and, while a server runs, those that come
    Tail {
        /// How many of the last events
        #[arg(long, short = 'n', default_value_t = 10, value_name = "COUNT")]
        last: usize,
        /// Which events
        #[command(flatten)]
        filter: EventFilter,
        /// Flags of every command.
        #[command(flatten)]
        shared: SharedArgs,
    },
    /// Show events from a position on
    Read {
        /// Start after this position
        #[arg(long, default_value_t = Position::ZERO, value_name = "POSITION")]
        after: Position,
        /// The most events to show
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
        /// Which events
        #[command(flatten)]
        filter: EventFilter,
        /// Flags of every command.
        #[command(flatten)]
        shared: SharedArgs,
    },
}

/// Which events to show.
#[derive(Args, Clone, Default)]
pub struct EventFilter {
    /// Only events of this category
    #[arg(long, value_name = "NAME")]
    pub category: Option<Category>,
    /// Only events of this type
    #[arg(long = "type", value_name = "NAME")]
    pub event_type: Option<EventType>,
    /// Only events with this tag; may be given more than once
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<Tag>,
}

/// Flags of `streams`.
#[derive(Args)]
pub struct StreamsArgs {
    /// Only streams of this category
    #[arg(long, value_name = "NAME")]
    pub category: Option<Category>,
    /// Start after the stream whose first event has this position
    #[arg(long, default_value_t = Position::ZERO, value_name = "POSITION")]
    pub after: Position,
    /// The most streams to show
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub limit: usize,
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// What can be done with projections.
#[derive(Subcommand)]
pub enum ProjectionsCommand {
    /// Show every projection: where it is, how far behind, in what state
    List(ServeArgs),
    /// Stop a projection before its next batch
    Pause(ProjectionArgs),
    /// Let a paused or halted projection go on
    Resume(ProjectionArgs),
    /// Fill a projection anew beside the old rows and swap
    Rebuild(ProjectionArgs),
}

/// Names a projection.
#[derive(Args)]
pub struct ProjectionArgs {
    /// The projection
    pub name: String,
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// Flags of `verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// Flags of `backup`.
#[derive(Args)]
pub struct BackupArgs {
    /// The folder to make; it must be empty or not exist
    pub dir: PathBuf,
    /// Flags of every command.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// What can be done with API keys.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it, once
    Create {
        /// What the key is for
        name: String,
        /// What it may do: read, write or admin; may be given more than once
        #[arg(long = "scope", value_name = "SCOPE", default_value = "read")]
        scopes: Vec<String>,
        /// Flags of every command.
        #[command(flatten)]
        shared: SharedArgs,
    },
    /// Show the keys of the tenant, without their secrets
    List(ServeArgs),
    /// Make a key useless, at once
    Revoke {
        /// The key's id
        id: String,
        /// Flags of every command.
        #[command(flatten)]
        shared: SharedArgs,
    },
}
