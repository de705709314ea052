//! The index of a segment that has no index file yet: tables in memory.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::event::{EventId, Revision};

const NONE: u32 = u32::MAX;
const VERSION_7: u8 = 7;

/// The range of the time-ordered ids (UUID v7) of a segment, and whether it has others.
///
/// A fresh id lies beyond the range of every older segment, so one comparison rules it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdRange {
    /// The smallest and the greatest id of version 7.
    pub ordered: Option<(EventId, EventId)>,
    /// Whether there is an id of another version.
    pub has_others: bool,
}

impl IdRange {
    /// Widens the range by an id.
    pub fn add(&mut self, id: EventId) {
        if !is_ordered(id) {
            self.has_others = true;
            return;
        }
        let (min, max) = self.ordered.unwrap_or((id, id));
        self.ordered = Some((min.min(id), max.max(id)));
    }

    /// Widens the range by another one.
    pub fn merge(&mut self, other: Self) {
        self.has_others |= other.has_others;
        for id in other.ordered.iter().flat_map(|(min, max)| [*min, *max]) {
            self.add(id);
        }
    }

    /// Returns whether the time-ordered id lies beyond every one of the range.
    pub fn is_before(&self, id: EventId) -> bool {
        self.ordered.is_none_or(|(_, max)| max < id)
    }

    /// Returns whether the id may be in the segment.
    pub fn may_hold(&self, id: EventId) -> bool {
        match is_ordered(id) {
            true => self.ordered.is_some_and(|(min, max)| min <= id && id <= max),
            false => self.has_others,
        }
    }
}

/// Returns whether the id is time-ordered, a UUID of version 7.
pub fn is_ordered(id: EventId) -> bool {
    id.to_bytes().get(6).is_some_and(|byte| byte >> 4 == VERSION_7)
}

/// Finds a segment's records: by their number, by stream, tag and id.
#[derive(Default)]
pub struct MemoryIndex {
    offsets: Vec<u32>,
    firsts: Vec<u32>,
    last: FxHashMap<u64, u32>,
    postings: Vec<Posting>,
    ids: IdRange,
}

#[derive(Clone, Copy)]
struct Posting {
    offset: u32,
    earlier: u32,
}

impl MemoryIndex {
    /// Makes an index with room for about as many records as `like` has.
    pub fn with_room_like(like: &Self) -> Self {
        let mut last = FxHashMap::default();
        last.reserve(like.last.len());
        Self {
            offsets: Vec::with_capacity(like.offsets.len()),
            postings: Vec::with_capacity(like.postings.len()),
            last,
            ..Self::default()
        }
    }

    /// Adds the record that follows the last one.
    pub fn add(&mut self, offset: u32, id: EventId, revision: Revision, keys: &[u64]) {
        if revision == Revision::FIRST {
            self.firsts.push(self.offsets.len() as u32);
        }
        self.offsets.push(offset);
        self.ids.add(id);
        for key in keys {
            let place = self.last.entry(*key).or_insert(NONE);
            let earlier = *place;
            *place = self.postings.len() as u32;
            self.postings.push(Posting { offset, earlier });
        }
    }

    /// Returns where the records of a key lie, inside the bytes of `range`, ascending.
    pub fn list(&self, key: u64, range: Range<u32>) -> Vec<u32> {
        let chain = self.chain(key);
        let inside = chain.take_while(|at| *at >= range.start).filter(|at| *at < range.end);
        let mut offsets: Vec<u32> = inside.collect();
        offsets.reverse();
        offsets
    }

    /// Returns where a key's last record before `below` lies.
    pub fn last(&self, key: u64, below: u32) -> Option<u32> {
        self.chain(key).find(|at| *at < below)
    }

    /// Returns where the records with these numbers in the segment lie.
    pub fn offsets(&self, numbers: Range<u32>) -> &[u32] {
        let end = (numbers.end as usize).min(self.offsets.len());
        self.offsets.get(numbers.start as usize..end).unwrap_or_default()
    }

    /// Returns the numbers of the records that begin a stream.
    pub fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// Returns the range of the ids.
    pub const fn ids(&self) -> IdRange {
        self.ids
    }

    /// Returns the number of records.
    pub const fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Returns every posting as (key, offset), sorted.
    pub fn sorted_postings(&self) -> Vec<(u64, u32)> {
        let mut all = Vec::with_capacity(self.postings.len());
        for key in self.last.keys() {
            all.extend(self.chain(*key).map(|offset| (*key, offset)));
        }
        all.sort_unstable();
        all
    }

    fn chain(&self, key: u64) -> impl Iterator<Item = u32> {
        let mut at = self.last.get(&key).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let posting = self.postings.get(at as usize)?;
            at = posting.earlier;
            Some(posting.offset)
        })
    }
}
