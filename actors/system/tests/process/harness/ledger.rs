//! What receivers and consumers have taken, kept outside of the servers that send.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Keeps what was taken, in the order of taking; clones are the same ledger.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<Taken>>>);

/// An event that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub id: String,
    pub stream: String,
    pub revision: u64,
}

impl Ledger {
    /// Adds an event, given as CloudEvents has it.
    pub fn add(&self, event: &Value) {
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        let revision = text("sequence").parse().unwrap();
        let taken = Taken { id: text("id"), stream: text("subject"), revision };
        self.0.lock().unwrap().push(taken);
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.0.lock().unwrap().clone()
    }

    /// Returns how many different events were taken.
    pub fn distinct(&self) -> usize {
        let taken = self.0.lock().unwrap();
        taken.iter().map(|own| own.id.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// Checks that no event of a stream was taken before all those before it, and that an event
    /// has the same id each time; returns how many came more than once.
    pub fn assert_in_order(&self) -> usize {
        let (mut last, mut ids) = (BTreeMap::<String, u64>::new(), BTreeMap::new());
        let taken = self.taken();
        for own in &taken {
            let last = last.entry(own.stream.clone()).or_default();
            assert!(own.revision <= *last + 1, "{own:?} comes behind revision {last}");
            *last = own.revision.max(*last);
            let id = ids.entry((own.stream.clone(), own.revision)).or_insert(own.id.clone());
            assert_eq!(*id, own.id);
        }
        taken.len() - ids.len()
    }
}
