//! What the benches stand on: a folder of their own, rounds and times.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headwater::postgres::{Address, connect};
use headwater::store::log::{LogConfig, LogStore};
use headwater_outbox::broker::NatsAddress;

use crate::cli::BenchArgs;
use crate::error::Failure;

/// A folder for the files of one run, which are removed at the end, and how long to measure.
pub struct Ground {
    /// The folder.
    pub dir: PathBuf,
    /// Rounds of each case.
    pub rounds: usize,
    /// How long each measurement takes.
    pub within: Duration,
    /// Events of a large log.
    pub events: u64,
    /// Where rows lie; in the folder when there is none.
    pub read: Option<Address>,
    /// A server of NATS JetStream; `None` when it is not measured.
    pub nats: Option<NatsAddress>,
    runtime: tokio::runtime::Runtime,
}

impl Ground {
    /// Makes the folder.
    pub fn prepare(args: &BenchArgs) -> Result<Self, Failure> {
        let dir = args.dir.join(format!("headwater-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir)
            .map_err(|error| Failure::new(format!("{}: {error}", dir.display())))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let within = Duration::try_from_secs_f64(args.seconds)
            .map_err(|error| Failure::new(format!("--seconds: {error}")))?;
        let (rounds, events) = (args.rounds, args.events);
        let (read, nats) = (args.read.clone(), args.nats.clone());
        Ok(Self { dir, rounds, within, events, read, nats, runtime })
    }

    /// Opens a log of its own in the folder.
    pub fn log(&self, name: &str) -> Result<Arc<LogStore>, Failure> {
        Ok(Arc::new(LogStore::open(LogConfig::new(self.dir.join(name)))?))
    }

    /// Does work in a schema of its own, which is dropped at the end, however that is.
    pub fn in_schema<T>(
        &self,
        address: &Address,
        work: impl FnOnce(&Address) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let schema = format!("headwater_bench_{}", std::process::id());
        let address = address.clone().with_schema(&schema)?;
        let done = work(&address);
        self.block_on(async {
            let client = connect(&address).await?;
            let drop = format!("drop schema if exists {schema} cascade");
            let dropped = client.batch_execute(&drop).await;
            dropped.map_err(|error| Failure::new(error.to_string()))
        })?;
        done
    }

    /// Runs a future on this thread.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
