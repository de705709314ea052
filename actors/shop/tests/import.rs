//! An import through the running system: aggregates as actors, a log, idempotency keys.

#[cfg(test)]
mod import {
    use std::io::Cursor;
    use std::time::Duration;

    use headwater::event::Tenant;
    use headwater::runtime::System;
    use headwater::store::{MemoryStore, SharedStore};
    use headwater_shop::plugin::Shop;
    use headwater_shop::retail::{Commands, read_lines};
    use headwater_shop::sender::ShopSender;

    const FILE: &str = include_str!("data/retail_sample.csv");

    /// Imports the small file through a fresh system; returns how many events that added.
    async fn import(store: &SharedStore) -> u32 {
        let builder = Shop.aggregates(System::builder(store.clone()));
        let system = builder.start().await.unwrap();
        let sender = ShopSender::new(system.clone(), Tenant::default_tenant());
        let mut added = 0;
        for keyed in Commands::new(read_lines(Cursor::new(FILE)).unwrap()) {
            let receipt = sender.send(keyed.unwrap()).await.unwrap();
            added += if receipt.replayed { 0 } else { receipt.events };
        }
        system.shutdown(Duration::from_secs(5)).await;
        added
    }

    #[tokio::test]
    async fn a_second_import_adds_nothing() {
        let store: SharedStore = MemoryStore::shared();
        let first = import(&store).await;
        let head = *store.head().borrow();
        assert_eq!(head.get(), u64::from(first));
        assert!(first > 40, "{first} events");
        assert_eq!(import(&store).await, 0);
        assert_eq!(*store.head().borrow(), head);
    }
}
