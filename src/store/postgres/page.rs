//! Turns a row of arrays back into events.

use bytes::Bytes;
use tokio_postgres::{Error, Row};

use super::prepared::is_as_stamped;
use super::wire::{SqlTime, position, revision};
use crate::event::{Position, RecordedEvent, seal_record};

/// Memory that a page's events share; a reader that keeps one event keeps no more than this.
const CHUNK: usize = 256 << 10;

/// A page as it came.
pub(super) struct RawPage<'a> {
    /// The head of what was read, the log or the stream.
    pub head: i64,
    /// How many events were found, those that did not fit included.
    pub found: i64,
    /// How far was looked; `None` when as far as there is.
    pub reach: Option<i64>,
    positions: Vec<i64>,
    revisions: Vec<i64>,
    times: Vec<SqlTime>,
    records: &'a [u8],
}

/// Says where stored bytes are not what was stored.
pub(super) struct Damage {
    pub position: Position,
    pub problem: String,
}

impl<'a> RawPage<'a> {
    /// Reads the row of a page.
    pub fn read(row: &'a Row) -> Result<Self, Error> {
        Ok(Self {
            head: row.try_get(0)?,
            found: row.try_get(1)?,
            reach: row.try_get(6)?,
            positions: row.try_get::<_, Option<_>>(2)?.unwrap_or_default(),
            revisions: row.try_get::<_, Option<_>>(3)?.unwrap_or_default(),
            times: row.try_get::<_, Option<_>>(4)?.unwrap_or_default(),
            records: row.try_get::<_, Option<_>>(5)?.unwrap_or_default(),
        })
    }

    /// Reads the row of one event; `found` has no meaning.
    pub fn read_event(row: &'a Row) -> Result<Self, Error> {
        Ok(Self {
            head: row.try_get(0)?,
            found: 1,
            reach: None,
            positions: row.try_get(1)?,
            revisions: row.try_get(2)?,
            times: row.try_get(3)?,
            records: row.try_get(4)?,
        })
    }

    /// Returns whether more was found than the page holds or may hold.
    pub fn is_cut(&self, limit: usize) -> bool {
        let found = usize::try_from(self.found).unwrap_or(usize::MAX);
        found > self.positions.len() || found >= limit
    }

    /// Puts places and times into the records, and checks them.
    pub fn events(&self) -> Result<Vec<RecordedEvent>, Damage> {
        let mut events = Vec::with_capacity(self.positions.len());
        let (mut rest, mut chunk) = (self.records, Vec::new());
        let places = self.positions.iter().zip(&self.revisions).zip(&self.times);
        for ((at, own_revision), SqlTime(time)) in places {
            let place = position(*at);
            let damage = |problem: String| Damage { position: place, problem };
            let len = RecordedEvent::peek_len(rest).map_err(|error| damage(error.to_string()))?;
            let (record, later) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            rest = later;
            if !is_as_stamped(record) {
                return Err(damage("record checksum does not hold".into()));
            }
            if !chunk.is_empty() && chunk.len() + len > CHUNK {
                split(std::mem::take(&mut chunk), &mut events).map_err(damage)?;
            }
            if chunk.is_empty() {
                chunk.reserve(len.max(CHUNK.min(record.len() + rest.len())));
            }
            let start = chunk.len();
            chunk.extend_from_slice(record);
            let record = chunk.get_mut(start..).unwrap_or_default();
            seal_record(record, place, revision(*own_revision), *time);
        }
        let last = position(self.positions.last().copied().unwrap_or_default());
        split(chunk, &mut events).map_err(|problem| Damage { position: last, problem })?;
        Ok(events)
    }
}

fn split(chunk: Vec<u8>, events: &mut Vec<RecordedEvent>) -> Result<(), String> {
    let mut bytes = Bytes::from(chunk);
    while !bytes.is_empty() {
        events.push(RecordedEvent::split_from(&mut bytes).map_err(|error| error.to_string())?);
    }
    Ok(())
}
