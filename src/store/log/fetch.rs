//! Reading records of a segment by their offsets, neighbours in one go.

use bytes::Bytes;

use super::fault::{ReadFault, Wait};
use super::glance::Glance;
use super::segment::Segment;
use crate::event::{RecordError, RecordedEvent};

const GUESS: usize = 1024;
const GAP_MAX: u32 = 2048;
const RUN_MAX: u32 = 64 << 10;

/// Reads the records at ascending offsets.
pub fn fetch(
    segment: &Segment,
    offsets: &[u32],
    wait: Wait,
) -> Result<Vec<RecordedEvent>, ReadFault> {
    let mut events = Vec::with_capacity(offsets.len());
    let mut rest = offsets;
    while let Some((start, _)) = rest.split_first() {
        let near = rest.windows(2).take_while(|pair| is_near(*start, pair)).count();
        let (run, later) = rest.split_at_checked(near + 1).unwrap_or((rest, &[]));
        let last = run.last().copied().unwrap_or(*start);
        let bytes = segment.read(*start, (last - start) as usize + GUESS, wait)?;
        for offset in run {
            let held = bytes.slice(((offset - start) as usize).min(bytes.len())..);
            events.push(parse(segment, *offset, held, wait)?);
        }
        rest = later;
    }
    Ok(events)
}

/// Reads the record at an offset.
pub fn fetch_one(segment: &Segment, offset: u32, wait: Wait) -> Result<RecordedEvent, ReadFault> {
    let bytes = segment.read(offset, GUESS, wait)?;
    parse(segment, offset, bytes, wait)
}

/// Looks at the record at the start of `bytes`, which lies at `offset`.
pub fn glance<'a>(
    segment: &Segment,
    offset: u32,
    bytes: &'a [u8],
) -> Result<Option<Glance<'a>>, ReadFault> {
    match Glance::checked(bytes) {
        Ok(record) => Ok(Some(record)),
        Err(RecordError::Truncated) => Ok(None),
        Err(error) => Err(segment.damaged(offset, error.to_string()).into()),
    }
}

fn is_near(start: u32, pair: &[u32]) -> bool {
    match pair {
        [one, next] => next - one <= GAP_MAX && next - start <= RUN_MAX,
        _ => false,
    }
}

fn parse(
    segment: &Segment,
    offset: u32,
    held: Bytes,
    wait: Wait,
) -> Result<RecordedEvent, ReadFault> {
    match RecordedEvent::parse(&held) {
        Err(RecordError::Truncated) => {
            let len = super::frame::number(&held, 0) as usize;
            let whole = segment.read(offset, len, wait)?;
            RecordedEvent::parse(&whole)
        }
        parsed => parsed,
    }
    .map_err(|error| segment.damaged(offset, error.to_string()).into())
}
