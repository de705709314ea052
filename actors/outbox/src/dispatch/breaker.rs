//! The circuit breaker of an endpoint: when all requests fail, few are made, and when it asks to be
//! left alone, none.

use std::time::{Duration, Instant};

/// So many failures in a row open it.
const FAILURES_MAX: u32 = 8;
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);

/// Closed while requests succeed; opens after [`FAILURES_MAX`] failures in a row. Then one
/// request at a time is let through after a rest, which doubles up to a minute with each
/// failure; the first success closes it. An endpoint that asks for a rest opens it at once, and
/// then only the success of a request made after the rest closes it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    until: Instant,
    rest: Duration,
    is_probing: bool,
    /// Whether the endpoint asked for it, so that only a probe closes it.
    is_asked: bool,
}

/// What may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Whatever there is.
    Free,
    /// One request, to see whether the endpoint works again.
    Probe,
    /// Nothing.
    None,
}

impl Breaker {
    /// Says what may be sent.
    pub fn leave(&self, now: Instant) -> Leave {
        match self.open {
            None => Leave::Free,
            Some(open) if open.is_probing || now < open.until => Leave::None,
            Some(_) => Leave::Probe,
        }
    }

    /// Notes that the probe is on its way.
    pub fn probe(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probing = true;
        }
    }

    /// Notes that the probe was none: it says nothing about the endpoint.
    pub fn not_sent(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probing = false;
        }
    }

    /// Returns until when nothing may be sent; `None` when it is closed or a probe is under way.
    pub fn rests_until(&self) -> Option<Instant> {
        self.open.filter(|open| !open.is_probing).map(|open| open.until)
    }

    /// Returns whether it rests because the endpoint asked for it, so that nothing is tried before
    /// its time.
    pub fn is_asked(&self) -> bool {
        self.open.is_some_and(|open| open.is_asked)
    }

    /// Returns whether it lets only probes through.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Lets nothing through for a while, because the endpoint asked for it; what was under way
    /// and succeeds does not cut that short.
    pub fn rest(&mut self, until: Instant) {
        let new = Open { until, rest: REST_MIN, is_probing: false, is_asked: true };
        let open = self.open.get_or_insert(new);
        open.until = open.until.max(until);
        open.is_asked = true;
    }

    /// The same for the shortest rest, unless it rests already.
    pub fn rest_briefly(&mut self, now: Instant, share: f64) {
        self.open.get_or_insert_with(|| Open::after(REST_MIN, now, share)).is_asked = true;
    }

    /// Notes a success; returns whether an endpoint works again that had only failed.
    pub fn succeeded(&mut self) -> bool {
        let was_broken = std::mem::take(&mut self.failures) >= FAILURES_MAX;
        let is_kept = |open: &Open| open.is_asked && !open.is_probing;
        if self.open.as_ref().is_some_and(is_kept) {
            return false;
        }
        self.open.take().is_some() && was_broken
    }

    /// Notes a failure; `share`, from 0 to 1, spreads the rests of many endpoints.
    pub fn failed(&mut self, now: Instant, share: f64) {
        self.failures = self.failures.saturating_add(1);
        self.open = match self.open {
            // One that was under way when it opened.
            Some(open) if !open.is_probing => Some(open),
            Some(open) => Some(Open::after((open.rest * 2).min(REST_MAX), now, share)),
            None if self.failures >= FAILURES_MAX => Some(Open::after(REST_MIN, now, share)),
            None => None,
        };
    }
}

impl Open {
    fn after(rest: Duration, now: Instant, share: f64) -> Self {
        let until = now + rest.mul_f64(0.8 + 0.4 * share.clamp(0.0, 1.0));
        Self { until, rest, is_probing: false, is_asked: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        (0..FAILURES_MAX).for_each(|_| breaker.failed(now, 0.5));
        breaker
    }

    #[test]
    fn failures_with_successes_between_them_do_not_open_it() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..100 {
            breaker.failed(now, 0.5);
            breaker.succeeded();
        }
        assert_eq!(breaker.leave(now), Leave::Free);
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_at_a_time_goes_through() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.leave(now), Leave::None);
        let later = breaker.rests_until().unwrap();
        assert_eq!(breaker.leave(later), Leave::Probe);
        breaker.probe();
        assert_eq!(breaker.leave(later), Leave::None);
        assert!(breaker.succeeded());
        assert_eq!(breaker.leave(later), Leave::Free);
    }

    #[test]
    fn a_rest_opens_it_at_once_and_is_never_cut_short() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let (soon, later) = (now + Duration::from_secs(5), now + Duration::from_secs(60));
        breaker.rest(later);
        breaker.rest(soon);
        assert!(!breaker.succeeded(), "it was under way already");
        assert_eq!((breaker.leave(soon), breaker.leave(later)), (Leave::None, Leave::Probe));
        breaker.probe();
        assert!(!breaker.succeeded(), "it was not broken");
        assert_eq!(breaker.leave(soon), Leave::Free);
    }

    #[test]
    fn the_rest_doubles_up_to_a_minute_and_what_was_under_way_does_not_lengthen_it() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        breaker.failed(now, 0.5);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let until = breaker.rests_until().unwrap();
            assert_eq!(until - now, Duration::from_secs(seconds));
            now = until;
            breaker.probe();
            breaker.failed(now, 0.5);
        }
    }
}
