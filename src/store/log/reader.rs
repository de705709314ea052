//! Reads pages of the log, with or without a filter.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::catalog::Catalog;
use super::fault::{ReadFault, Wait};
use super::fetch::{fetch, glance};
use super::frame::{FRAME_HEADER_LEN, is_frame_start, number};
use super::key::tag_key;
use super::kinds::{BLOCK, Kinds};
use super::page::PageBuilder;
use super::segment::Segment;
use crate::event::{Position, RecordError, RecordedEvent};
use crate::store::{BeyondEnd, Direction, LogPage, LogRead, StoreError, StoreLimits};

const CHUNK_MAX: usize = 256 << 10;
const CHUNK_MIN: usize = 4 << 10;
const EVENT_GUESS: usize = 512;
const BACKWARD_MAX: u64 = 512;

/// Reads what is visible of a log.
pub struct Reader {
    pub(super) catalog: Arc<Catalog>,
    pub(super) limits: StoreLimits,
    kinds: Kinds,
}

impl Reader {
    /// Makes a reader of a catalog.
    pub fn new(catalog: Arc<Catalog>, limits: StoreLimits) -> Self {
        Self { catalog, limits, kinds: Kinds::default() }
    }

    /// Checks whether a read may be done.
    pub fn check(&self, read: &LogRead) -> Result<(), StoreError> {
        self.limits.check_query(&read.query).map_err(StoreError::Query)?;
        match read.direction {
            Direction::Forward => Ok(BeyondEnd::check(read.from, self.end())?),
            Direction::Backward => Ok(()),
        }
    }

    /// Reads a page of the log.
    pub fn log_page(&self, read: &LogRead, wait: Wait) -> Result<LogPage, ReadFault> {
        self.check(read)?;
        let mut page = PageBuilder::new(read, &self.limits);
        let is_end = self.advance(read, &mut page, wait)?;
        Ok(page.finish(is_end))
    }

    /// Goes on with a page until it is full or rests; returns whether it reached the end.
    pub fn advance(
        &self,
        read: &LogRead,
        page: &mut PageBuilder,
        wait: Wait,
    ) -> Result<bool, ReadFault> {
        let segments = self.catalog.segments();
        let end = segments.last().map_or(0, |segment| segment.last_position());
        let keys = tag_keys(read);
        let is_scan = keys.is_none() && (read.tenant.is_some() || !read.query.is_all());
        if is_scan && page.wanted.is_none() {
            page.wanted = Some(self.kinds.wanted(read));
        }
        match read.direction {
            Direction::Forward => {
                let mut at = Catalog::holding(&segments, read.from.next().get());
                while let Some(segment) = segments.get(at).filter(|_| !page.is_full()) {
                    match &keys {
                        Some(keys) => tagged_forward(segment, read, keys, page, wait)?,
                        None => scan_forward(segment, (read, &self.kinds), page, wait)?,
                    }
                    at += 1;
                }
                Ok(page.next().get() >= end)
            }
            Direction::Backward => {
                page.skip_to(Position::new(read.from.get().min(end + 1)));
                let at = Catalog::holding(&segments, page.next().previous().get());
                for segment in segments.iter().take(at + 1).rev() {
                    match &keys {
                        Some(keys) => tagged_backward(segment, read, keys, page, wait)?,
                        None => scan_backward(segment, read, page, wait)?,
                    }
                }
                Ok(page.next() <= Position::FIRST)
            }
        }
    }

    /// Returns the position of the last visible event.
    pub fn end(&self) -> Position {
        Position::new(self.catalog.segments().last().map_or(0, |segment| segment.last_position()))
    }
}

/// Returns a tag's key for each item of the query, if every item has one.
fn tag_keys(read: &LogRead) -> Option<Vec<u64>> {
    let tenant = read.tenant.as_ref()?.as_str().as_bytes();
    let key = |tag: &crate::event::Tag| tag_key(tenant, tag.as_str().as_bytes());
    let keys = read.query.items.iter().map(|item| item.tags.first().map(key));
    keys.collect::<Option<Vec<u64>>>().filter(|keys| !keys.is_empty())
}

fn scan_forward(
    segment: &Segment,
    (read, kinds): (&LogRead, &Kinds),
    page: &mut PageBuilder,
    wait: Wait,
) -> Result<(), ReadFault> {
    skip_forward(segment, page);
    let Some(first) = next_offset(segment, page, wait)? else { return Ok(()) };
    let is_all = read.tenant.is_none() && read.query.is_all();
    let mut offset = first;
    // The length of a record that a chunk cut: read at least as much as it says it has.
    let mut cut = 0;
    while offset < segment.end() && !page.is_full() {
        let guess = match is_all {
            true => (page.room() * EVENT_GUESS).min(page.bytes_left()).clamp(CHUNK_MIN, CHUNK_MAX),
            false => CHUNK_MAX,
        };
        let chunk = segment.read(offset, guess.max(cut), wait)?;
        cut = match is_all {
            true => take_all(segment, &mut offset, chunk, page)?,
            false => take_matching((segment, kinds), &mut offset, &chunk, read, page)?,
        };
        if skip_forward(segment, page) {
            let Some(beyond) = next_offset(segment, page, wait)? else { return Ok(()) };
            (offset, cut) = (beyond, 0);
        }
    }
    Ok(())
}

/// Returns where the record lies that the page looks at next, if it is in the segment.
fn next_offset(
    segment: &Segment,
    page: &PageBuilder,
    wait: Wait,
) -> Result<Option<u32>, ReadFault> {
    let next = segment.number_of(page.next().next());
    Ok(segment.offsets(next..next + 1, wait)?.first().copied())
}

/// Passes over full blocks that hold nothing wanted; returns whether there was one.
fn skip_forward(segment: &Segment, page: &mut PageBuilder) -> bool {
    let Some(wanted) = page.wanted.as_ref().filter(|_| !page.is_full()) else { return false };
    let (from, count) = (segment.number_of(page.next().next()), segment.count());
    let mut number = from;
    while number < count
        && let Some(end) = segment.block_end(number / BLOCK)
        && segment.blocks.is_ruled_out(number / BLOCK, wanted)
    {
        number = end;
    }
    if number > from {
        page.skip_to(Position::new(segment.base + u64::from(number) - 1));
    }
    number > from
}

/// Returns whether a block begins with a record, and holds nothing wanted.
fn is_at_ruled_out(segment: &Segment, page: &PageBuilder, number: u32) -> bool {
    number.is_multiple_of(BLOCK)
        && page.wanted.as_ref().is_some_and(|own| segment.blocks.is_ruled_out(number / BLOCK, own))
}

/// Passes over such blocks from new to old.
fn skip_backward(segment: &Segment, page: &mut PageBuilder) -> bool {
    let Some(wanted) = page.wanted.as_ref().filter(|_| !page.is_full()) else { return false };
    let from = segment.number_of(page.next());
    let mut number = from;
    while number > 0
        && segment.block_end((number - 1) / BLOCK).is_some()
        && segment.blocks.is_ruled_out((number - 1) / BLOCK, wanted)
    {
        number = (number - 1) / BLOCK * BLOCK;
    }
    if number < from {
        page.skip_to(Position::new(segment.base + u64::from(number)));
    }
    number < from
}

/// Takes every record of a chunk; returns the length of the one that was cut, or 0.
fn take_all(
    segment: &Segment,
    offset: &mut u32,
    mut chunk: Bytes,
    page: &mut PageBuilder,
) -> Result<usize, ReadFault> {
    while !chunk.is_empty() && !page.is_full() {
        if is_frame_start(&chunk) {
            skip_frame(offset, &mut chunk);
            continue;
        }
        let before = chunk.len();
        match RecordedEvent::split_from(&mut chunk) {
            Ok(event) => {
                check_place(segment, *offset, event.position(), page.next().next())?;
                page.take(event);
                *offset += (before - chunk.len()) as u32;
            }
            Err(RecordError::Truncated) => return cut_len(segment, *offset, &chunk),
            Err(error) => return Err(segment.damaged(*offset, error.to_string()).into()),
        }
    }
    Ok(0)
}

/// Takes the records of a chunk that match; returns the length of the one that was cut, or 0.
fn take_matching(
    (segment, kinds): (&Segment, &Kinds),
    offset: &mut u32,
    chunk: &Bytes,
    read: &LogRead,
    page: &mut PageBuilder,
) -> Result<usize, ReadFault> {
    let mut at = 0;
    while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty() && !page.is_full()) {
        if is_frame_start(rest) {
            let len = FRAME_HEADER_LEN.min(rest.len());
            at += len;
            *offset += FRAME_HEADER_LEN as u32;
            continue;
        }
        let Some(record) = glance(segment, *offset, rest)? else {
            return cut_len(segment, *offset, rest);
        };
        check_place(segment, *offset, record.position(), page.next().next())?;
        let number = segment.number_of(record.position());
        page.gathering.take(&record, (segment, number), kinds);
        let is_of = |tenant: &crate::event::Tenant| tenant.as_str().as_bytes() == record.tenant();
        if read.tenant.as_ref().is_none_or(is_of) && record.matches(&read.query) {
            let event = RecordedEvent::parse(&chunk.slice(at..));
            page.take(event.map_err(|error| segment.damaged(*offset, error.to_string()))?);
        } else {
            page.pass(record.position());
        }
        at += record.len();
        *offset += record.len() as u32;
        if is_at_ruled_out(segment, page, number + 1) {
            break;
        }
    }
    Ok(0)
}

fn skip_frame(offset: &mut u32, chunk: &mut Bytes) {
    chunk.advance(FRAME_HEADER_LEN.min(chunk.len()));
    *offset += FRAME_HEADER_LEN as u32;
}

/// Returns the length of a record that the chunk cuts; damage if the segment itself does.
fn cut_len(segment: &Segment, offset: u32, rest: &[u8]) -> Result<usize, ReadFault> {
    let left = segment.end().saturating_sub(offset) as usize;
    let len = if rest.len() < 4 { 4 } else { number(rest, 0) as usize };
    match len.max(rest.len()) > left || rest.len() == left {
        true => Err(segment.damaged(offset, "record is cut short").into()),
        false => Ok(len),
    }
}

fn check_place(
    segment: &Segment,
    offset: u32,
    found: Position,
    expected: Position,
) -> Result<(), ReadFault> {
    if found == expected {
        return Ok(());
    }
    let problem = format!("record has position {found}, expected {expected}");
    Err(segment.damaged(offset, problem).into())
}

fn scan_backward(
    segment: &Segment,
    read: &LogRead,
    page: &mut PageBuilder,
    wait: Wait,
) -> Result<(), ReadFault> {
    while !page.is_full() && page.next().get() > segment.base {
        if skip_backward(segment, page) {
            continue;
        }
        let high = page.next().get() - segment.base;
        let wanted = (page.room().min(page.scans_left()) as u64).min(BACKWARD_MAX);
        let low = high.saturating_sub(wanted.max(1));
        let offsets = segment.offsets(low as u32..high as u32, wait)?;
        let near = offsets.iter().rev().scan(0, |count, offset| {
            *count += 1;
            let last = offsets.last().copied().unwrap_or(*offset);
            (*count == 1 || (last - offset) as usize <= CHUNK_MAX).then_some(*offset)
        });
        let near: Vec<u32> = near.collect::<Vec<_>>().into_iter().rev().collect();
        if near.is_empty() {
            return Ok(());
        }
        for event in fetch(segment, &near, wait)?.into_iter().rev() {
            if !page.is_full() {
                take_or_pass(read, page, event);
            }
        }
    }
    Ok(())
}

fn tagged_forward(
    segment: &Segment,
    read: &LogRead,
    keys: &[u64],
    page: &mut PageBuilder,
    wait: Wait,
) -> Result<(), ReadFault> {
    let last = segment.last_position();
    let first = segment.number_of(page.next().next());
    let from = segment.offsets(first..first + 1, wait)?.first().copied();
    let found = match from {
        Some(from) => union(segment, keys, from..segment.end(), wait)?,
        None => Vec::new(),
    };
    for some in found.chunks(64) {
        for event in fetch(segment, some, wait)? {
            take_or_pass(read, page, event);
        }
        if page.is_full() {
            return Ok(());
        }
    }
    page.skip_to(Position::new(last).max(page.next()));
    Ok(())
}

fn tagged_backward(
    segment: &Segment,
    read: &LogRead,
    keys: &[u64],
    page: &mut PageBuilder,
    wait: Wait,
) -> Result<(), ReadFault> {
    if page.is_full() || page.next().get() <= segment.base {
        return Ok(());
    }
    let high = (page.next().get() - segment.base) as u32;
    let until = segment.offsets(high..high + 1, wait)?.first().copied();
    let until = until.filter(|_| high < segment.count()).unwrap_or_else(|| segment.end());
    let found = union(segment, keys, 0..until, wait)?;
    for some in found.rchunks(64) {
        for event in fetch(segment, some, wait)?.into_iter().rev() {
            take_or_pass(read, page, event);
        }
        if page.is_full() {
            return Ok(());
        }
    }
    page.skip_to(Position::new(segment.base));
    Ok(())
}

fn take_or_pass(read: &LogRead, page: &mut PageBuilder, event: RecordedEvent) {
    match read.matches(&event) {
        true => page.take(event),
        false => page.pass(event.position()),
    }
}

fn union(
    segment: &Segment,
    keys: &[u64],
    range: std::ops::Range<u32>,
    wait: Wait,
) -> Result<Vec<u32>, ReadFault> {
    let mut found = Vec::new();
    for key in keys {
        found.append(&mut segment.list(*key, range.clone(), wait)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
