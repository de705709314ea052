//! The last deliveries that were acknowledged, so that an acknowledgement whose reply was lost
//! can be sent again.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

/// How many are remembered.
const KEPT: usize = 4_096;

/// Remembers the last numbers that were added.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: FxHashSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    pub fn add(&mut self, number: u64) {
        if !self.known.insert(number) {
            return;
        }
        self.order.push_back(number);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub fn has(&self, number: u64) -> bool {
        self.known.contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_numbers_are_known_and_no_more_than_the_bound() {
        let mut recent = Recent::default();
        (0..=KEPT as u64).for_each(|number| recent.add(number));
        recent.add(5);
        assert!(!recent.has(0) && recent.has(1) && recent.has(KEPT as u64));
        assert_eq!((recent.known.len(), recent.order.len()), (KEPT, KEPT));
    }
}
