//! A whole system over the bench's folder, with the sample domain in it.

use std::sync::Arc;
use std::time::Duration;

use headwater::runtime::{AggregateSpec, System};
use headwater::sql::{Database, PostgresConfig, SqliteConfig};
use headwater::store::log::LogStore;

use super::ground::Ground;
use super::sample::{Add, Counter, Counters};
use crate::error::Failure;

/// Log, read side and actors of one bench.
pub struct Bed {
    /// The log.
    pub log: Arc<LogStore>,
    /// The read side.
    pub database: Database,
    /// The actors.
    pub system: System,
    /// What is dropped at the end.
    schema: Option<String>,
}

impl Bed {
    /// Starts a system over the log `name`, with a read side of its own.
    pub fn start(ground: &Ground, name: &str, with_rows: bool) -> Result<Self, Failure> {
        Self::over(ground, ground.log(name)?, (name, with_rows))
    }

    /// Starts a system over an open log.
    pub fn over(
        ground: &Ground,
        log: Arc<LogStore>,
        (name, with_rows): (&str, bool),
    ) -> Result<Self, Failure> {
        let schema = format!("bench_{}_{name}", std::process::id());
        let (database, schema) = match &ground.read {
            None => {
                let file = ground.dir.join(format!("{name}.sqlite"));
                (SqliteConfig::at(file).open()?, None)
            }
            Some(address) => {
                let address = address.clone().with_schema(&schema)?;
                (PostgresConfig::at(address).open()?, Some(schema))
            }
        };
        let builder = System::builder(log.clone(), database.clone());
        let builder = builder.aggregate(AggregateSpec::<Counter>::new().command::<Add>());
        let builder = if with_rows { builder.rows(Counters) } else { builder };
        let system = ground.block_on(builder.start())?;
        Ok(Self { log, database, system, schema })
    }

    /// Ends the actors and removes what is not in the folder.
    pub fn stop(self, ground: &Ground) -> Result<(), Failure> {
        ground.block_on(self.system.shutdown(Duration::from_secs(10)));
        let Some(schema) = self.schema else { return Ok(()) };
        let drop = format!("drop schema {schema} cascade");
        Ok(ground.block_on(self.database.write(move |tx| tx.run_script(&drop)))?)
    }
}
