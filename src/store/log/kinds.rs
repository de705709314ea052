//! What kinds of events a run of records holds, so that filtered reads pass it over.
//!
//! A kind is a tenant, a category and a type. The first filtered read of a full block of records
//! notes the block's kinds; it never changes again, so every later read knows whether it can hold
//! a match. This is a cache in memory: nothing of it is on disk.

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::glance::Glance;
use super::segment::Segment;
use crate::store::{LogRead, QueryItem};

/// Records of a block.
pub const BLOCK: u32 = 1_024;

/// A block of more kinds is not noted: it would be looked at by most reads anyway.
const OF_BLOCK_MAX: usize = 64;

/// Kinds beyond these are not noted; what has them is always looked at.
const KNOWN_MAX: usize = 65_536;

/// Every kind that was met, by number.
#[derive(Default)]
pub struct Kinds(RwLock<Known>);

#[derive(Default)]
struct Known {
    numbers: FxHashMap<Kind, u32>,
    names: Vec<Kind>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    tenant: Box<[u8]>,
    category: Box<[u8]>,
    event_type: Box<[u8]>,
}

/// The kinds that a read asks for, among those known when it began.
#[derive(Default)]
pub struct Wanted(Vec<bool>);

/// The kinds of a segment's full blocks, as far as they were noted.
#[derive(Default)]
pub struct Blocks(RwLock<FxHashMap<u32, Box<[u32]>>>);

/// The kinds of the block that is being read, if it is read from its beginning.
#[derive(Default)]
pub struct Gathering {
    /// The record that comes next, as the segment's base and its number there; `None` when the
    /// block is not read as a whole.
    next: Option<(u64, u32)>,
    numbers: Vec<u32>,
    last: Option<(Kind, u32)>,
}

impl Kinds {
    /// Returns which kinds a read asks for.
    pub fn wanted(&self, read: &LogRead) -> Wanted {
        let known = self.0.read();
        Wanted(known.names.iter().map(|kind| kind.is_of(read)).collect())
    }

    fn number(&self, kind: &Kind) -> Option<u32> {
        if let Some(number) = self.0.read().numbers.get(kind) {
            return Some(*number);
        }
        let mut known = self.0.write();
        let next =
            u32::try_from(known.names.len()).ok().filter(|_| known.names.len() < KNOWN_MAX)?;
        // Another may have come first.
        let number = *known.numbers.entry(kind.clone()).or_insert(next);
        if number == next {
            known.names.push(kind.clone());
        }
        Some(number)
    }
}

impl Wanted {
    fn may_have(&self, number: u32) -> bool {
        self.0.get(number as usize).copied().unwrap_or(true)
    }
}

impl Blocks {
    /// Returns whether a block is known to hold nothing that is wanted.
    pub fn is_ruled_out(&self, block: u32, wanted: &Wanted) -> bool {
        let blocks = self.0.read();
        blocks.get(&block).is_some_and(|own| !own.iter().any(|number| wanted.may_have(*number)))
    }

    fn is_known(&self, block: u32) -> bool {
        self.0.read().contains_key(&block)
    }

    fn put(&self, block: u32, numbers: &[u32]) {
        self.0.write().insert(block, numbers.into());
    }
}

impl Gathering {
    /// Takes note of a record: the `number`th of the segment.
    pub fn take(&mut self, record: &Glance<'_>, (segment, number): (&Segment, u32), kinds: &Kinds) {
        let (base, block) = (segment.base, number / BLOCK);
        if number.is_multiple_of(BLOCK) && !segment.blocks.is_known(block) {
            self.next = Some((base, number));
            self.numbers.clear();
        }
        if self.next != Some((base, number)) {
            self.next = None;
            return;
        }
        self.next = match self.number(record, kinds) {
            Some(own) if self.numbers.contains(&own) => Some((base, number + 1)),
            Some(own) if self.numbers.len() < OF_BLOCK_MAX => {
                self.numbers.push(own);
                Some((base, number + 1))
            }
            _ => None,
        };
        if self.next.is_some() && segment.block_end(block) == Some(number + 1) {
            segment.blocks.put(block, &self.numbers);
            self.next = None;
        }
    }

    fn number(&mut self, record: &Glance<'_>, kinds: &Kinds) -> Option<u32> {
        // Neighbours are often alike.
        if let Some((kind, number)) = &self.last
            && *kind.tenant == *record.tenant()
            && *kind.category == *record.category()
            && *kind.event_type == *record.event_type()
        {
            return Some(*number);
        }
        let kind = Kind {
            tenant: record.tenant().into(),
            category: record.category().into(),
            event_type: record.event_type().into(),
        };
        let number = kinds.number(&kind)?;
        self.last = Some((kind, number));
        Some(number)
    }
}

impl Kind {
    fn is_of(&self, read: &LogRead) -> bool {
        let is_own = |tenant: &crate::event::Tenant| *tenant.as_str().as_bytes() == *self.tenant;
        let items = &read.query.items;
        read.tenant.as_ref().is_none_or(is_own)
            && (items.is_empty() || items.iter().any(|item| self.fits(item)))
    }

    /// Tags are not of a kind: they are compared when the event is looked at.
    fn fits(&self, item: &QueryItem) -> bool {
        let is_type = |own: &crate::event::EventType| *own.as_str().as_bytes() == *self.event_type;
        let is_category = |own: &crate::event::Category| *own.as_str().as_bytes() == *self.category;
        (item.categories.is_empty() || item.categories.iter().any(is_category))
            && (item.types.is_empty() || item.types.iter().any(is_type))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{EventQuery, EventType, NewEvent, Position, StreamId, Tenant};
    use crate::store::log::{LogConfig, LogCore};
    use crate::store::{Append, Expected};
    use crate::test::disk::FaultyDisk;

    const EVENTS: usize = 6_000;

    /// A log of many segments with one rare event, at position 3,500.
    fn log() -> LogCore {
        let config = LogConfig::new("/log").with_segment_bytes(300_000);
        let core = LogCore::open(Arc::new(FaultyDisk::new(1)), config).unwrap();
        for round in 0..EVENTS / 500 {
            let event = |number: usize| {
                let is_rare = round * 500 + number == 3_499;
                NewEvent::json(if is_rare { "Rare" } else { "Noted" }, 1, "{}").unwrap()
            };
            let stream = StreamId::new("note", "1").unwrap();
            let events = (0..500).map(event).collect();
            let tenant = Tenant::default_tenant();
            let append = Append::to_stream(tenant, stream, Expected::Any, events);
            assert!(core.append_group(vec![append]).iter().all(Result::is_ok));
        }
        core
    }

    fn query(event_type: &str) -> EventQuery {
        let types = vec![EventType::new(event_type).unwrap()];
        EventQuery { items: vec![QueryItem { types, ..QueryItem::default() }] }
    }

    #[test]
    fn what_was_looked_at_once_is_passed_over_by_later_reads() {
        let core = log();
        for (event_type, positions) in [("Rare", vec![3_500]), ("None", vec![])] {
            let forward = LogRead::after(Position::ZERO, 10).matching(query(event_type));
            let backward = LogRead::before(Position::MAX, 10).matching(query(event_type));
            for read in [&forward, &forward, &backward] {
                let page = core.read_log(read).unwrap();
                let found: Vec<_> = page.events.iter().map(|own| own.position().get()).collect();
                assert_eq!((found, page.is_end), (positions.clone(), true));
            }
            let page = core.read_log(&forward).unwrap();
            assert!(page.looked_at < EVENTS / 2, "looked at {}", page.looked_at);
        }
    }

    #[test]
    fn what_comes_later_is_found_although_its_kind_was_not_known() {
        let core = log();
        let read = LogRead::after(Position::ZERO, 10).matching(query("Late"));
        assert!(core.read_log(&read).unwrap().events.is_empty());
        let event = NewEvent::json("Late", 1, "{}").unwrap();
        let stream = StreamId::new("note", "2").unwrap();
        let tenant = Tenant::default_tenant();
        let append = Append::to_stream(tenant, stream, Expected::Any, vec![event]);
        assert!(core.append_group(vec![append]).iter().all(Result::is_ok));
        for _ in 0..2 {
            assert_eq!(core.read_log(&read).unwrap().events.len(), 1);
        }
    }
}
