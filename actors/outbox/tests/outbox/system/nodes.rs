//! Several nodes on one database.

use std::time::Duration;

use headwater::sql::PostgresConfig;
use headwater::store::MemoryStore;
use headwater::test::ScratchSchema;
use headwater_outbox::secret::SealKey;

use super::kit::{Ledger, World, assert_in_order};

#[tokio::test]
async fn when_a_node_stops_another_goes_on_with_its_endpoints() {
    let scratch = ScratchSchema::new().unwrap();
    let open = || PostgresConfig::at(scratch.address().clone()).open().unwrap();
    let (store, seal) = (MemoryStore::shared(), SealKey::generate().unwrap());
    let one = World::over(store.clone(), open(), seal.clone()).await;
    let ledgers = [Ledger::open().await, Ledger::open().await, Ledger::open().await];
    for (number, ledger) in ledgers.iter().enumerate() {
        one.register(&format!("e{number}"), ledger, |_| {}).await;
    }
    one.append("a", 50).await;
    for ledger in &ledgers {
        ledger.taken(50).await;
    }
    let two = World::over(store.clone(), open(), seal.clone()).await;
    one.append("a", 50).await;
    for ledger in &ledgers {
        ledger.taken(100).await;
    }
    one.system.shutdown(Duration::from_secs(30)).await;
    two.append("a", 50).await;
    for ledger in &ledgers {
        let messages = ledger.taken(150).await;
        assert_in_order(&messages);
    }
    two.system.shutdown(Duration::from_secs(30)).await;
}
