//! A page of the log while it is being filled, within its bounds.

use super::kinds::{Gathering, Wanted};
use crate::event::{Position, RecordedEvent};
use crate::store::{LogPage, LogRead, StoreLimits};

/// Takes events until a bound is met.
pub struct PageBuilder {
    events: Vec<RecordedEvent>,
    limit: usize,
    bytes_left: usize,
    scans_left: usize,
    scans_max: usize,
    /// It rests when no more scans than these are left.
    rest_at: usize,
    next: Position,
    is_full: bool,
    /// The kinds that a filtered read asks for, once it has begun.
    pub(super) wanted: Option<Wanted>,
    /// The kinds of the block that is being read.
    pub(super) gathering: Gathering,
}

impl PageBuilder {
    /// Starts a page for a read.
    pub fn new(read: &LogRead, limits: &StoreLimits) -> Self {
        let scans_max = limits.page_scan_max.max(1);
        Self {
            events: Vec::new(),
            limit: read.limit.clamp(1, limits.page_events_max.max(1)),
            bytes_left: limits.page_bytes_max.min(read.bytes_max),
            scans_left: scans_max,
            scans_max,
            rest_at: 0,
            next: read.from,
            is_full: false,
            wanted: None,
            gathering: Gathering::default(),
        }
    }

    /// Returns whether a bound is met, or it is time to rest.
    pub const fn is_full(&self) -> bool {
        self.is_full || self.scans_left <= self.rest_at
    }

    /// Lets it look at so many more events before it rests.
    pub const fn resume(&mut self, scans: usize) {
        self.rest_at = self.scans_left.saturating_sub(scans);
    }

    /// Returns whether it only rests: no bound is met.
    pub const fn is_paused(&self) -> bool {
        !self.is_full && self.rest_at > 0 && self.scans_left <= self.rest_at
    }

    /// Returns how many more events fit; at least one unless the page is full.
    pub const fn room(&self) -> usize {
        self.limit - self.events.len()
    }

    /// Returns how many more bytes fit, about.
    pub const fn bytes_left(&self) -> usize {
        self.bytes_left
    }

    /// Returns how many more events may be looked at.
    pub const fn scans_left(&self) -> usize {
        self.scans_left
    }

    /// Takes an event that matches, unless the page is full.
    pub fn take(&mut self, event: RecordedEvent) {
        let len = event.as_bytes().len();
        if self.is_full || (len > self.bytes_left && !self.events.is_empty()) {
            self.is_full = true;
            return;
        }
        self.bytes_left = self.bytes_left.saturating_sub(len);
        let position = event.position();
        self.events.push(event);
        self.pass(position);
        self.is_full |= self.events.len() >= self.limit;
    }

    /// Notes that an event was looked at, unless the page is full.
    pub const fn pass(&mut self, position: Position) {
        if self.is_full {
            return;
        }
        self.next = position;
        self.scans_left = self.scans_left.saturating_sub(1);
        self.is_full = self.scans_left == 0;
    }

    /// Notes that everything up to a position was ruled out.
    pub const fn skip_to(&mut self, position: Position) {
        if !self.is_full {
            self.next = position;
        }
    }

    /// Returns how far the page has looked.
    pub const fn next(&self) -> Position {
        self.next
    }

    /// Ends the page.
    pub fn finish(mut self, is_end: bool) -> LogPage {
        self.take_finished(is_end)
    }

    /// Ends the page and leaves an empty one behind.
    pub fn take_finished(&mut self, is_end: bool) -> LogPage {
        let events = std::mem::take(&mut self.events);
        let looked_at = self.scans_max - self.scans_left;
        LogPage { events, next: self.next, is_end, looked_at }
    }
}
