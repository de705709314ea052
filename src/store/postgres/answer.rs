//! What `append_batch` says became of each append, told to whoever waits.

use tokio_postgres::{Error, Row};

use super::batch::Batch;
use super::config::Counters;
use super::prepared::{Outcome, Prepared};
use super::wire::{position, revision};
use crate::event::{Position, Revision, is_repeat};
use crate::store::{AppendError, Appended, WrittenStream};

/// The row of `append_batch`; the migration says what each column means.
pub(super) struct Answer {
    /// The last position of the log after the batch.
    pub head: Position,
    outcome: Vec<i32>,
    place: Vec<i64>,
    cause: Vec<i32>,
    actual: Vec<i64>,
    w_revision: Vec<i64>,
    known: Vec<Vec<u8>>,
}

impl Answer {
    /// Reads the row.
    pub fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            head: position(row.try_get(0)?),
            outcome: row.try_get(1)?,
            place: row.try_get(2)?,
            cause: row.try_get(3)?,
            actual: row.try_get(4)?,
            w_revision: row.try_get(5)?,
            known: row.try_get(6)?,
        })
    }

    /// Tells every append of the batch its outcome, and counts.
    pub fn tell(mut self, batch: Batch, counters: &Counters) {
        let (mut write, mut event) = (0, 0);
        let known = std::mem::take(&mut self.known);
        let mut known = known.iter();
        for (at, append) in batch.appends.into_iter().enumerate() {
            let outcome = self.outcome_of(at, &append, (write, event), &mut known);
            write += append.writes.len();
            event += append.events.len();
            if outcome.as_ref().is_ok_and(|appended| !appended.duplicate) {
                counters.appends.add(1);
                counters.events.add(append.events.len() as u64);
            }
            // A caller that has gone away does not want to know.
            let _ = append.reply.send(outcome);
        }
    }

    /// Returns the outcome of the append whose writes and events begin at `starts`; what `known`
    /// holds next is what was stored before under its ids, if that is so.
    fn outcome_of<'k>(
        &self,
        at: usize,
        append: &Prepared,
        starts: (usize, usize),
        known: &mut impl Iterator<Item = &'k Vec<u8>>,
    ) -> Outcome {
        let place = position(number(&self.place, at));
        match self.outcome.get(at) {
            Some(0) => Ok(self.appended(append, starts.0, place, false)),
            Some(1) => match other_content(append, known) {
                None => Ok(self.appended(append, starts.0, place, true)),
                Some(at) => Err(reused(append, at, place)),
            },
            Some(2) => Err(self.conflict(at, append, starts.0)),
            Some(3) => Err(failed(append, number(&self.place, at))),
            Some(4) => {
                let reused = self.cause_of(at, starts.1).and_then(|at| append.events.get(at));
                match reused {
                    Some(event) => Err(AppendError::IdReused { id: event.id, position: place }),
                    None => Err(unexplained()),
                }
            }
            _ => Err(unexplained()),
        }
    }

    fn appended(
        &self,
        append: &Prepared,
        first_write: usize,
        position: Position,
        duplicate: bool,
    ) -> Appended {
        let writes = append.writes.iter().enumerate().map(|(at, write)| {
            let is_told = write.count > 0 || !duplicate;
            let first = match is_told {
                true => revision(number(&self.w_revision, first_write + at)),
                false => Revision::ZERO,
            };
            let last = first.plus(write.count as u64).previous();
            WrittenStream { stream: write.stream.clone(), first, last }
        });
        Appended { position, streams: writes.collect(), duplicate }
    }

    fn conflict(&self, at: usize, append: &Prepared, first_write: usize) -> AppendError {
        let write = self.cause_of(at, first_write).and_then(|at| append.writes.get(at));
        match write {
            Some(write) => AppendError::Conflict {
                stream: write.stream.clone(),
                expected: write.expected,
                actual: revision(number(&self.actual, at)),
            },
            None => unexplained(),
        }
    }

    /// Returns which write or event of the append the refusal names.
    fn cause_of(&self, at: usize, start: usize) -> Option<usize> {
        let cause = usize::try_from(*self.cause.get(at)?).ok()?;
        cause.checked_sub(start + 1)
    }
}

/// Returns the first event of an append that is not the one in the log under its id.
fn other_content<'k>(
    append: &Prepared,
    known: &mut impl Iterator<Item = &'k Vec<u8>>,
) -> Option<usize> {
    let known: Vec<_> = known.take(append.events.len()).collect();
    let mut records = append.records().enumerate();
    let other = records.find(|(at, sent)| !known.get(*at).is_some_and(|own| is_repeat(sent, own)));
    other.map(|(at, _)| at)
}

/// Says that an event of an append whose ids were stored before, up to `last`, is another one.
fn reused(append: &Prepared, at: usize, last: Position) -> AppendError {
    let behind = append.events.len().saturating_sub(at + 1) as u64;
    let position = Position::new(last.get().saturating_sub(behind));
    match append.events.get(at) {
        Some(event) => AppendError::IdReused { id: event.id, position },
        None => unexplained(),
    }
}

/// Says what became of an append whose condition was not passed: the function gives the position
/// of a match, -1 when too much came since it was examined, 0 when the program has the refusal.
fn failed(append: &Prepared, place: i64) -> AppendError {
    match (&append.condition, place) {
        (Some(condition), 0) => condition.refusal.clone().unwrap_or_else(unexplained),
        (Some(condition), -1) => condition.outrun(),
        _ => AppendError::ConditionFailed { position: position(place) },
    }
}

fn number(numbers: &[i64], at: usize) -> i64 {
    numbers.get(at).copied().unwrap_or_default()
}

fn unexplained() -> AppendError {
    AppendError::Unknown { cause: "the database gave an answer of another version".into() }
}
