//! Reads served at once from memory, and by a few threads when they must wait for the device.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::fault::{ReadFault, Wait};
use super::reader::Reader;
use crate::store::StoreError;

const JOBS_MAX: usize = 256;

/// A read that must wait for the device.
pub type Job = Box<dyn FnOnce() + Send>;

/// Where reads that must wait queue up; a full queue makes their callers wait, not fail.
pub struct ReadPool {
    sender: Mutex<Option<mpsc::Sender<Job>>>,
}

/// The readers' end of the queue.
pub type Jobs = Arc<Mutex<mpsc::Receiver<Job>>>;

impl ReadPool {
    /// Makes the queue.
    pub fn new() -> (Self, Jobs) {
        let (sender, receiver) = mpsc::channel(JOBS_MAX);
        (Self { sender: Mutex::new(Some(sender)) }, Arc::new(Mutex::new(receiver)))
    }

    /// Takes no more jobs; the threads end when those taken are done.
    pub fn close(&self) {
        self.sender.lock().take();
    }

    /// Runs a read at once if it need not wait, else on a thread of the pool.
    pub fn read<T: Send + 'static>(
        &self,
        reader: &Arc<Reader>,
        read: impl Fn(&Reader, Wait) -> Result<T, ReadFault> + Send + 'static,
    ) -> (BoxFuture<'static, Result<T, StoreError>>, bool) {
        let Some(sender) = self.sender.lock().clone() else {
            return (ready(Err(StoreError::Closed)).boxed(), true);
        };
        match read(reader, Wait::Never) {
            Ok(page) => return (ready(Ok(page)).boxed(), true),
            Err(ReadFault::Store(error)) => return (ready(Err(error)).boxed(), true),
            Err(ReadFault::WouldWait) => {}
        }
        let (reader, (answer, answered)) = (reader.clone(), oneshot::channel());
        let job = Box::new(move || {
            let page = read(&reader, Wait::Allowed).map_err(ReadFault::into_store);
            // A caller that has gone away does not want the page.
            drop(answer.send(page));
        });
        let waited = async move {
            sender.send(job).await.map_err(|_| StoreError::Closed)?;
            answered.await.map_err(|_| StoreError::Closed)?
        };
        (waited.boxed(), false)
    }
}

/// Runs jobs until the pool is closed.
pub fn run_jobs(jobs: &Jobs) {
    loop {
        let job = jobs.lock().blocking_recv();
        match job {
            Some(job) => job(),
            None => return,
        }
    }
}
