//! An import through the running system: aggregates as actors, a log, idempotency keys.

#[cfg(test)]
mod import {
    use std::io::Cursor;
    use std::time::Duration;

    use headwater::event::Tenant;
    use headwater::runtime::System;
    use headwater::sql::SqliteConfig;
    use headwater::store::{MemoryStore, SharedStore};
    use headwater_shop::generator::Generator;
    use headwater_shop::plugin::Shop;
    use headwater_shop::retail::{Commands, KeyedCommand, read_lines};
    use headwater_shop::sender::ShopSender;

    const FILE: &str = include_str!("data/retail_sample.csv");

    fn file() -> Vec<KeyedCommand> {
        let commands = Commands::new(read_lines(Cursor::new(FILE)).unwrap());
        commands.collect::<Result<_, _>>().unwrap()
    }

    /// Sends commands one after the other; returns how many events that added.
    async fn send_all(sender: &ShopSender, commands: Vec<KeyedCommand>) -> u32 {
        let mut added = 0;
        for keyed in commands {
            let receipt = sender.send(keyed).await.unwrap();
            added += if receipt.replayed { 0 } else { receipt.events };
        }
        added
    }

    /// Sends commands to a fresh system, by so many lanes at the same time.
    async fn import(store: &SharedStore, commands: Vec<KeyedCommand>, lanes: usize) -> u32 {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteConfig::at(dir.path().join("rows.db")).open().unwrap();
        let builder = System::builder(store.clone(), database).plugin(Shop);
        let system = builder.start().await.unwrap();
        let sender = ShopSender::new(system.clone(), Tenant::default_tenant());
        let mut by_lane = vec![Vec::new(); lanes];
        for keyed in commands {
            by_lane[keyed.command.lane(lanes)].push(keyed);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for commands in by_lane {
            let sender = sender.clone();
            tasks.spawn(async move { send_all(&sender, commands).await });
        }
        let added = tasks.join_all().await.into_iter().sum();
        system.shutdown(Duration::from_secs(5)).await;
        added
    }

    #[tokio::test]
    async fn a_second_import_adds_nothing() {
        let store: SharedStore = MemoryStore::shared();
        let first = import(&store, file(), 1).await;
        let head = *store.head().borrow();
        assert_eq!(head.get(), u64::from(first));
        assert_eq!(first as usize, file().len());
        assert_eq!(import(&store, file(), 1).await, 0);
        assert_eq!(*store.head().borrow(), head);
    }

    #[tokio::test]
    async fn an_import_that_was_broken_off_adds_the_rest_when_it_runs_again() {
        let store: SharedStore = MemoryStore::shared();
        let mut begun = file();
        begun.truncate(15);
        assert_eq!(import(&store, begun, 1).await, 15);
        assert_eq!(import(&store, file(), 1).await as usize, file().len() - 15);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn lanes_at_the_same_time_add_as_much_as_one_after_the_other() {
        let commands = Generator::new(5, 400).commands();
        let commands: Vec<_> = commands.collect::<Result<_, _>>().unwrap();
        let store: SharedStore = MemoryStore::shared();
        assert_eq!(import(&store, commands.clone(), 8).await as usize, commands.len());
    }
}
