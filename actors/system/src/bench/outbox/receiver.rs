//! A server that takes webhooks as fast as it can, on a thread of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::error::Failure;

/// How long nothing may come before a bench is given up.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How often the count is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// The server.
pub struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    count: AtomicU64,
    out_of_order: AtomicU64,
    checks_order: AtomicBool,
    keeps_arrivals: AtomicBool,
    book: Mutex<Book>,
    /// How many requests are waited for.
    wanted: AtomicU64,
    /// Told when they are there.
    came: Condvar,
}

#[derive(Default)]
struct Book {
    /// When each event came, by position.
    arrivals: HashMap<u64, Instant>,
    /// The last revision of each stream.
    revisions: HashMap<String, u64>,
    /// The first request, whole.
    first: Option<Vec<u8>>,
}

impl Receiver {
    /// Starts it on a port of its own.
    pub fn start() -> Result<Self, Failure> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (address, seen) = (listener.local_addr()?, Arc::<Seen>::default());
        let own = Arc::clone(&seen);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("receiver".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&own)));
                }
            });
        })?;
        Ok(Self { address, seen })
    }

    /// Returns the URL of a path: `/hang` never answers.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        *self.seen.book() = Book::default();
        self.seen.count.store(0, Ordering::SeqCst);
    }

    /// Notes from now on when each event comes.
    pub fn keep_arrivals(&self) {
        self.seen.keeps_arrivals.store(true, Ordering::SeqCst);
    }

    /// Checks from now on that no stream skips an event.
    pub fn check_order(&self) {
        self.seen.checks_order.store(true, Ordering::SeqCst);
    }

    /// Returns how many events came out of order.
    pub fn out_of_order(&self) -> u64 {
        self.seen.out_of_order.load(Ordering::SeqCst)
    }

    /// Returns how many requests were taken.
    pub fn count(&self) -> u64 {
        self.seen.count.load(Ordering::SeqCst)
    }

    /// Returns the first request that came, whole.
    pub fn first(&self) -> Option<Vec<u8>> {
        self.seen.book().first.clone()
    }

    /// Returns when each event came, by position.
    pub fn arrivals(&self) -> HashMap<u64, Instant> {
        self.seen.book().arrivals.clone()
    }

    /// Waits until so many requests were taken.
    pub fn wait_for(&self, count: u64) -> Result<(), Failure> {
        self.seen.wanted.store(count, Ordering::SeqCst);
        let (mut before, mut start) = (self.count(), Instant::now());
        while before < count {
            let book = self.seen.book();
            drop(self.seen.came.wait_timeout(book, LOOK_EVERY));
            let now = self.count();
            if now > before {
                (before, start) = (now, Instant::now());
            } else if start.elapsed() > SILENCE_MAX {
                return Err(Failure::new(format!("nothing came after {before} webhooks")));
            }
        }
        Ok(())
    }
}

impl Seen {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, request: &[u8]) {
        let now = Instant::now();
        let mut book = self.book();
        if book.first.is_none() {
            book.first = Some(request.to_vec());
        }
        if self.keeps_arrivals.load(Ordering::Relaxed)
            && let Some(position) =
                field(request, b"\"position\":\"").and_then(|text| text.parse().ok())
        {
            book.arrivals.insert(position, now);
        }
        if self.checks_order.load(Ordering::Relaxed) {
            let stream = field(request, b"\"subject\":\"").unwrap_or_default().to_owned();
            let revision = field(request, b"\"sequence\":\"").and_then(|text| text.parse().ok());
            let (last, revision) =
                (book.revisions.entry(stream).or_default(), revision.unwrap_or(0));
            if revision > *last + 1 {
                self.out_of_order.fetch_add(1, Ordering::SeqCst);
            }
            *last = revision.max(*last);
        }
        drop(book);
        // Not each time, which would wake who waits, and cost what is measured.
        if self.count.fetch_add(1, Ordering::SeqCst) + 1 >= self.wanted.load(Ordering::SeqCst) {
            self.came.notify_all();
        }
    }
}

/// Takes one request after the other.
async fn serve(mut stream: TcpStream, seen: Arc<Seen>) {
    let mut bytes = Vec::with_capacity(4_096);
    loop {
        let Some(len) = whole(&bytes) else {
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        let request: Vec<u8> = bytes.drain(..len).collect();
        if request.starts_with(b"POST /hang") {
            return std::future::pending().await;
        }
        seen.note(&request);
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

/// Returns the length of the first request, if it is whole.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?.to_ascii_lowercase();
    let line = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let len = head + line.trim().parse::<usize>().ok()?;
    (bytes.len() >= len).then_some(len)
}

/// Returns the text behind a mark, up to the next quote.
fn field<'a>(request: &'a [u8], mark: &[u8]) -> Option<&'a str> {
    let at = request.windows(mark.len()).position(|own| own == mark)? + mark.len();
    let rest = request.get(at..)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}
