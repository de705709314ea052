//! The side of the consumers: waiting for events, and connections that may break.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Handed;
use super::deliveries::Taker;
use super::group::Group;
use crate::endpoint::Phase;

/// A connection to a group. When it is dropped, what it has goes to others.
pub(crate) struct Member {
    group: Arc<Group>,
    number: u64,
    freed: Arc<Notify>,
}

impl Group {
    /// Takes at most so many events, at once if there are any; otherwise it waits for some, for
    /// at most `wait` or until the group closes. One who was told of a phase takes nothing once
    /// it is another.
    ///
    /// Dropping the future takes nothing.
    pub async fn take(
        &self,
        taker: &Taker,
        (max, told): (usize, Option<Phase>),
        wait: Duration,
    ) -> Vec<Handed> {
        let (end, mut state) = (Instant::now() + wait, self.watch());
        loop {
            let mut more = pin!(self.has_more().notified());
            // From here on nothing that is offered is missed.
            more.as_mut().enable();
            let seen = *state.borrow_and_update();
            if seen.is_closed || told.is_some_and(|told| told != seen.phase) {
                return Vec::new();
            }
            let handed = self.take_now(taker, max);
            if !handed.is_empty() {
                return handed;
            }
            tokio::select! {
                () = more => {}
                _ = state.changed() => {}
                () = sleep_until(end) => return Vec::new(),
            }
        }
    }
}

impl Member {
    /// Joins a group; `None` when it has too many connections.
    pub fn join(group: &Arc<Group>) -> Option<Self> {
        let (number, freed) = group.join()?;
        Some(Self { group: Arc::clone(group), number, freed })
    }

    /// Makes a taker whose events come back when the connection breaks.
    pub fn taker(&self, consumer: Arc<str>) -> Taker {
        Taker { consumer, connection: Some(self.number) }
    }

    /// Returns the group.
    pub const fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Returns how many events the connection has.
    pub fn held(&self) -> usize {
        self.group.held_by(self.number)
    }

    /// Waits until it has fewer than so many, at most so long.
    pub async fn room(&self, max: usize, wait: Duration) -> usize {
        let end = Instant::now() + wait;
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            let room = max.saturating_sub(self.held());
            if room > 0 {
                return room;
            }
            tokio::select! {
                () = freed => {}
                () = sleep_until(end) => return 0,
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.group.leave(self.number);
    }
}
