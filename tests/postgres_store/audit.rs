//! Checks a log as it is read, in a few bytes per append and per stream.

use std::collections::HashMap;

use headwater::event::RecordedEvent;

use super::note::{ANY, CLOSER, EXISTS, Note, mark_of};

/// For each writer and each of its appends the position of the last event; 0 is: not stored.
pub type Ledger = Vec<Vec<u64>>;

/// What has been read so far.
#[derive(Default)]
pub struct Audit {
    pub position: u64,
    pub is_closed: bool,
    revisions: HashMap<String, u64>,
    marks: HashMap<usize, u64>,
    appends: Ledger,
    /// The append whose events are being read, and how many of them have been.
    open: Option<Note>,
}

impl Audit {
    /// Takes the events that follow in the log.
    pub fn take(&mut self, events: &[RecordedEvent]) {
        for event in events {
            self.take_one(event);
        }
    }

    fn take_one(&mut self, event: &RecordedEvent) {
        assert!(!self.is_closed, "an event lies behind the end");
        assert_eq!(event.position().get(), self.position + 1, "a position is skipped or doubled");
        self.position += 1;
        let (stream, revision) = (event.stream_id(), event.revision().get());
        let before = self.move_stream(stream, revision);
        let note = Note::of(event);
        match note.expected {
            ANY => {}
            EXISTS => assert!(before > 0, "stream {stream} did not exist before {note:?}"),
            at => assert_eq!(before, u64::try_from(at).unwrap(), "stream {stream}: {note:?}"),
        }
        self.follow_append(note);
        if let Some(mark) = mark_of(event) {
            self.marks.insert(mark, self.position);
        }
        if note.writer == CLOSER {
            self.is_closed = true;
        } else if note.at + 1 == note.count {
            self.close_append(note);
        }
    }

    /// Returns the stream's revision before.
    fn move_stream(&mut self, stream: &str, revision: u64) -> u64 {
        let before = match self.revisions.get_mut(stream) {
            Some(last) => std::mem::replace(last, revision),
            None => self.revisions.insert(stream.to_owned(), revision).unwrap_or_default(),
        };
        assert_eq!(revision, before + 1, "a revision of stream {stream} is skipped or doubled");
        before
    }

    /// The events of an append lie side by side, all of them, in their order.
    fn follow_append(&mut self, note: Note) {
        let Some(open) = self.open.replace(note) else {
            assert_eq!(note.at, 0, "an append begins in its middle: {note:?}");
            if let Some((mark, after)) = note.watched {
                let last = self.marks.get(&mark).copied().unwrap_or_default();
                assert!(last <= after, "mark {mark} lies at {last}: {note:?}");
            }
            return;
        };
        let is_next =
            (open.writer, open.append, open.at + 1) == (note.writer, note.append, note.at);
        assert!(is_next, "an append is torn: {note:?} after {open:?}");
    }

    fn close_append(&mut self, note: Note) {
        self.open = None;
        if self.appends.len() <= note.writer {
            self.appends.resize(note.writer + 1, Vec::new());
        }
        let own = &mut self.appends[note.writer];
        if own.len() <= note.append {
            own.resize(note.append + 1, 0);
        }
        let stored = std::mem::replace(&mut own[note.append], self.position);
        assert_eq!(stored, 0, "stored twice, at {stored} and {}: {note:?}", self.position);
    }

    /// Compares with what the writers were told: acknowledged is there, refused is not.
    pub fn compare(mut self, told: &Ledger, reader: &str) {
        assert!(self.is_closed, "the {reader} did not reach the end");
        self.appends.resize(told.len().max(self.appends.len()), Vec::new());
        assert_eq!(self.appends.len(), told.len(), "the {reader} saw an unknown writer");
        for (number, (seen, told)) in self.appends.iter_mut().zip(told).enumerate() {
            assert!(seen.len() <= told.len(), "the {reader} saw an append never sent");
            seen.resize(told.len(), 0);
            let wrong = seen.iter().zip(told).position(|(seen, told)| seen != told);
            let wrong = wrong.map(|at| (at, seen[at], told[at]));
            assert_eq!(wrong, None, "append, seen and told by the {reader} of writer {number}");
        }
    }
}
