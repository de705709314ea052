//! A receiver of webhooks that keeps a ledger, and outlives the servers that send.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// Takes every webhook.
pub struct Receiver {
    pub url: String,
    taken: Arc<Mutex<Vec<Taken>>>,
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
        let taken = Arc::<Mutex<Vec<Taken>>>::default();
        let own = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, taken) = (stream.unwrap(), Arc::clone(&own));
                // A sender that is killed breaks its connections off.
                thread::spawn(move || drop(take(&stream, &taken)));
            }
        });
        Self { url, taken }
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// Returns how many different events were taken.
    pub fn distinct(&self) -> usize {
        let taken = self.taken.lock().unwrap();
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

fn take(stream: &TcpStream, taken: &Mutex<Vec<Taken>>) -> std::io::Result<()> {
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
        taken.lock().unwrap().push(Taken { id: text("id"), stream: text("subject"), revision });
        (&*stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
