//! The threads that actors run on, and their end.
//!
//! Each system has an actix system of its own on a thread of its own, so that any number of
//! them can start and stop in one process, beside a web server that has another one.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_rt::{Arbiter, ArbiterHandle};
use parking_lot::Mutex;

use super::config::RuntimeConfig;

/// A fixed number of event-loop threads; they end with the last owner.
pub(super) struct Arbiters {
    handles: Vec<ArbiterHandle>,
    system: actix_rt::System,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// All threads of a system, by what runs on them.
pub(super) struct Threads {
    pub aggregates: Arbiters,
    /// Projections and plugin actors.
    pub workers: Arbiters,
    /// The supervisor and what needs a timer; no actor of a user runs here, so nothing hangs it.
    pub watch: Arbiters,
}

impl Threads {
    pub fn start(config: &RuntimeConfig) -> io::Result<Self> {
        Ok(Self {
            aggregates: Arbiters::start(config.arbiters)?,
            workers: Arbiters::start(config.worker_threads)?,
            watch: Arbiters::start(1)?,
        })
    }

    /// Ends every thread without waiting for them.
    pub fn stop(&self) {
        for arbiters in [&self.aggregates, &self.workers, &self.watch] {
            drop(arbiters.stop());
        }
    }
}

type Ready = io::Result<(Vec<ArbiterHandle>, actix_rt::System)>;

impl Arbiters {
    /// Starts `count` threads.
    pub fn start(count: usize) -> io::Result<Self> {
        let (tell, told) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("headwater-arbiters".into())
            .spawn(move || run(count, &tell))?;
        let (handles, system) =
            told.recv().map_err(|_| io::Error::other("arbiter thread ended at its start"))??;
        Ok(Self { handles, system, thread: Mutex::new(Some(thread)) })
    }

    /// Returns the thread number `at`, counted round and round.
    pub fn at(&self, at: usize) -> Option<&ArbiterHandle> {
        self.handles.get(at.checked_rem(self.handles.len())?)
    }

    /// Returns all threads.
    pub fn all(&self) -> &[ArbiterHandle] {
        &self.handles
    }

    /// Ends the threads and returns the one to join, once; `None` after the first call.
    pub fn stop(&self) -> Option<JoinHandle<()>> {
        self.handles.iter().for_each(|handle| {
            handle.stop();
        });
        self.system.stop();
        self.thread.lock().take()
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        // Not joined: the last owner may be an actor on one of these very threads.
        drop(self.stop());
    }
}

fn run(count: usize, tell: &mpsc::SyncSender<Ready>) {
    let runner = actix_rt::System::new();
    let arbiters: io::Result<Vec<Arbiter>> =
        std::iter::repeat_with(Arbiter::try_new).take(count.max(1)).collect();
    let arbiters = match arbiters {
        Ok(arbiters) => arbiters,
        Err(error) => {
            let _ = tell.send(Err(error));
            return;
        }
    };
    let handles = arbiters.iter().map(Arbiter::handle).collect();
    let _ = tell.send(Ok((handles, actix_rt::System::current())));
    // Ends by `stop` with code 0; another end leaves nothing to do here.
    let _ = runner.run();
    for arbiter in arbiters {
        arbiter.stop();
        let _ = arbiter.join();
    }
}
