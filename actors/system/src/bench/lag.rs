//! How far a subscriber on another node is behind writers who were told that their events are
//! stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{try_join, try_join_all};
use headwater::event::Position;
use headwater::store::postgres::PostgresStore;
use headwater::store::{EventQuery, EventStore, Subscription};
use tokio::sync::watch;

use super::append::append_of;
use super::case::times_us;
use crate::error::Failure;

/// What a run has shown.
pub struct Lag {
    /// How many events were followed.
    pub events: u64,
    /// All but one of a hundred were seen within this time after their writer was told.
    pub p99: Duration,
    /// The longest.
    pub longest: Duration,
    /// How long all but one of a hundred appends took.
    pub append_p99: Duration,
}

/// When an event was seen, or its writer told.
type Moment = (Position, Instant);

/// Lets writers append one event each, again and again, and follows them on another node.
pub async fn follow(
    [writer, follower]: [&Arc<PostgresStore>; 2],
    writers: u64,
    within: Duration,
) -> Result<Lag, Failure> {
    let start = *writer.head().borrow();
    let subscription = Subscription::new(follower.clone(), start, EventQuery::all());
    let (tell_end, end) = watch::channel(None);
    let until = Instant::now() + within;
    let writing = async {
        let lanes = (0..writers).map(|lane| append_until(writer, lane, until));
        let told: Vec<_> = try_join_all(lanes).await?.into_iter().flatten().collect();
        tell_end.send_replace(told.iter().map(|((at, _), _)| *at).max());
        Ok::<_, Failure>(told)
    };
    let (told, seen) = try_join(writing, see(subscription, end)).await?;
    summary(&told, &seen.into_iter().collect())
}

/// Appends until the time is over; returns when each append was answered and how long it took.
async fn append_until(
    store: &Arc<PostgresStore>,
    lane: u64,
    until: Instant,
) -> Result<Vec<(Moment, Duration)>, Failure> {
    let (mut told, mut count) = (Vec::new(), 0);
    while Instant::now() < until {
        let append = append_of(lane * 1_000 + count % 1_000, 1)?;
        let sent = Instant::now();
        let position = store.append(append).await?.position;
        told.push(((position, Instant::now()), sent.elapsed()));
        count += 1;
    }
    Ok(told)
}

/// Notes when each event arrives, up to the last one, as soon as that is known.
async fn see(
    mut subscription: Subscription,
    mut end: watch::Receiver<Option<Position>>,
) -> Result<Vec<Moment>, Failure> {
    let mut seen = Vec::new();
    loop {
        tokio::select! {
            page = subscription.next() => {
                let now = Instant::now();
                seen.extend(page?.events.iter().map(|event| (event.position(), now)));
            }
            Ok(()) = end.changed() => {}
        }
        if end.borrow().is_some_and(|end| subscription.position() >= end) {
            return Ok(seen);
        }
    }
}

fn summary(told: &[(Moment, Duration)], seen: &HashMap<Position, Instant>) -> Result<Lag, Failure> {
    let mut lags = times_us()?;
    let mut appends = times_us()?;
    for ((position, at), took) in told {
        let missed = || Failure::new(format!("event {position} did not arrive"));
        let lag = seen.get(position).ok_or_else(missed)?.saturating_duration_since(*at);
        lags.saturating_record(lag.as_micros() as u64);
        appends.saturating_record(took.as_micros() as u64);
    }
    Ok(Lag {
        events: lags.len(),
        p99: Duration::from_micros(lags.value_at_quantile(0.99)),
        longest: Duration::from_micros(lags.max()),
        append_p99: Duration::from_micros(appends.value_at_quantile(0.99)),
    })
}
