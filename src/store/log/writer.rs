//! The writer's turn: one thread at a time commits, everybody stages.
//!
//! When nothing is being committed, whoever has work commits it: the writer's thread, or the
//! very thread that appends and waits. During a barrier every caller checks and stages its own
//! append into the next batch, so that the next barrier can follow at once. No thread is woken
//! for an append that comes in time: waking one takes as long as a good part of a barrier.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::core::LogCore;
use super::fault::Wait;
use super::prepared::{Prepared, Reply};
use crate::store::AppendError;

/// How long the writer's thread looks for more work before it sleeps; callers that were just
/// answered are back within it.
const LINGER: Duration = Duration::from_micros(50);

/// Appends on their way to the log.
pub struct Writer {
    core: Arc<LogCore>,
    queue: Mutex<Queue>,
    main: Condvar,
    bell: Mutex<Option<SyncSender<()>>>,
    waiting_max: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Prepared>,
    is_committing: bool,
    has_work: bool,
    is_full: bool,
    is_closed: bool,
}

impl Queue {
    /// Takes the turn to commit if there is work and nobody has it.
    fn take_turn(&mut self) -> bool {
        let has_work = self.has_work || !self.waiting.is_empty();
        let is_free = has_work && !self.is_committing;
        self.is_committing |= is_free;
        is_free
    }
}

impl Writer {
    /// Makes the writer of a log; `bell` wakes whoever tends the files.
    pub fn new(core: Arc<LogCore>, bell: SyncSender<()>) -> Self {
        let waiting_max = core.config.limits.waiting_appends_max;
        Self {
            core,
            queue: Mutex::default(),
            main: Condvar::new(),
            bell: Mutex::new(Some(bell)),
            waiting_max,
        }
    }

    /// Queues an append; its outcome goes to its reply.
    pub fn push(&self, prepared: Prepared) {
        let mut queue = self.queue.lock();
        if let Err((reply, error)) = self.enqueue(&mut queue, prepared) {
            drop(queue);
            return reply.send(Err(error));
        }
        if queue.is_committing {
            self.stage(queue);
        } else {
            self.main.notify_one();
        }
    }

    /// Queues an append of a thread that will wait, which commits it itself if nobody does.
    pub fn push_and_drive(&self, prepared: Prepared) {
        let mut queue = self.queue.lock();
        if let Err((reply, error)) = self.enqueue(&mut queue, prepared) {
            drop(queue);
            return reply.send(Err(error));
        }
        if queue.is_committing {
            return self.stage(queue);
        }
        queue.is_committing = true;
        drop(queue);
        if self.commit_once() {
            let mut queue = self.queue.lock();
            queue.is_committing = false;
            queue.has_work = true;
            self.main.notify_one();
        }
    }

    /// Returns how many appends wait.
    pub fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Takes no more appends; the thread ends when those taken are answered.
    pub fn close(&self) {
        self.queue.lock().is_closed = true;
        self.main.notify_all();
    }

    /// Rings no more, which ends the tender; to be called when the writer's thread has ended.
    pub fn hang_up(&self) {
        self.bell.lock().take();
    }

    /// Commits until closed: the work of the writer's thread.
    pub fn run(&self) {
        while self.wait_for_turn() {
            while self.commit_once() {}
            self.linger();
        }
    }

    /// Sleeps until there is work and nobody commits; false when the log is closed.
    fn wait_for_turn(&self) -> bool {
        let mut queue = self.queue.lock();
        while !queue.take_turn() {
            if queue.is_closed && !queue.is_committing {
                return false;
            }
            self.main.wait(&mut queue);
        }
        true
    }

    /// Commits what comes at once, letting other threads run meanwhile.
    fn linger(&self) {
        let mut end = Instant::now() + LINGER;
        while Instant::now() < end {
            std::thread::yield_now();
            if self.queue.lock().take_turn() {
                while self.commit_once() {}
                end = Instant::now() + LINGER;
            }
        }
    }

    /// Stages what waits into the next batch while the one before is being committed.
    ///
    /// It runs on the caller's thread, which must not wait: what needs the device, and what
    /// comes while another thread stages, is left to whoever commits.
    fn stage(&self, queue: MutexGuard<'_, Queue>) {
        if queue.is_full {
            return;
        }
        drop(queue);
        let is_full = self.gather(Wait::Never);
        let mut queue = self.queue.lock();
        queue.is_full = is_full;
        // Said in any case: whoever commits may have looked before it was staged.
        queue.has_work = true;
        if !queue.is_committing {
            self.main.notify_one();
        }
    }

    fn enqueue(&self, queue: &mut Queue, prepared: Prepared) -> Result<(), (Reply, AppendError)> {
        if queue.is_closed {
            let cause = "the store is closed".into();
            return Err((prepared.reply, AppendError::Unavailable { cause }));
        }
        let waiting = queue.waiting.len();
        if waiting >= self.waiting_max {
            return Err((prepared.reply, AppendError::Overloaded { waiting }));
        }
        queue.waiting.push_back(prepared);
        Ok(())
    }

    /// Commits one batch; returns whether there is more, which must be committed then.
    fn commit_once(&self) -> bool {
        self.gather(Wait::Allowed);
        self.queue.lock().is_full = false;
        let done = self.core.commit();
        if self.core.wants_tending()
            && let Some(bell) = &*self.bell.lock()
        {
            // Rung already is as good as ringing.
            let _rung = bell.try_send(());
        }
        let has_work = self.core.has_work();
        let mut queue = self.queue.lock();
        let has_more = has_work || queue.has_work || !queue.waiting.is_empty();
        queue.has_work = false;
        queue.is_committing = has_more;
        if queue.is_closed && !has_more {
            self.main.notify_all();
        }
        drop(queue);
        if let Some(done) = done {
            done.tell();
        }
        has_more
    }

    /// Stages what waits; returns whether the first that is left must wait for the commit.
    fn gather(&self, wait: Wait) -> bool {
        match self.core.gather(&mut || self.queue.lock().waiting.pop_front(), wait) {
            None => false,
            Some(prepared) => {
                self.queue.lock().waiting.push_front(prepared);
                true
            }
        }
    }
}

/// Writes index files and fills ahead whenever the bell rings, until nobody can ring it.
pub fn run_tender(core: &LogCore, bell: &Receiver<()>) {
    while bell.recv().is_ok() {
        core.tend();
    }
}
