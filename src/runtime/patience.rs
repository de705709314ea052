//! How long an append waits for commands that are about to come.
//!
//! Senders that were just answered come back within microseconds. An append that is begun
//! before they do leaves them a whole barrier behind: each barrier then carries half of the
//! commands it could, and each command takes two barriers. So the next append waits until as
//! many commands have come as were there for the last one, as long as they keep coming, and
//! never longer than that one took.

use std::time::{Duration, Instant};

/// The longest silence that an append waits through.
const SILENCE_MAX: Duration = Duration::from_micros(200);

/// So many appends go at once after one that waited in vain.
const HURRIED_APPENDS: u32 = 7;

/// Says when what has gathered goes to the store.
pub(super) struct Patience {
    /// So many commands are worth waiting for; 0 when nothing is.
    wanted: usize,
    gathered: usize,
    is_waiting: bool,
    is_in_vain: bool,
    hurried: u32,
    begun: Instant,
    last_came: Instant,
    silence: Duration,
    end: Instant,
}

impl Patience {
    /// Begins without anything to wait for.
    pub fn new(now: Instant) -> Self {
        Self {
            wanted: 0,
            gathered: 0,
            is_waiting: false,
            is_in_vain: false,
            hurried: 0,
            begun: now,
            last_came: now,
            silence: Duration::ZERO,
            end: now,
        }
    }

    /// Notes that an append is on its way.
    pub fn begin(&mut self, now: Instant) {
        self.wanted = 0;
        self.is_waiting = false;
        self.begun = now;
    }

    /// Notes that the append of `answered` commands is durable, while `gathered` more had come.
    pub fn settle(&mut self, answered: usize, gathered: usize, now: Instant) {
        let took = now.saturating_duration_since(self.begun);
        self.wanted = if self.hurried > 0 { 0 } else { answered + gathered };
        self.hurried = self.hurried.saturating_sub(1);
        self.gathered = gathered;
        self.is_in_vain = true;
        self.last_came = now;
        self.silence = SILENCE_MAX.min(took / 4);
        self.end = now + took;
    }

    /// Returns whether the next append waits for more than the `gathered` commands there are.
    ///
    /// Once it waits, only enough commands or [`look`](Self::look) end it: commands that lie
    /// in the mailbox already must not be told from late ones by when this thread ran.
    pub fn waits(&mut self, gathered: usize, now: Instant) -> bool {
        if gathered > self.gathered {
            self.is_in_vain &= !self.is_waiting;
            self.gathered = gathered;
            self.last_came = now;
        }
        if gathered >= self.wanted || (!self.is_waiting && now >= self.end) {
            self.wanted = 0;
        }
        self.is_waiting = self.wanted > 0;
        self.is_waiting
    }

    /// Looks at the clock: a wait that was long enough ends.
    pub fn look(&mut self, now: Instant) {
        if self.is_waiting && (now >= self.end || now >= self.last_came + self.silence) {
            self.wanted = 0;
            if self.is_in_vain {
                self.hurried = HURRIED_APPENDS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    /// An append of 64 commands that took 400 µs and was done at the returned time.
    fn settled(gathered: usize) -> (Patience, Instant) {
        let begun = Instant::now();
        let mut patience = Patience::new(begun);
        patience.begin(begun);
        let done = begun + 400 * MICRO;
        patience.settle(64, gathered, done);
        (patience, done)
    }

    fn waits_after_look(patience: &mut Patience, gathered: usize, now: Instant) -> bool {
        patience.look(now);
        patience.waits(gathered, now)
    }

    #[test]
    fn it_waits_until_as_many_have_come_as_were_answered_and_waited() {
        let (mut patience, done) = settled(3);
        assert!(waits_after_look(&mut patience, 66, done + 50 * MICRO));
        assert!(!waits_after_look(&mut patience, 67, done + 51 * MICRO));
    }

    #[test]
    fn it_waits_through_a_quarter_of_the_last_append_without_a_command() {
        let (mut patience, done) = settled(1);
        assert!(patience.waits(2, done + 90 * MICRO));
        assert!(waits_after_look(&mut patience, 2, done + 189 * MICRO));
        assert!(!waits_after_look(&mut patience, 2, done + 190 * MICRO));
    }

    #[test]
    fn it_never_waits_longer_than_the_last_append_took() {
        let (mut patience, done) = settled(0);
        for came in 1..8 {
            let now = done + came as u32 * 50 * MICRO;
            assert!(waits_after_look(&mut patience, came, now));
        }
        assert!(!waits_after_look(&mut patience, 8, done + 400 * MICRO));
    }

    #[test]
    fn a_command_that_comes_long_after_the_last_append_is_not_kept_waiting() {
        let (mut patience, done) = settled(0);
        assert!(!patience.waits(1, done + 400 * MICRO));
    }

    #[test]
    fn a_single_sender_is_never_kept_waiting() {
        let begun = Instant::now();
        let mut patience = Patience::new(begun);
        assert!(!patience.waits(1, begun));
        patience.begin(begun);
        patience.settle(1, 0, begun + 400 * MICRO);
        assert!(!patience.waits(1, begun + 401 * MICRO));
    }

    #[test]
    fn after_waiting_in_vain_appends_go_at_once_for_a_while() {
        let (mut patience, mut now) = settled(1);
        assert!(patience.waits(1, now));
        assert!(!waits_after_look(&mut patience, 1, now + 100 * MICRO));
        for _ in 0..HURRIED_APPENDS {
            patience.begin(now);
            now += 400 * MICRO;
            patience.settle(64, 1, now);
            assert!(!patience.waits(1, now));
        }
        patience.begin(now);
        patience.settle(64, 1, now + 400 * MICRO);
        assert!(patience.waits(1, now + 401 * MICRO));
    }
}
