//! Commands on every node: stale state meets the expected revision and is loaded anew.

use futures_util::future::join_all;
use headwater::runtime::SendError;

use super::kit::{LONG, Place, total};
use super::sample::{Counter, add, tenant};

const CALLERS: u64 = 8;
const COMMANDS: u64 = 25;

#[tokio::test]
async fn commands_to_one_aggregate_on_two_nodes_are_all_done_once() {
    let place = Place::new();
    let nodes = [place.node("one").await, place.node("two").await];
    let callers = nodes.iter().flat_map(|node| (0..CALLERS).map(move |_| node));
    let done = join_all(callers.map(async |node| {
        let counter = node.at::<Counter>(&tenant(), "a").unwrap();
        let mut last = None;
        for _ in 0..COMMANDS {
            let receipt = loop {
                match counter.send(add(1)).await {
                    // One that outlasts the bound of retries is told; nothing was written.
                    Err(SendError::Conflict { .. }) => {}
                    sent => break sent.unwrap(),
                }
            };
            last = last.max(Some(receipt.position));
        }
        last.unwrap()
    }))
    .await;
    let last = done.into_iter().max().unwrap();
    for node in &nodes {
        node.wait_for("totals", last, LONG).await.unwrap();
        assert_eq!(total(node, "totals").await, 2 * CALLERS * COMMANDS);
    }
}
