//! Pages that are fetched before they are asked for.

use headwater::event::Position;
use headwater::store::{EventStore, Expected, LogRead};

use super::kit::{append, node, scratch};

/// Pages of this size are fetched ahead for whoever goes on.
const PAGE: usize = 500;

#[tokio::test]
async fn a_page_fetched_ahead_never_hides_what_was_acknowledged_meanwhile() {
    let scratch = scratch();
    let store = node(scratch.address());
    for _ in 0..11 {
        store.append(append("a", Expected::Any, 100)).await.unwrap();
    }
    for round in 0..20 {
        let (mut from, mut seen) = (Position::ZERO, 0);
        // The second page is gone on to, so the third, the last, is fetched ahead.
        for _ in 0..2 {
            let page = store.read_log(LogRead::after(from, PAGE)).await.unwrap();
            (from, seen) = (page.next, seen + page.events.len());
        }
        store.append(append("a", Expected::Any, 1)).await.unwrap();
        let last = store.read_log(LogRead::after(from, PAGE)).await.unwrap();
        assert_eq!(seen + last.events.len(), 1_101 + round);
        assert!(last.is_end);
    }
}

#[tokio::test]
async fn readers_that_go_on_side_by_side_each_see_every_event_once() {
    let scratch = scratch();
    let store = node(scratch.address());
    for _ in 0..31 {
        store.append(append("a", Expected::Any, 100)).await.unwrap();
    }
    let readers = (0..8).map(async |reader: usize| {
        let (mut from, mut seen) = (Position::ZERO, Vec::new());
        loop {
            let page = store.read_log(LogRead::after(from, PAGE + reader % 3)).await.unwrap();
            seen.extend(page.events.iter().map(|event| event.position().get()));
            from = page.next;
            if page.is_end {
                return seen;
            }
        }
    });
    for seen in futures_util::future::join_all(readers).await {
        assert!(seen.into_iter().eq(1..=3_100));
    }
}
