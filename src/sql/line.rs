//! A bounded queue of transactions and the threads at its end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle, current};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Durability, SqlError, TxJob};

/// A job on its way to a connection.
pub(super) struct Request {
    pub(super) job: Box<dyn TxJob>,
    pub(super) is_write: bool,
    pub(super) durability: Durability,
}

/// What a thread does next.
pub(super) enum Next {
    Work(Request),
    /// There was nothing to do for so long.
    Idle,
    /// The line was closed and nothing is left.
    Closed,
}

/// Where a thread takes its work from.
#[derive(Clone)]
pub(super) struct Requests(Arc<Mutex<Receiver<Request>>>);

/// The queue; dropping or closing it ends the threads once it is empty.
pub(super) struct Line {
    queue: Option<SyncSender<Request>>,
    waiting_max: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Requests {
    /// Waits for the next request, for ever or as long as said.
    pub(super) fn next(&self, patience: Option<Duration>) -> Next {
        let requests = self.0.lock();
        let next = match patience {
            Some(patience) => requests.recv_timeout(patience),
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(request) => Next::Work(request),
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }
}

impl Line {
    /// Starts one thread for each worker; requests past `waiting_max` (at least 1) are refused.
    pub(super) fn start<W: FnOnce(Requests) + Send + 'static>(
        name: &str,
        waiting_max: usize,
        workers: impl IntoIterator<Item = W>,
    ) -> std::io::Result<Self> {
        let waiting_max = waiting_max.max(1);
        let (queue, requests) = sync_channel(waiting_max);
        let requests = Requests(Arc::new(Mutex::new(requests)));
        let mut line = Self { queue: Some(queue), waiting_max, threads: Vec::new() };
        for worker in workers {
            let requests = requests.clone();
            let thread = Builder::new().name(name.to_owned()).spawn(move || worker(requests))?;
            line.threads.push(thread);
        }
        Ok(line)
    }

    /// Queues a request, or tells its job why not.
    pub(super) fn send(&self, request: Request) {
        let Some(queue) = &self.queue else {
            return request.job.finish(Err(SqlError::Closed));
        };
        match queue.try_send(request) {
            Ok(()) => {}
            Err(TrySendError::Full(request)) => {
                let waiting = self.waiting_max;
                request.job.finish(Err(SqlError::Overloaded { waiting }));
            }
            Err(TrySendError::Disconnected(request)) => {
                request.job.finish(Err(SqlError::Closed));
            }
        }
    }

    /// Waits until the threads have done what is queued.
    pub(super) fn close(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // The last handle may be dropped by a job; its thread ends by itself.
            if thread.thread().id() != current().id() {
                drop(thread.join());
            }
        }
    }
}
