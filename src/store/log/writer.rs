//! The writer's threads: one commits, the other gathers the next batch meanwhile.
//!
//! When nothing is being committed, whoever has work commits it: the main thread, or the very
//! thread that appends and waits. During a barrier the gatherer checks and stages what
//! arrives and tells the callers of the batch before, so that the next barrier can follow at
//! once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use parking_lot::{Condvar, Mutex};

use super::core::{Done, LogCore};
use super::prepared::{Prepared, Reply};
use crate::store::AppendError;

const FINISHED_MAX: usize = 4;

/// Appends on their way to the log.
pub struct Writer {
    core: Arc<LogCore>,
    queue: Mutex<Queue>,
    main: Condvar,
    gatherer: Condvar,
    main_waits: AtomicBool,
    bell: Mutex<Option<SyncSender<()>>>,
    waiting_max: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Prepared>,
    finished: VecDeque<Done>,
    is_committing: bool,
    has_work: bool,
    is_full: bool,
    is_closed: bool,
}

impl Writer {
    /// Makes the writer of a log; `bell` wakes whoever tends the files.
    pub fn new(core: Arc<LogCore>, bell: SyncSender<()>) -> Self {
        let waiting_max = core.config.limits.waiting_appends_max;
        Self {
            core,
            queue: Mutex::default(),
            main: Condvar::new(),
            gatherer: Condvar::new(),
            main_waits: AtomicBool::new(false),
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
        match queue.is_committing {
            true => self.gatherer.notify_one(),
            false => self.main.notify_one(),
        };
    }

    /// Queues an append of a thread that will wait, which commits it itself if nobody does.
    pub fn push_and_drive(&self, prepared: Prepared) {
        let mut queue = self.queue.lock();
        if let Err((reply, error)) = self.enqueue(&mut queue, prepared) {
            drop(queue);
            return reply.send(Err(error));
        }
        if queue.is_committing {
            self.gatherer.notify_one();
            return;
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

    /// Takes no more appends; both threads end when those taken are answered.
    pub fn close(&self) {
        self.queue.lock().is_closed = true;
        self.main.notify_all();
        self.gatherer.notify_all();
    }

    /// Rings no more, which ends the tender; to be called when both threads have ended.
    pub fn hang_up(&self) {
        self.bell.lock().take();
    }

    /// Commits until closed: the work of the main thread.
    pub fn run_main(&self) {
        loop {
            let mut queue = self.queue.lock();
            while queue.is_committing || (queue.waiting.is_empty() && !queue.has_work) {
                if queue.is_closed && !queue.is_committing {
                    return;
                }
                self.main.wait(&mut queue);
            }
            queue.is_committing = true;
            drop(queue);
            while self.commit_once() {}
        }
    }

    /// Gathers during barriers and tells outcomes until closed: the work of the gatherer.
    pub fn run_gatherer(&self) {
        let mut queue = self.queue.lock();
        loop {
            if let Some(done) = queue.finished.pop_front() {
                drop(queue);
                done.tell();
                queue = self.queue.lock();
                continue;
            }
            if queue.is_committing && !queue.waiting.is_empty() && !queue.is_full {
                drop(queue);
                let is_full = self.gather(|| !self.main_waits.load(Ordering::Relaxed));
                queue = self.queue.lock();
                queue.is_full = is_full;
                // Said in any case: whoever commits may have looked before it was staged.
                queue.has_work = true;
                if !queue.is_committing {
                    self.main.notify_one();
                }
                if self.main_waits.load(Ordering::Relaxed) {
                    self.gatherer.wait(&mut queue);
                }
                continue;
            }
            if queue.is_closed && !queue.is_committing {
                return;
            }
            self.gatherer.wait(&mut queue);
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
        self.main_waits.store(true, Ordering::Relaxed);
        if !self.core.has_work() || self.core.has_deferred() {
            self.gather(|| true);
        }
        self.main_waits.store(false, Ordering::Relaxed);
        self.open_for_gatherer();
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
            self.gatherer.notify_all();
        }
        let is_handed_on = has_more && queue.finished.len() < FINISHED_MAX;
        match done {
            Some(done) if is_handed_on => {
                queue.finished.push_back(done);
                self.gatherer.notify_one();
            }
            Some(done) => {
                drop(queue);
                done.tell();
            }
            None => {}
        }
        has_more
    }

    fn open_for_gatherer(&self) {
        let mut queue = self.queue.lock();
        queue.is_full = false;
        if !queue.waiting.is_empty() {
            self.gatherer.notify_one();
        }
    }

    /// Stages what waits, as long as it may go on; returns whether the batch is full.
    fn gather(&self, may_go_on: impl Fn() -> bool) -> bool {
        let mut next = || may_go_on().then(|| self.queue.lock().waiting.pop_front()).flatten();
        match self.core.gather(&mut next) {
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
