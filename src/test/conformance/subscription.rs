//! Rules of subscriptions: catch up, then live, without gap or double.

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::Outcome;
use super::kit::{Fallible, events, item, positions, put, put_tagged, query, to};
use crate::event::Position;
use crate::store::{EventQuery, Expected, SharedStore, StoreError, Subscription};

fn all(store: &SharedStore) -> Subscription {
    Subscription::new(store.clone(), Position::ZERO, EventQuery::all())
}

async fn follow(subscription: &mut Subscription, until: u64) -> Fallible<Vec<u64>> {
    let mut seen = Vec::new();
    while subscription.position() < Position::new(until) {
        seen.extend(positions(&subscription.next().await?.events));
    }
    Ok(seen)
}

/// What was there comes first, then what is appended.
pub async fn it_catches_up_and_then_follows(store: SharedStore) -> Outcome {
    put(&store, "a", 70).await?;
    let mut subscription = all(&store).with_page_limit(9);
    assert_eq!(follow(&mut subscription, 70).await?, (1..=70).collect::<Vec<_>>());
    assert!(subscription.next().now_or_never().is_none(), "it waits at the end");
    put(&store, "b", 3).await?;
    assert_eq!(follow(&mut subscription, 73).await?, [71, 72, 73]);
    Ok(())
}

/// It does not wait at a place that the log has not reached.
pub async fn one_that_starts_beyond_the_end_is_refused(store: SharedStore) -> Outcome {
    put(&store, "a", 3).await?;
    let mut subscription = Subscription::new(store.clone(), Position::new(4), EventQuery::all());
    let refused = subscription.next().await.err().ok_or("not refused")?;
    assert!(matches!(refused, StoreError::BeyondEnd(beyond) if beyond.end == Position::new(3)));
    Ok(())
}

/// The event at its position is not repeated.
pub async fn it_starts_after_its_position(store: SharedStore) -> Outcome {
    put(&store, "a", 5).await?;
    let mut subscription = Subscription::new(store.clone(), Position::new(3), EventQuery::all());
    assert_eq!(follow(&mut subscription, 5).await?, [4, 5]);
    Ok(())
}

/// Its place moves on although nothing matches, so it does not read the same again.
pub async fn it_moves_on_past_events_that_do_not_match(store: SharedStore) -> Outcome {
    put(&store, "a", 100).await?;
    let last = put_tagged(&store, "Rare", &["r"]).await?.get();
    for wanted in [item(&["Rare"], &[])?, item(&[], &["r"])?] {
        let mut subscription =
            Subscription::new(store.clone(), Position::ZERO, query(vec![wanted]));
        assert_eq!(follow(&mut subscription, last).await?, [last]);
    }
    Ok(())
}

/// However many write meanwhile, each event comes once and in order.
pub async fn there_is_no_gap_and_no_double_under_concurrent_writers(store: SharedStore) -> Outcome {
    let mut subscription = all(&store).with_page_limit(7);
    let appends = (0..150).map(|n| to(&format!("{}", n % 9), Expected::Any, events(2)?));
    let appends = appends.collect::<Result<Vec<_>, _>>()?;
    let write = join_all(appends.into_iter().map(|append| store.append(append)));
    let (outcomes, seen) = futures_util::future::join(write, follow(&mut subscription, 300)).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(seen?, (1..=300).collect::<Vec<_>>());
    Ok(())
}

/// One that reads nothing delays neither writers nor other subscribers, and misses nothing.
pub async fn a_slow_one_costs_the_others_nothing(store: SharedStore) -> Outcome {
    let (mut slow, mut quick) = (all(&store), all(&store));
    for n in 1..=80 {
        put(&store, "a", 1).await?;
        assert_eq!(follow(&mut quick, n).await?, [n]);
    }
    assert_eq!(follow(&mut slow, 80).await?, (1..=80).collect::<Vec<_>>());
    Ok(())
}

/// A wait that is given up and begun anew misses nothing.
pub async fn a_cancelled_wait_loses_nothing(store: SharedStore) -> Outcome {
    let mut subscription = all(&store);
    for n in 1..=20 {
        assert!(subscription.next().now_or_never().is_none());
        put(&store, "a", 1).await?;
        assert_eq!(follow(&mut subscription, n).await?, [n]);
    }
    Ok(())
}
