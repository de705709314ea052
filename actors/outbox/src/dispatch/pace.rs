//! At most so many requests a second, for one feed and for all feeds of an endpoint together.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;

use crate::table::EndpointKey;

/// At once, so much time's worth: even, and not one timer a request.
const BURST: Duration = Duration::from_millis(100);

/// Lets a request through now and then.
type Limiter = Arc<DefaultDirectRateLimiter>;

/// Grants requests when every bound does; without a bound it grants all.
#[derive(Default)]
pub(super) struct Pace {
    limiters: Vec<Limiter>,
    /// How many of them have granted the next request.
    granted: usize,
    waits_until: Option<Instant>,
}

/// The limiters of endpoints, each shared by the endpoint's own feed and its replays.
#[derive(Default)]
pub(crate) struct Paces(Mutex<BTreeMap<EndpointKey, (Duration, Weak<DefaultDirectRateLimiter>)>>);

impl Pace {
    /// Holds to all bounds that are given.
    pub fn new(bounds: [Option<Limiter>; 2]) -> Self {
        Self { limiters: bounds.into_iter().flatten().collect(), ..Self::default() }
    }

    /// Returns whether a request may be made; the grant stays until it is spent.
    pub fn grants(&mut self) -> bool {
        while let Some(limiter) = self.limiters.get(self.granted) {
            let clock = DefaultClock::default();
            if let Err(until) = limiter.check() {
                let wait = until.wait_time_from(clock.now()).max(Duration::from_millis(1));
                self.waits_until = Some(Instant::now() + wait);
                return false;
            }
            self.granted += 1;
        }
        self.waits_until = None;
        true
    }

    /// Notes that a request was made.
    pub const fn spend(&mut self) {
        self.granted = 0;
    }

    /// Returns until when no request may be made.
    pub const fn waits_until(&self) -> Option<Instant> {
        self.waits_until
    }
}

impl Paces {
    /// Returns the limiter of an endpoint, with this time from one request to the next.
    pub fn of(&self, key: &EndpointKey, interval: Duration) -> Option<Limiter> {
        let mut known = self.0.lock();
        known.retain(|_, (_, limiter)| limiter.strong_count() > 0);
        let same = known.get(key).filter(|(own, _)| *own == interval);
        if let Some(limiter) = same.and_then(|(_, limiter)| limiter.upgrade()) {
            return Some(limiter);
        }
        let limiter = limiter(interval)?;
        known.insert(key.clone(), (interval, Arc::downgrade(&limiter)));
        Some(limiter)
    }
}

/// Makes a limiter with this time from one request to the next; `None` without such a time.
pub(super) fn limiter(interval: Duration) -> Option<Limiter> {
    let quota = Quota::with_period(interval)?;
    let burst = BURST.as_nanos() / interval.as_nanos().max(1);
    let burst = NonZeroU32::new(u32::try_from(burst).unwrap_or(u32::MAX));
    Some(Arc::new(RateLimiter::direct(quota.allow_burst(burst.unwrap_or(NonZeroU32::MIN)))))
}

#[cfg(test)]
mod tests {
    use headwater::event::Tenant;

    use super::*;

    #[test]
    fn all_feeds_of_an_endpoint_spend_from_one_rate() {
        let (paces, tenant) = (Paces::default(), Tenant::default_tenant());
        let key = EndpointKey { tenant, id: "one".into() };
        let minute = Duration::from_secs(60);
        let [mut feed, mut replay] = [(); 2].map(|()| Pace::new([paces.of(&key, minute), None]));
        assert!(feed.grants());
        assert!(feed.grants(), "a grant stays until it is spent");
        feed.spend();
        assert!(!feed.grants() && !replay.grants() && replay.waits_until().is_some());
        let mut changed = Pace::new([paces.of(&key, Duration::from_secs(1)), None]);
        assert!(changed.grants());
    }

    #[test]
    fn the_tightest_bound_holds_and_without_one_everything_goes() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
        let mut pace = Pace::new([limiter(second), limiter(hour)]);
        assert!(pace.grants());
        pace.spend();
        assert!(!pace.grants());
        let mut free = Pace::new([None, None]);
        for _ in 0..1_000 {
            assert!(free.grants());
            free.spend();
        }
        assert_eq!(free.waits_until(), None);
    }
}
