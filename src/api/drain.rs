//! Stopping without a request that gets no reply.
//!
//! The web framework, told to stop, closes connections on which a request may already wait, and
//! the system resets those that nobody has accepted. So before it is told, the server serves on
//! and closes each connection with the next reply: what was sent is answered. Connections that
//! come after the stop began are told that the server stops. At the end the listener takes no new
//! ones, those in its queue are answered, and only connections that nobody uses are left.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A connection without a request for so long is not in use.
const QUIET: Duration = Duration::from_millis(250);
/// How long the last connections may take; who has none open is not waited for.
const LAST: Duration = Duration::from_millis(50);
/// How often it is looked whether there is still anything to wait for.
const LOOK: Duration = Duration::from_millis(5);

/// Counts connections and requests, and knows whether the server stops.
pub(super) struct Traffic {
    is_stopping: AtomicBool,
    /// Connections from before the stop, and those that came since.
    early: Tally,
    late: Tally,
}

struct Tally {
    connections: AtomicUsize,
    requests: AtomicUsize,
    used_at: Mutex<Instant>,
}

/// A connection; kept with it until it ends.
pub(super) struct Connection {
    traffic: Arc<Traffic>,
    is_late: bool,
}

/// A request under way, until its reply begins.
pub(super) struct UnderWay {
    traffic: Arc<Traffic>,
    is_late: bool,
}

impl Default for Traffic {
    fn default() -> Self {
        let is_stopping = AtomicBool::new(false);
        Self { is_stopping, early: Tally::new(), late: Tally::new() }
    }
}

impl Traffic {
    /// Notes a new connection.
    pub fn connect(self: &Arc<Self>) -> Connection {
        let is_late = self.is_stopping();
        self.tally(is_late).begin(|own| &own.connections);
        Connection { traffic: Arc::clone(self), is_late }
    }

    /// Notes that a request is under way.
    pub fn request(self: &Arc<Self>, is_late: bool) -> UnderWay {
        self.tally(is_late).begin(|own| &own.requests);
        UnderWay { traffic: Arc::clone(self), is_late }
    }

    const fn tally(&self, is_late: bool) -> &Tally {
        if is_late { &self.late } else { &self.early }
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Lets every reply close its connection from now on.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Waits until nothing that was sent is without a reply; false when that takes too long.
    pub async fn drained(&self, listener: &TcpListener, bound: Duration) -> bool {
        let end = Instant::now() + bound;
        let early = until(end, || self.early.is_over(QUIET)).await;
        refuse_new(listener);
        let has_settled_at = Instant::now() + LAST;
        let late = until(end, || {
            Instant::now() >= has_settled_at && self.late.is_over(QUIET) && self.early.is_over(LAST)
        });
        early && late.await
    }
}

impl Connection {
    /// Returns whether it came after the stop began.
    pub const fn is_late(&self) -> bool {
        self.is_late
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.traffic.tally(self.is_late).connections.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let tally = self.traffic.tally(self.is_late);
        *tally.used_at.lock() = Instant::now();
        tally.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Tally {
    fn new() -> Self {
        let (connections, requests) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { connections, requests, used_at: Mutex::new(Instant::now()) }
    }

    fn begin(&self, count: impl Fn(&Self) -> &AtomicUsize) {
        count(self).fetch_add(1, Ordering::SeqCst);
        *self.used_at.lock() = Instant::now();
    }

    /// Returns whether there is no connection, or none that was used for a while.
    fn is_over(&self, quiet: Duration) -> bool {
        if self.connections.load(Ordering::SeqCst) == 0 {
            return true;
        }
        let is_idle = self.requests.load(Ordering::SeqCst) == 0;
        is_idle && self.used_at.lock().elapsed() >= quiet
    }
}

async fn until(end: Instant, is_over: impl Fn() -> bool) -> bool {
    while !is_over() {
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

/// Lets the listener take no new connection, while those in its queue stay: a filter of the
/// kernel drops the first packet of each, and the client, which tries again, finds nobody.
#[cfg(target_os = "linux")]
fn refuse_new(listener: &TcpListener) {
    use socket2::SockFilter;
    // The classic BPF of Linux, at the head of TCP: byte 13 has the flags; 2 is SYN, 16 ACK.
    let filter = [
        SockFilter::new(0x30, 0, 0, 13),
        SockFilter::new(0x54, 0, 0, 18),
        SockFilter::new(0x15, 0, 1, 2),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    if let Err(error) = socket2::SockRef::from(listener).attach_filter(&filter) {
        tracing::debug!(%error, "new connections are taken until the listener closes");
    }
}

/// Elsewhere a connection may come in the moment in which the listener closes.
#[cfg(not(target_os = "linux"))]
fn refuse_new(_: &TcpListener) {}
