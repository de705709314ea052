//! What receivers and consumers have taken, kept outside of the servers that send.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::Value;

/// Keeps what was taken, in the order of taking; clones are the same ledger.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Shared>);

#[derive(Default)]
struct Shared {
    book: Mutex<Book>,
    /// Told with each event.
    came: Condvar,
}

#[derive(Default)]
struct Book {
    taken: Vec<Taken>,
    ids: HashSet<String>,
}

/// How long nothing may come while something is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(60);

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
        let mut book = self.0.book.lock().unwrap();
        book.ids.insert(taken.id.clone());
        book.taken.push(taken);
        self.0.came.notify_all();
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.0.book.lock().unwrap().taken.clone()
    }

    /// Returns how many different events were taken.
    pub fn distinct(&self) -> usize {
        self.0.book.lock().unwrap().ids.len()
    }

    /// Waits until so many different events were taken, as long as some come.
    pub fn wait_for(&self, events: usize) {
        let mut book = self.0.book.lock().unwrap();
        while book.ids.len() < events {
            let (next, waited) = self.0.came.wait_timeout(book, SILENCE_MAX).unwrap();
            let count = next.ids.len();
            assert!(!waited.timed_out(), "{count} of {events} events, then silence");
            book = next;
        }
        assert_eq!(book.ids.len(), events, "more events than there are");
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
