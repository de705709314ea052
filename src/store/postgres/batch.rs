//! Which of the waiting appends travel together.

use std::collections::{HashSet, VecDeque};

use super::config::PostgresStoreConfig;
use super::prepared::Prepared;
use crate::event::{EventId, Tenant};

/// The most events of a batch of several appends.
const EVENTS_MAX: usize = 4_096;

/// The most events of the same batch that one append's condition may have to wait for.
const RIVALS_MAX: usize = 64;

/// How many times an event may be held against a part of a condition while a batch is put
/// together.
const COMPARISONS_MAX: usize = 200_000;

/// The most items of the conditions of a batch: each is looked at under the order.
const ITEMS_MAX: usize = 256;

/// Appends that are sent in one statement, checked there in this order.
#[derive(Default)]
pub(super) struct Batch {
    pub appends: Vec<Prepared>,
    /// For each append the events of earlier ones, by their number in the batch from 1, that
    /// its condition looks for: it fails if one of them is stored.
    pub rivals: Vec<Vec<i32>>,
    pub events: usize,
    bytes: usize,
    comparisons: usize,
    ids: HashSet<(Tenant, EventId)>,
    items: usize,
}

impl Batch {
    /// Takes appends from the front of the queue, as many as fit and at least one.
    ///
    /// An append that repeats an id of its tenant in the batch stays for the next one, which finds it stored.
    pub fn take(waiting: &mut VecDeque<Prepared>, config: &PostgresStoreConfig) -> Self {
        let mut batch = Self::default();
        let mut repeats = Vec::new();
        while batch.appends.len() < config.batch_appends_max {
            let Some(append) = waiting.pop_front() else { break };
            if append.ids().any(|id| batch.ids.contains(&id)) {
                repeats.push(append);
                continue;
            }
            match batch.has_room_for(&append, config).then(|| batch.rivals_of(&append)).flatten() {
                Some(rivals) => batch.push(append, rivals),
                None => {
                    waiting.push_front(append);
                    break;
                }
            }
        }
        repeats.into_iter().rev().for_each(|append| waiting.push_front(append));
        batch
    }

    fn has_room_for(&self, append: &Prepared, config: &PostgresStoreConfig) -> bool {
        let events = self.events + append.events.len();
        let bytes = self.bytes + append.bytes.len();
        self.appends.is_empty() || (events <= EVENTS_MAX && bytes <= config.batch_bytes_max)
    }

    /// Returns the events that the append's condition looks for; `None` when there are too many.
    fn rivals_of(&mut self, append: &Prepared) -> Option<Vec<i32>> {
        let Some(condition) = &append.condition else { return Some(Vec::new()) };
        let items = condition.query.items.len().max(1);
        self.comparisons += self.events * items;
        self.items += items;
        if self.items > ITEMS_MAX && !self.appends.is_empty() {
            return None;
        }
        let (mut rivals, mut number) = (Vec::new(), 0);
        for earlier in &self.appends {
            for pair in earlier.events() {
                number += 1;
                if earlier.tenant == append.tenant && earlier.is_sought(condition, pair) {
                    rivals.push(number);
                }
            }
        }
        let is_bounded = rivals.len() <= RIVALS_MAX && self.comparisons <= COMPARISONS_MAX;
        is_bounded.then_some(rivals)
    }

    fn push(&mut self, append: Prepared, rivals: Vec<i32>) {
        self.events += append.events.len();
        self.bytes += append.bytes.len();
        self.ids.extend(append.ids());
        self.appends.push(append);
        self.rivals.push(rivals);
    }
}
