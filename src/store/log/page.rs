//! A page of the log while it is being filled, within its bounds.

use crate::event::{Position, RecordedEvent};
use crate::store::{LogPage, LogRead, StoreLimits};

/// Takes events until a bound is met.
pub struct PageBuilder {
    events: Vec<RecordedEvent>,
    limit: usize,
    bytes_left: usize,
    scans_left: usize,
    next: Position,
    is_full: bool,
}

impl PageBuilder {
    /// Starts a page for a read.
    pub fn new(read: &LogRead, limits: &StoreLimits) -> Self {
        Self {
            events: Vec::new(),
            limit: read.limit.clamp(1, limits.page_events_max.max(1)),
            bytes_left: limits.page_bytes_max,
            scans_left: limits.page_scan_max.max(1),
            next: read.from,
            is_full: false,
        }
    }

    /// Returns whether a bound is met.
    pub const fn is_full(&self) -> bool {
        self.is_full
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
    pub fn finish(self, is_end: bool) -> LogPage {
        LogPage { events: self.events, next: self.next, is_end }
    }
}
