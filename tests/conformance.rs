//! Every engine passes the rules of the event store contract.

use std::error::Error;

use headwater::clock::SystemClock;
use headwater::store::log::{LogConfig, LogStore};
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::store::{MemoryStore, StoreLimits};
use headwater::test::ScratchSchema;
use headwater::test::conformance::Subject;

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

fn log_of(limits: StoreLimits, segment_bytes: u64) -> Result<Subject, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let config = LogConfig::new(dir.path()).with_limits(limits).with_segment_bytes(segment_bytes);
    Ok(Subject::keeping(LogStore::open(config)?, dir))
}
