//! The command line of `bench`.

use std::path::PathBuf;

use clap::Args;
use headwater::postgres::Address;
use headwater_outbox::broker::NatsAddress;

/// Flags of `bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// What to measure; everything but migrate when left out
    #[arg(value_enum)]
    pub what: Vec<Bench>,
    /// Rounds of each case; medians are printed
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    pub rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    pub seconds: f64,
    /// Events of the large log; 10000000 for the figures of the documentation
    #[arg(long, default_value_t = 1_000_000, value_name = "COUNT")]
    pub events: u64,
    /// A folder on the disk to measure
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub dir: PathBuf,
    /// Measure the log in this PostgreSQL database instead, in a schema that is removed after
    #[arg(long, value_name = "ADDRESS")]
    pub store: Option<Address>,
    /// Measure with rows on PostgreSQL, in schemas of their own that are dropped at the end
    #[arg(long, value_name = "ADDRESS")]
    pub read: Option<Address>,
    /// Measure the outbox with this NATS server without login too, in a stream that is removed after
    #[arg(long, value_name = "ADDRESS")]
    pub nats: Option<NatsAddress>,
    /// Print JSON, for machines
    #[arg(long)]
    pub json: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bench {
    /// Durable appends
    Append,
    /// Reading the whole log
    Read,
    /// Loading cold aggregates
    Rehydrate,
    /// Commands through a hot aggregate
    Command,
    /// Commands over HTTP
    Http,
    /// Projecting events into rows
    Project,
    /// Webhooks to a server on this machine
    Outbox,
    /// Requests to a large table on PostgreSQL while it is migrated
    Migrate,
}
