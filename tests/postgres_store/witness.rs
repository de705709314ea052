//! Readers that check everything they see: live, page by page, from outside, and too late.

use headwater::event::{EventQuery, Position};
use headwater::postgres::connect;
use headwater::store::postgres::PostgresStore;
use headwater::store::{EventStore, LogPage, LogRead, SharedStore, StoreError, Subscription};
use headwater::test::ScratchSchema;
use tokio::sync::watch;

use super::audit::Audit;
use super::random::Random;

/// Follows the log as a subscriber does.
pub async fn follow(store: SharedStore) -> Audit {
    let mut subscription = Subscription::new(store, Position::ZERO, EventQuery::all());
    let mut audit = Audit::default();
    while !audit.is_closed {
        if let Some(page) = there(subscription.next().await) {
            audit.take(&page.events);
        }
    }
    audit
}

/// Reads page after page without waiting for anything.
///
/// Beside it the log is read from its beginning again and again, in pages of one size: those are
/// the ones that the store fetches ahead.
pub async fn poll(store: &PostgresStore, mut random: Random) -> Audit {
    let (mut audit, mut again, mut size) = (Audit::default(), Audit::default(), 500);
    while !audit.is_closed {
        let limit = 1 + random.index(3_000);
        turn(store, &mut audit, limit).await;
        if turn(store, &mut again, size).await {
            (again, size) = (Audit::default(), 500 + random.index(1_000));
        }
        tokio::task::yield_now().await;
    }
    audit
}

/// Reads the next page; returns whether it ends the log.
async fn turn(store: &PostgresStore, audit: &mut Audit, limit: usize) -> bool {
    let read = LogRead::after(Position::new(audit.position), limit);
    let Some(page) = there(store.read_log(read).await) else { return false };
    audit.take(&page.events);
    assert_eq!(page.next.get(), audit.position, "a page says that it saw more");
    page.is_end
}

/// A page, unless the session of the read was ended.
fn there(page: Result<LogPage, StoreError>) -> Option<LogPage> {
    match page {
        Ok(page) => Some(page),
        Err(StoreError::Unavailable { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Reads with plain SQL, as another program would, and finds no gap at any time.
pub async fn look_from_outside(
    scratch: &ScratchSchema,
    mut head: watch::Receiver<Position>,
    mut end: watch::Receiver<u64>,
) -> u64 {
    let address = scratch.address().clone().with_application_name("outside");
    let client = connect(&address).await.unwrap();
    let mut last = 0_i64;
    while (last as u64) < *end.borrow() {
        let sql = "select position from events where position > $1 order by position limit 5000";
        let rows = client.query(sql, &[&last]).await.unwrap();
        for row in &rows {
            let position: i64 = row.get(0);
            assert_eq!(position, last + 1, "a gap");
            last = position;
        }
        if rows.is_empty() {
            tokio::select! {
                grown = head.wait_for(|head| head.get() > last as u64) => drop(grown.unwrap()),
                ended = end.changed() => ended.unwrap(),
            }
        }
    }
    last as u64
}
