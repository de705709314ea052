//! Every engine passes the rules of the event store contract.

use std::error::Error;

use headwater::clock::SystemClock;
use headwater::postgres::Pooler;
use headwater::store::log::{LogConfig, LogStore};
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::store::{MemoryStore, StoreLimits};
use headwater::test::conformance::Subject;
use headwater::test::{ScratchError, ScratchPooler, ScratchSchema};

headwater::store_conformance!(memory, |limits| {
    Ok(Subject::new(MemoryStore::new(limits, SystemClock::shared())))
});

headwater::store_conformance!(log, |limits| log_of(limits, 64 << 20));

// Segments so small that every rule meets several of them.
headwater::store_conformance!(log_of_many_segments, |limits| log_of(limits, 8 << 10));

headwater::store_conformance!(postgres, |limits| {
    let scratch = ScratchSchema::with_log()?;
    let config = PostgresStoreConfig::new(scratch.address().clone()).with_limits(limits);
    Ok(Subject::keeping(PostgresStore::open(config)?, scratch))
});

headwater::store_conformance!(postgres_pooled, pooled);

/// Fewer sessions than a store has connections, so that they are swapped.
const FEW: [&str; 1] = ["default_pool_size = 2"];

/// The log through a pooler of transactions. Without one installed it is the same way of working
/// straight on the server, which needs nothing of a session either.
fn pooled(limits: StoreLimits) -> Result<Subject, Box<dyn Error>> {
    let scratch = ScratchSchema::with_log()?;
    let pooler = match ScratchPooler::before(scratch.address(), Pooler::Transaction, &FEW) {
        Ok(pooler) => pooler,
        Err(ScratchError::NoPooler) => {
            println!("WITHOUT A POOLER: {}", ScratchError::NoPooler);
            let address = scratch.address().clone().with_pooler(Pooler::Transaction);
            let config = PostgresStoreConfig::new(address).with_limits(limits);
            return Ok(Subject::keeping(PostgresStore::open(config)?, scratch));
        }
        Err(error) => return Err(error.into()),
    };
    let address = pooler.address(scratch.address(), Pooler::Transaction)?;
    let config = PostgresStoreConfig::new(address).with_limits(limits);
    Ok(Subject::keeping(PostgresStore::open(config)?, (scratch, pooler)))
}

fn log_of(limits: StoreLimits, segment_bytes: u64) -> Result<Subject, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let config = LogConfig::new(dir.path()).with_limits(limits).with_segment_bytes(segment_bytes);
    Ok(Subject::keeping(LogStore::open(config)?, dir))
}
