//! The event ids of a short stream, to answer "was this command done?" without the store.

use rustc_hash::FxHashSet;

use crate::event::EventId;

/// Knows all the ids of a stream, or that it does not know them all.
#[derive(Debug)]
pub(super) struct KnownIds {
    /// `None` when there are more than the bound, or not all were seen.
    all: Option<FxHashSet<EventId>>,
    max: usize,
}

impl KnownIds {
    /// Starts at a stream's beginning.
    pub fn complete(max: usize) -> Self {
        Self { all: Some(FxHashSet::default()), max }
    }

    /// Starts behind a snapshot: what came before it was not seen.
    pub const fn partial() -> Self {
        Self { all: None, max: 0 }
    }

    pub fn insert(&mut self, id: EventId) {
        if let Some(all) = &mut self.all {
            all.insert(id);
        }
        if self.all.as_ref().is_some_and(|all| all.len() > self.max) {
            self.all = None;
        }
    }

    /// Returns whether the id is certainly not in the stream.
    pub fn rules_out(&self, id: EventId) -> bool {
        self.all.as_ref().is_some_and(|all| !all.contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_its_bound_it_rules_nothing_out() {
        let mut ids = KnownIds::complete(2);
        let [a, b, c, d] = std::array::from_fn(|_| EventId::fresh());
        ids.insert(a);
        ids.insert(b);
        assert!(!ids.rules_out(a) && ids.rules_out(d));
        ids.insert(c);
        assert!(!ids.rules_out(d));
    }
}
