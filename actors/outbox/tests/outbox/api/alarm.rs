//! The alarm for a dispatcher that is silent: health, metric and page say the same.

use headwater::sql::TxEngine;
use serde_json::Value;
use tokio::time::Instant;

use super::kit::Front;
use crate::pull::kit::BOUND;

impl Front {
    async fn run(&self, script: &'static str) {
        let work = move |tx: &mut dyn TxEngine| tx.run_script(script);
        self.world.database.write(work).await.unwrap();
    }

    /// Waits until the health check of the dispatcher fails; returns what it says is wrong.
    async fn alarm(&self) -> String {
        let end = Instant::now() + BOUND;
        loop {
            let health = self.get("/v1/health").await;
            // There are none before they were first asked.
            let mut checks = health["checks"].as_array().into_iter().flatten();
            let own = checks.find(|own| own["name"] == "outbox dispatcher");
            if let Some(problem) = own.and_then(|own| own["problem"].as_str()) {
                assert_eq!(health["status"], "warn");
                return problem.to_owned();
            }
            assert!(Instant::now() < end, "no alarm within {BOUND:?}: {health}");
            tokio::task::yield_now().await;
        }
    }

    async fn silent_shards(&self) -> String {
        let text = self.client.page_of("/metrics").await;
        let line = text.lines().find(|line| line.starts_with("headwater_outbox_silent_shards"));
        line.unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_dispatcher_that_has_stopped_is_told_by_health_metric_and_page() {
    let front = Front::open().await;
    front.world.until("select count(*) from outbox_shards", 8).await;
    let page = front.client.page_of("/ui/outbox").await;
    assert!(!page.contains("The dispatcher is silent"), "{page}");
    // Another node took the shards over, and died.
    let taken = "update outbox_shards set owner = 1000000, beat_at = '2020-01-01T00:00:00Z'";
    front.run(taken).await;
    let problem = front.alarm().await;
    assert!(problem.contains("shards 0, 1, 2, 3, 4, 5, 6, 7, for up to"), "{problem}");
    assert_eq!(front.silent_shards().await, "headwater_outbox_silent_shards 8");
    let page = front.client.page_of("/ui/outbox").await;
    for words in ["The dispatcher is silent", "8 of 8 shards"] {
        assert!(page.contains(words), "{page}");
    }
}

#[tokio::test]
async fn when_nobody_can_tell_who_works_every_shard_counts_as_silent() {
    let front = Front::open().await;
    front.run("alter table outbox_shards rename to outbox_shards_gone").await;
    let problem = front.alarm().await;
    assert!(problem.contains("the database does not say who works"), "{problem}");
    assert_eq!(front.silent_shards().await, "headwater_outbox_silent_shards 8");
    let health: Value = front.get("/v1/health/ready").await;
    assert_eq!(health["status"], "warn");
}
