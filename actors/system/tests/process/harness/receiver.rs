//! A receiver of webhooks that keeps a ledger, and outlives the servers that send.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long nothing may come while something is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Takes every webhook.
pub struct Receiver {
    pub url: String,
    ledger: Arc<Ledger>,
}

/// What was taken, in order.
#[derive(Default)]
struct Ledger {
    book: Mutex<Book>,
    /// Told with each webhook.
    came: Condvar,
}

#[derive(Default)]
struct Book {
    taken: Vec<Taken>,
    ids: HashSet<String>,
}

/// A webhook that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub id: String,
    pub stream: String,
    pub revision: u64,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let ledger = Arc::<Ledger>::default();
        let own = Arc::clone(&ledger);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, ledger) = (stream.unwrap(), Arc::clone(&own));
                // A sender that is killed breaks its connections off.
                thread::spawn(move || drop(take(&stream, &ledger)));
            }
        });
        Self { url, ledger }
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.ledger.book.lock().unwrap().taken.clone()
    }

    /// Waits until so many different events were taken, as long as some come.
    pub fn wait_for(&self, events: usize) {
        let mut book = self.ledger.book.lock().unwrap();
        while book.ids.len() < events {
            let came = self.ledger.came.wait_timeout(book, SILENCE_MAX).unwrap();
            let count = came.0.ids.len();
            assert!(!came.1.timed_out(), "{count} of {events} events, then silence");
            book = came.0;
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

impl Ledger {
    fn note(&self, taken: Taken) {
        let mut book = self.book.lock().unwrap();
        book.ids.insert(taken.id.clone());
        book.taken.push(taken);
        self.came.notify_all();
    }
}

fn take(stream: &TcpStream, ledger: &Ledger) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut len = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; len];
        reader.read_exact(&mut body)?;
        let event: Value = serde_json::from_slice(&body).unwrap();
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        let revision = text("sequence").parse().unwrap();
        ledger.note(Taken { id: text("id"), stream: text("subject"), revision });
        (&*stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
