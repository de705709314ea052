//! What every event of the torture says about its append, so that a reader can check it alone.

use headwater::event::{NewEvent, RecordedEvent, Tag};

/// The writer of the one event that ends the log.
pub const CLOSER: usize = usize::MAX;

/// One event's part in its append; each number is what the writer knew when it sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    pub writer: usize,
    /// Which of the writer's appends, from 0.
    pub append: usize,
    /// Which event of the append, from 0, and of how many.
    pub at: usize,
    pub count: usize,
    /// What the first event of a write expected of its stream: a revision, or one of these.
    pub expected: i64,
    /// Which mark the append's condition looks for, and after which position.
    pub watched: Option<(usize, u64)>,
}

/// Further events of a write, and writes that expect nothing.
pub const ANY: i64 = -1;
/// The stream must have an event.
pub const EXISTS: i64 = -2;

impl Note {
    /// Makes the event.
    pub fn event(&self, mark: Option<usize>) -> NewEvent {
        let (mark_watched, after) = self.watched.map_or((-1, 0), |(mark, after)| {
            (i64::try_from(mark).unwrap(), i64::try_from(after).unwrap())
        });
        let Self { writer, append, at, count, expected, .. } = self;
        // The closer's number is the greatest there is, which JSON readers would round.
        let writer = if *writer == CLOSER { -1 } else { i64::try_from(*writer).unwrap() };
        let text = format!("[{writer},{append},{at},{count},{expected},{mark_watched},{after}]");
        let event = NewEvent::json("Placed", 1, text).unwrap();
        event.with_tags(mark.map(tag).into_iter().collect())
    }

    /// Reads it from an event of the log.
    pub fn of(event: &RecordedEvent) -> Self {
        let [writer, append, at, count, expected, mark, after]: [i64; 7] =
            serde_json::from_slice(event.data()).unwrap();
        let number = |number: i64| usize::try_from(number).unwrap();
        Self {
            writer: usize::try_from(writer).unwrap_or(CLOSER),
            append: number(append),
            at: number(at),
            count: number(count),
            expected,
            watched: (mark >= 0).then(|| (number(mark), u64::try_from(after).unwrap())),
        }
    }
}

/// Returns the tag of a mark.
pub fn tag(mark: usize) -> Tag {
    Tag::new(format!("mark:{mark}")).unwrap()
}

/// Returns the mark of an event.
pub fn mark_of(event: &RecordedEvent) -> Option<usize> {
    event.tags().next().and_then(|tag| tag.strip_prefix("mark:")?.parse().ok())
}
