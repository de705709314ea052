//! How long an endpoint has only failed.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::backlog::Now;

/// Failures without a success between them. Counted by the clock that never jumps, so that
/// setting the other one disables nothing; only while the program does not run does that one
/// count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    since: Timestamp,
    before: Duration,
    from: Instant,
}

impl Failing {
    /// Begins with a failure.
    pub const fn begin(now: Now) -> Self {
        Self { since: now.wall, before: Duration::ZERO, from: now.tick }
    }

    /// Goes on with what was stored.
    pub fn resume(since: Timestamp, now: Now) -> Self {
        let before = Duration::try_from(now.wall.duration_since(since)).unwrap_or_default();
        Self { since, before, from: now.tick }
    }

    /// Returns when the first failure was.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Returns for how long there were only failures.
    pub fn lasts(&self, now: Instant) -> Duration {
        self.before + now.saturating_duration_since(self.from)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_does_not_lengthen_it() {
        let now = Now { wall: Timestamp::UNIX_EPOCH, tick: Instant::now() };
        let failing = Failing::begin(now);
        assert_eq!(failing.lasts(now.tick + Duration::from_secs(60)), Duration::from_secs(60));
        let day = SignedDuration::from_hours(24);
        let later = Now { wall: now.wall + day, tick: now.tick };
        let resumed = Failing::resume(failing.since(), later);
        assert_eq!(resumed.lasts(now.tick), Duration::from_hours(24));
        let earlier = Now { wall: now.wall - day, tick: now.tick };
        assert_eq!(Failing::resume(failing.since(), earlier).lasts(now.tick), Duration::ZERO);
    }
}
