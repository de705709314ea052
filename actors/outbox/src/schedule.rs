//! When a failed delivery is tried again: a pure function, so that history can be replayed.

use std::time::Duration;

use headwater::event::EventId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The delays of the Standard Webhooks specification 1.0.0, section "Deliverability and
/// reliability": nine retries over 75 h 35 min.
const STANDARD_MS: [u64; 9] = [
    5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000,
    86_400_000,
];

/// What an endpoint has whose consumers ask for its events: nobody is burdened by a retry that
/// nobody asks for, so the first ones come soon. Twelve attempts over 1 d 7 h.
const PULLED_MS: [u64; 11] = [
    1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000,
    72_000_000,
];

/// What [`RetrySchedule::after`] gives an endpoint that is under load, before the jitter, which
/// takes away at most a fifth: it is left alone for 60 s at least.
const THROTTLED_MS: u64 = 75_000;

/// Says why a schedule was refused; the caller must write another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Has no delay. The caller acts.
    #[error("the retry schedule is empty: give it 1 to {} delays in ms", RetrySchedule::LEN_MAX)]
    Empty,
    /// Has too many delays. The caller acts.
    #[error("the retry schedule has {len} delays: give it at most {}", RetrySchedule::LEN_MAX)]
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// Has a delay outside of the bounds. The caller acts.
    #[error(
        "delay {number} of the retry schedule is {delay_ms} ms: give it {} to {} ms",
        RetrySchedule::DELAY_MS_MIN,
        RetrySchedule::DELAY_MS_MAX
    )]
    OutOfBounds {
        /// Which one, from 1.
        number: usize,
        /// How long it is.
        delay_ms: u64,
    },
}

/// How long to wait after each failed attempt, in ms; past the last one the delivery is given up.
///
/// The default is the table of the Standard Webhooks specification: 5 s, 5 min, 30 min, 2 h,
/// 5 h, 10 h, 14 h, 20 h, 24 h.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct RetrySchedule(Vec<u64>);

/// What is known about a failed attempt that decides when the next one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// How many attempts have failed, this one included; from 1.
    pub attempt: u32,
    /// Spreads the retries of different events; see [`RetrySchedule::seed`].
    pub seed: u64,
    /// Whether the receiver is under load: it said 429, 502 or 504, or did not answer in time.
    pub throttled: bool,
    /// How long the receiver asked to be left alone; `None` when it did not.
    pub retry_after: Option<Duration>,
}

impl RetrySchedule {
    /// The most delays a schedule may have.
    pub const LEN_MAX: usize = 50;
    /// The shortest delay, in ms: less would be a loop.
    pub const DELAY_MS_MIN: u64 = 100;
    /// The longest delay, in ms: 7 days.
    pub const DELAY_MS_MAX: u64 = 7 * 24 * 3_600_000;
    /// The longest time that a receiver's `Retry-After` holds when the schedule's own delay is
    /// shorter: 24 h.
    pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
    /// A `Retry-After` up to this is honoured in full, however short the schedule's own delay.
    pub const RETRY_AFTER_TRUSTED: Duration = Duration::from_hours(1);

    /// Checks a list of delays in ms.
    ///
    /// # Errors
    /// [`ScheduleError`] when it is empty, too long or has a delay out of bounds.
    pub fn new(delays_ms: Vec<u64>) -> Result<Self, ScheduleError> {
        if delays_ms.is_empty() {
            return Err(ScheduleError::Empty);
        }
        if delays_ms.len() > Self::LEN_MAX {
            return Err(ScheduleError::TooLong { len: delays_ms.len() });
        }
        let allowed = Self::DELAY_MS_MIN..=Self::DELAY_MS_MAX;
        match delays_ms.iter().zip(1..).find(|(delay_ms, _)| !allowed.contains(delay_ms)) {
            Some((&delay_ms, number)) => Err(ScheduleError::OutOfBounds { number, delay_ms }),
            None => Ok(Self(delays_ms)),
        }
    }

    /// Returns the schedule of endpoints whose consumers ask for their events, unless they have
    /// one of their own.
    #[must_use]
    pub fn pulled() -> Self {
        Self(PULLED_MS.to_vec())
    }

    /// Returns the delays in ms, before the jitter.
    #[must_use]
    pub fn delays_ms(&self) -> &[u64] {
        &self.0
    }

    /// Returns how often a delivery is attempted in all, the first time included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Returns what spreads the retries of an event: the same for the same event and attempt.
    #[must_use]
    pub fn seed(id: EventId, attempt: u32) -> u64 {
        let id = u128::from_be_bytes(id.to_bytes());
        let (high, low) = ((id >> 64) as u64, id as u64);
        mix(high ^ mix(low ^ mix(u64::from(attempt))))
    }

    /// Returns how long to wait after the failed attempt number `attempt`, with a jitter of up
    /// to 20 % either way that `seed` decides.
    ///
    /// `None` when the schedule is exhausted; no time at all for attempt 0, because before the
    /// first attempt there is nothing to wait for.
    #[must_use]
    pub fn delay(&self, attempt: u32, seed: u64) -> Option<Duration> {
        match attempt {
            0 => Some(Duration::ZERO),
            _ => self.delay_ms(attempt).map(|delay_ms| jittered(delay_ms, seed)),
        }
    }

    /// Returns when the next attempt is, from the end of the one that failed; `None` when the
    /// delivery is to be given up.
    ///
    /// A throttled endpoint is left alone for at least 60 s by the default schedule. A schedule
    /// that somebody wrote is taken at its word: who asks for 1 s knows the receiver.
    #[must_use]
    pub fn after(&self, failure: Failure) -> Option<Duration> {
        let Failure { attempt, seed, throttled, retry_after } = failure;
        let own_ms = self.delay_ms(attempt.max(1))?;
        let is_standard = || self.0 == STANDARD_MS;
        let delay_ms = if throttled && is_standard() { own_ms.max(THROTTLED_MS) } else { own_ms };
        let delay = jittered(delay_ms, seed);
        Some(retry_after.map_or(delay, |asked| with_retry_after(delay, asked)))
    }

    fn delay_ms(&self, attempt: u32) -> Option<u64> {
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        self.0.get(index).copied()
    }
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self(STANDARD_MS.to_vec())
    }
}

impl TryFrom<Vec<u64>> for RetrySchedule {
    type Error = ScheduleError;

    fn try_from(delays_ms: Vec<u64>) -> Result<Self, Self::Error> {
        Self::new(delays_ms)
    }
}

impl From<RetrySchedule> for Vec<u64> {
    fn from(schedule: RetrySchedule) -> Self {
        schedule.0
    }
}

/// Returns how long to wait when the receiver asked for a time of its own.
///
/// Never shorter than `delay`, so that a receiver cannot make the sender loop. What it asks for
/// holds up to an hour or twice the delay, whichever is longer, and up to 24 h at most: an hour
/// covers every honest rate limit, also after the first failure, when the schedule's own delay
/// is seconds; more than that is believed only of one that has long been failing, so that a
/// hostile or mistaken header cannot hold events back for weeks.
#[must_use]
pub fn with_retry_after(delay: Duration, asked: Duration) -> Duration {
    let believed = delay.saturating_mul(2).max(RetrySchedule::RETRY_AFTER_TRUSTED);
    asked.min(believed).min(RetrySchedule::RETRY_AFTER_MAX).max(delay)
}

/// Moves a delay by up to a fifth either way.
fn jittered(delay_ms: u64, seed: u64) -> Duration {
    let fifth = delay_ms / 5;
    // The high bits of the product are a number from 0 to twice the fifth.
    let moved = (u128::from(seed) * (u128::from(fifth) * 2 + 1)) >> 64;
    Duration::from_millis(delay_ms - fifth + moved as u64)
}

/// Spreads a number over all bits (the finalizer of SplitMix64; Steele, Lea, Flood 2014).
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failed(attempt: u32) -> Failure {
        Failure { attempt, seed: u64::MAX / 2, ..Failure::default() }
    }

    #[test]
    fn the_default_is_the_table_of_the_specification() {
        let schedule = RetrySchedule::default();
        let total: u64 = schedule.delays_ms().iter().sum();
        assert_eq!(total, ((75 * 60 + 35) * 60 + 5) * 1000);
        assert_eq!(schedule.attempts(), 10);
        assert_eq!(RetrySchedule::new(schedule.delays_ms().to_vec()), Ok(schedule));
    }

    #[test]
    fn consumers_that_ask_get_a_failed_event_again_soon_and_for_a_day() {
        let schedule = RetrySchedule::pulled();
        assert_eq!((schedule.delays_ms()[0], schedule.attempts()), (1_000, 12));
        let total: u64 = schedule.delays_ms().iter().sum();
        assert!((24 * 3_600_000..48 * 3_600_000).contains(&total));
        assert_eq!(RetrySchedule::new(schedule.delays_ms().to_vec()), Ok(schedule));
    }

    #[test]
    fn a_schedule_out_of_bounds_is_refused_with_the_place() {
        let refused = |delays: &[u64]| RetrySchedule::new(delays.to_vec()).unwrap_err().to_string();
        assert!(refused(&[]).contains("empty"));
        assert!(refused(&[100; 51]).contains("51 delays: give it at most 50"));
        assert!(refused(&[100, 99]).contains("delay 2 of the retry schedule is 99 ms"));
        assert!(refused(&[604_800_001]).contains("delay 1"));
        assert!(RetrySchedule::new(vec![100; 50]).is_ok());
        assert!(RetrySchedule::new(vec![604_800_000]).is_ok());
    }

    #[test]
    fn a_schedule_is_a_list_of_ms_in_json() {
        let schedule: RetrySchedule = serde_json::from_str("[1000,2000]").unwrap();
        assert_eq!(serde_json::to_string(&schedule).unwrap(), "[1000,2000]");
        let refused = serde_json::from_str::<RetrySchedule>("[1]").unwrap_err().to_string();
        assert!(refused.contains("100 to 604800000 ms"), "{refused}");
    }

    #[test]
    fn past_the_last_delay_the_delivery_is_given_up() {
        let schedule = RetrySchedule::new(vec![1_000]).unwrap();
        assert_eq!(schedule.delay(0, 7), Some(Duration::ZERO));
        assert!(schedule.delay(1, 7).is_some());
        assert_eq!((schedule.delay(2, 7), schedule.after(failed(2))), (None, None));
    }

    #[test]
    fn a_throttled_endpoint_is_left_alone_for_a_minute_unless_a_schedule_says_otherwise() {
        let throttled = Failure { throttled: true, seed: 0, attempt: 1, retry_after: None };
        assert_eq!(RetrySchedule::default().after(throttled), Some(60 * SECOND));
        let own = RetrySchedule::new(vec![1_000]).unwrap();
        assert!(own.after(throttled).unwrap() < 2 * SECOND);
        let later = Failure { attempt: 2, ..throttled };
        assert_eq!(RetrySchedule::default().after(later), Some(240 * SECOND));
    }

    #[test]
    fn an_honest_retry_after_is_obeyed_and_a_hostile_one_is_clamped() {
        let (hour, day) = (3_600 * SECOND, 86_400 * SECOND);
        assert_eq!(with_retry_after(5 * SECOND, 90 * SECOND), 90 * SECOND);
        assert_eq!(with_retry_after(5 * SECOND, SECOND), 5 * SECOND);
        assert_eq!(with_retry_after(5 * SECOND, 7 * day), hour);
        assert_eq!(with_retry_after(2 * hour, 7 * day), 4 * hour);
        assert_eq!(with_retry_after(20 * hour, 7 * day), day);
        assert_eq!(with_retry_after(3 * day, Duration::MAX), 3 * day);
        let asked = Failure { retry_after: Some(90 * SECOND), ..failed(1) };
        assert_eq!(RetrySchedule::default().after(asked), Some(90 * SECOND));
    }

    #[test]
    fn events_and_attempts_are_spread_apart() {
        let seeds: std::collections::HashSet<u64> = (0..100)
            .map(|number| RetrySchedule::seed(EventId::from_bytes([number; 16]), 1))
            .chain(
                (2..100).map(|attempt| RetrySchedule::seed(EventId::from_bytes([0; 16]), attempt)),
            )
            .collect();
        assert_eq!(seeds.len(), 198);
        let same = || RetrySchedule::seed(EventId::from_bytes([9; 16]), 3);
        assert_eq!(same(), same());
    }

    proptest! {
        #[test]
        fn the_jitter_stays_within_a_fifth(
            delay_ms in RetrySchedule::DELAY_MS_MIN..=RetrySchedule::DELAY_MS_MAX,
            seed: u64,
        ) {
            let delay = RetrySchedule::new(vec![delay_ms]).unwrap().delay(1, seed).unwrap();
            let waited = u64::try_from(delay.as_millis()).unwrap();
            prop_assert!((delay_ms - delay_ms / 5..=delay_ms + delay_ms / 5).contains(&waited));
        }

        #[test]
        fn a_receiver_never_shortens_a_delay_nor_stretches_it_past_the_bounds(
            delay_ms in 0..=RetrySchedule::DELAY_MS_MAX * 6 / 5,
            asked_ms: u64,
        ) {
            let delay = Duration::from_millis(delay_ms);
            let waited = with_retry_after(delay, Duration::from_millis(asked_ms));
            prop_assert!(waited >= delay);
            prop_assert!(waited <= delay.max(RetrySchedule::RETRY_AFTER_MAX));
        }
    }

    #[test]
    fn both_ends_of_the_jitter_are_reached() {
        let schedule = RetrySchedule::new(vec![1_000]).unwrap();
        assert_eq!(schedule.delay(1, 0), Some(Duration::from_millis(800)));
        assert_eq!(schedule.delay(1, u64::MAX), Some(Duration::from_millis(1_200)));
    }
}
