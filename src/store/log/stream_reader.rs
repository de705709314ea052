//! Reads by stream and by id: pages of a stream, one event, the list of streams.

use std::sync::Arc;

use super::fault::{ReadFault, Wait, damaged};
use super::fetch::{fetch, fetch_one};
use super::key::{id_key, stream_key};
use super::reader::Reader;
use super::segment::Segment;
use crate::event::{EventId, Position, RecordedEvent, Revision, StreamId, Tenant};
use crate::store::{
    BeyondEnd, Direction, StoreError, StoreLimits, StreamList, StreamListPage, StreamPage,
    StreamRead,
};

const AT_ONCE: usize = 64;

impl Reader {
    /// Reads a page of a stream.
    pub fn stream_page(&self, read: &StreamRead, wait: Wait) -> Result<StreamPage, ReadFault> {
        let segments = self.catalog.segments();
        for is_exact in [false, true] {
            let found = Places { read, is_exact, wait, runs: Vec::new() };
            if let Some(page) = found.page(&segments, &self.limits)? {
                return Ok(page);
            }
        }
        let path = segments.last().map(|segment| segment.path.clone()).unwrap_or_default();
        let problem = format!("stream {} has a gap in its revisions", read.stream);
        Err(damaged(&path, 0, problem).into())
    }

    /// Returns a stream's last visible revision; 0 when it has no event.
    pub fn revision(
        &self,
        tenant: &Tenant,
        stream: &StreamId,
        wait: Wait,
    ) -> Result<Revision, ReadFault> {
        let read = StreamRead::before(tenant.clone(), stream.clone(), Revision::MAX, 1);
        Ok(self.stream_page(&read, wait)?.revision)
    }

    /// Finds the visible event with an id, whoever owns it.
    pub fn event(
        &self,
        tenant: &Tenant,
        id: EventId,
        wait: Wait,
    ) -> Result<Option<RecordedEvent>, ReadFault> {
        let key = id_key(tenant.as_str().as_bytes(), id);
        for segment in self.catalog.segments().iter().rev() {
            if !segment.ids().may_hold(id) {
                continue;
            }
            for offset in segment.list(key, 0..segment.end(), wait)? {
                let event = fetch_one(segment, offset, wait)?;
                if event.id() == id && event.tenant() == tenant.as_str() {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    /// Reads a page of the list of streams.
    pub fn list(&self, list: &StreamList, wait: Wait) -> Result<StreamListPage, ReadFault> {
        BeyondEnd::check(list.after, self.end()).map_err(StoreError::from)?;
        let limit = list.limit.clamp(1, self.limits.page_events_max.max(1));
        let (mut streams, mut scanned) = (Vec::new(), 0);
        for segment in self.catalog.segments().iter() {
            let from = segment.number_of(list.after.next());
            if from >= segment.count() {
                continue;
            }
            for numbers in segment.firsts(from, wait)?.chunks(AT_ONCE) {
                let mut offsets = Vec::with_capacity(numbers.len());
                for number in numbers {
                    offsets.append(&mut segment.offsets(*number..*number + 1, wait)?);
                }
                for event in fetch(segment, &offsets, wait)? {
                    let last: Option<Position> = streams.last().map(|(_, position)| *position);
                    if streams.len() == limit {
                        return Ok(StreamListPage { streams, next: last });
                    }
                    scanned += 1;
                    if is_listed(list, &event)
                        && let Ok(stream) = event.stream()
                    {
                        streams.push((stream, event.position()));
                    } else if scanned >= self.limits.page_scan_max {
                        return Ok(StreamListPage { streams, next: Some(event.position()) });
                    }
                }
            }
        }
        Ok(StreamListPage { streams, next: None })
    }
}

fn is_listed(list: &StreamList, event: &RecordedEvent) -> bool {
    event.tenant() == list.tenant.as_str()
        && list.category.as_ref().is_none_or(|category| category.as_str() == event.category())
}

/// Where a stream's events lie: runs of offsets, newest segment first.
///
/// Two streams may share a key. A long run is first taken to be of one stream, and every
/// event that is read is checked; if one does not fit, everything is settled by reading.
struct Places<'a> {
    read: &'a StreamRead,
    is_exact: bool,
    wait: Wait,
    runs: Vec<Run>,
}

struct Run {
    segment: Arc<Segment>,
    offsets: Vec<u32>,
    // The events themselves if the run is short, else nothing.
    held: Vec<RecordedEvent>,
    high: u64,
}

impl Places<'_> {
    /// Reads the page; `None` when the runs are not of one stream.
    fn page(
        mut self,
        segments: &[Arc<Segment>],
        limits: &StoreLimits,
    ) -> Result<Option<StreamPage>, ReadFault> {
        let key = key_of(&self.read.tenant, &self.read.stream);
        for segment in segments.iter().rev() {
            let offsets = segment.list(key, 0..segment.end(), self.wait)?;
            if offsets.is_empty() {
                continue;
            }
            if !self.add(segment, offsets)? {
                return Ok(None);
            }
            if self.is_enough() {
                break;
            }
        }
        self.fill(limits)
    }

    /// Adds a segment's run; returns whether it seems to be of one stream.
    fn add(&mut self, segment: &Arc<Segment>, mut offsets: Vec<u32>) -> Result<bool, ReadFault> {
        let is_short = offsets.len() <= AT_ONCE;
        let (segment, mut held) = (segment.clone(), Vec::new());
        if is_short || self.is_exact {
            held = fetch(&segment, &offsets, self.wait)?;
            let mut own = held.iter().map(|event| is_of(self.read, event));
            offsets.retain(|_| own.next().unwrap_or_default());
            held.retain(|event| is_of(self.read, event));
        }
        let last = match (held.last(), offsets.last()) {
            (Some(last), _) => last.clone(),
            (None, Some(last)) => fetch_one(&segment, *last, self.wait)?,
            (None, None) => return Ok(true),
        };
        let high = last.revision().get();
        self.runs.push(Run { segment, offsets, held, high });
        Ok(is_of(self.read, &last))
    }

    fn is_enough(&self) -> bool {
        let lowest = self.runs.last().map_or(0, Run::low);
        match self.read.direction {
            Direction::Forward => lowest <= self.read.from.next().get(),
            Direction::Backward => {
                let high = self.read.from.previous().min(self.last()).get();
                lowest <= 1 || lowest.saturating_add(self.read.limit as u64) <= high
            }
        }
    }

    fn last(&self) -> Revision {
        Revision::new(self.runs.first().map_or(0, |run| run.high))
    }

    fn fill(&self, limits: &StoreLimits) -> Result<Option<StreamPage>, ReadFault> {
        let limit = self.read.limit.clamp(1, limits.page_events_max.max(1));
        let (revision, read) = (self.last(), self.read);
        let mut page = StreamPage { events: Vec::new(), revision, next: None };
        let mut bytes = 0;
        let mut wanted = match read.direction {
            Direction::Forward => read.from.next(),
            Direction::Backward => read.from.previous().min(revision),
        };
        let last = match read.direction {
            Direction::Forward => revision,
            Direction::Backward => Revision::FIRST,
        };
        while Revision::ZERO < wanted && wanted <= revision && page.events.len() < limit {
            let Some(some) = self.events_at(wanted.get(), limit - page.events.len())? else {
                return Ok(None);
            };
            for event in some {
                if !is_of(read, &event) || event.revision() != wanted {
                    return Ok(None);
                }
                bytes += event.as_bytes().len();
                if bytes > limits.page_bytes_max && !page.events.is_empty() {
                    page.next = page.events.last().map(RecordedEvent::revision);
                    return Ok(Some(page));
                }
                page.events.push(event);
                wanted = match read.direction {
                    Direction::Forward => wanted.next(),
                    Direction::Backward => wanted.previous(),
                };
            }
        }
        let reached = page.events.last().map(RecordedEvent::revision);
        page.next = reached.filter(|reached| *reached != last);
        Ok(Some(page))
    }

    /// Reads some events from a revision on, in the read's direction; `None` without any.
    fn events_at(&self, wanted: u64, room: usize) -> Result<Option<Vec<RecordedEvent>>, ReadFault> {
        let run = self.runs.iter().find(|run| run.low() <= wanted && wanted <= run.high);
        let Some(run) = run else { return Ok(None) };
        let (at, room) = ((wanted - run.low()) as usize, room.min(AT_ONCE * 4));
        let range = match self.read.direction {
            Direction::Forward => at..(at + room).min(run.offsets.len()),
            Direction::Backward => (at + 1).saturating_sub(room)..at + 1,
        };
        let mut events = match run.held.get(range.clone()) {
            Some(held) => held.to_vec(),
            None => fetch(&run.segment, run.offsets.get(range).unwrap_or_default(), self.wait)?,
        };
        if self.read.direction == Direction::Backward {
            events.reverse();
        }
        Ok((!events.is_empty()).then_some(events))
    }
}

impl Run {
    fn low(&self) -> u64 {
        (self.high + 1).saturating_sub(self.offsets.len() as u64)
    }
}

fn key_of(tenant: &Tenant, stream: &StreamId) -> u64 {
    let (category, id) = (stream.category().as_str().as_bytes(), stream.id().as_bytes());
    stream_key(tenant.as_str().as_bytes(), category, id)
}

fn is_of(read: &StreamRead, event: &RecordedEvent) -> bool {
    event.stream_id() == read.stream.id()
        && event.category() == read.stream.category().as_str()
        && event.tenant() == read.tenant.as_str()
}
