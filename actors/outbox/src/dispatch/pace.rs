//! At most so many requests a second.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Grants requests; without a bound it grants all.
#[derive(Default)]
pub(super) struct Pace {
    limiter: Option<DefaultDirectRateLimiter>,
    has_grant: bool,
    waits_until: Option<Instant>,
}

impl Pace {
    /// Holds to the lowest of the bounds that are given, in requests a second.
    pub fn new(bounds: [Option<u32>; 2]) -> Self {
        let rate = bounds.into_iter().flatten().min().and_then(NonZeroU32::new);
        // A tenth of a second's worth at once: even, and not one timer a request.
        let quota = |rate: NonZeroU32| {
            let burst = NonZeroU32::new(rate.get() / 10).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        };
        Self { limiter: rate.map(quota), ..Self::default() }
    }

    /// Returns whether a request may be made; the grant stays until it is spent.
    pub fn grants(&mut self) -> bool {
        let Some(limiter) = &self.limiter else { return true };
        if !self.has_grant {
            let clock = DefaultClock::default();
            let wait = limiter.check().err().map(|until| until.wait_time_from(clock.now()));
            let least = Duration::from_millis(1);
            self.waits_until = wait.map(|wait| Instant::now() + wait.max(least));
            self.has_grant = wait.is_none();
        }
        self.has_grant
    }

    /// Notes that a request was made.
    pub const fn spend(&mut self) {
        self.has_grant = false;
    }

    /// Returns until when no request may be made.
    pub const fn waits_until(&self) -> Option<Instant> {
        if self.has_grant { None } else { self.waits_until }
    }
}
