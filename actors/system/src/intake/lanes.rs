//! Sends many commands at once and keeps those of one stream in order.
//!
//! Commands of one stream go into one lane, and a lane waits for each answer before it sends
//! the next command. Lanes are bounded, so reading a file never runs ahead of the log.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::Failure;

/// Running lanes.
pub struct Lanes<C> {
    lanes: Vec<mpsc::Sender<C>>,
    tasks: Vec<JoinHandle<Result<(), Failure>>>,
    under_way: Arc<UnderWay>,
}

/// The commands that were pushed and are not answered yet.
#[derive(Default)]
struct UnderWay {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    commands: usize,
    has_failed: bool,
}

impl<C: Send + 'static> Lanes<C> {
    /// Starts `count` lanes, each of which holds at most `depth` waiting commands.
    pub fn start<F, Fut>(count: usize, depth: usize, send: F) -> Self
    where
        F: Fn(C) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send,
    {
        let under_way = Arc::new(UnderWay::default());
        let start_lane = |_| {
            let (lane, mut commands) = mpsc::channel(depth);
            let (send, under_way) = (send.clone(), Arc::clone(&under_way));
            let task = tokio::spawn(async move {
                while let Some(command) = commands.recv().await {
                    let answer = send(command).await;
                    under_way.answered(answer.is_err());
                    answer?;
                }
                Ok(())
            });
            (lane, task)
        };
        let (lanes, tasks) = (0..count.max(1)).map(start_lane).unzip();
        Self { lanes, tasks, under_way }
    }

    /// Returns how many lanes there are.
    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Puts a command into a lane; blocks the thread while the lane is full.
    ///
    /// # Errors
    /// A [`Failure`] when the lane has ended; [`Lanes::finish`] tells why.
    pub fn push(&self, lane: usize, command: C) -> Result<(), Failure> {
        let lane = self.lanes.get(lane).ok_or_else(|| Failure::new("no such lane"))?;
        self.under_way.begun();
        lane.blocking_send(command).map_err(|_| stopped())
    }

    /// Waits until every command that was pushed is answered; blocks the thread.
    ///
    /// # Errors
    /// A [`Failure`] when a lane has ended; [`Lanes::finish`] tells why.
    pub fn settle(&self) -> Result<(), Failure> {
        if self.under_way.wait() { Ok(()) } else { Err(stopped()) }
    }

    /// Waits until every command is answered.
    ///
    /// # Errors
    /// The first [`Failure`] of a lane.
    pub async fn finish(self) -> Result<(), Failure> {
        drop(self.lanes);
        for task in self.tasks {
            task.await.map_err(|error| Failure::new(error.to_string()))??;
        }
        Ok(())
    }
}

impl UnderWay {
    fn begun(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).commands += 1;
    }

    fn answered(&self, has_failed: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.commands = state.commands.saturating_sub(1);
        state.has_failed |= has_failed;
        if state.commands == 0 || has_failed {
            self.changed.notify_all();
        }
    }

    /// Waits for all; false when one has failed.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_busy = |state: &mut State| state.commands > 0 && !state.has_failed;
        let state = self.changed.wait_while(state, is_busy);
        !state.unwrap_or_else(PoisonError::into_inner).has_failed
    }
}

fn stopped() -> Failure {
    Failure::new("the import stopped")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn commands_of_one_lane_keep_their_order() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let lanes = Lanes::start(4, 2, move |command: (u32, u32)| {
            let sink = sink.clone();
            async move {
                tokio::task::yield_now().await;
                sink.lock().unwrap().push(command);
                Ok(())
            }
        });
        let push = move || {
            for number in 0..300 {
                lanes.push(number as usize % 4, (number % 4, number)).unwrap();
            }
            lanes
        };
        tokio::task::spawn_blocking(push).await.unwrap().finish().await.unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 300);
        for stream in 0..4 {
            let own: Vec<u32> = seen.iter().filter(|c| c.0 == stream).map(|c| c.1).collect();
            assert!(own.is_sorted(), "lane {stream}");
        }
    }

    #[tokio::test]
    async fn what_is_pushed_after_a_settle_is_sent_after_all_before_it() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let lanes = Lanes::start(8, 2, move |command: u32| {
            let sink = sink.clone();
            async move {
                tokio::task::yield_now().await;
                sink.lock().unwrap().push(command / 8);
                Ok(())
            }
        });
        let push = move || {
            for number in 0..200 {
                if number % 8 == 0 {
                    lanes.settle().unwrap();
                }
                lanes.push(number as usize % 8, number).unwrap();
            }
            lanes
        };
        tokio::task::spawn_blocking(push).await.unwrap().finish().await.unwrap();
        assert!(seen.lock().unwrap().is_sorted());
    }

    #[tokio::test]
    async fn the_first_failure_ends_the_import() {
        let lanes = Lanes::start(2, 1, |command: u32| async move {
            if command == 3 { Err(Failure::new("three")) } else { Ok(()) }
        });
        let push = move || {
            for number in 0..4 {
                let _ = lanes.push(number as usize % 2, number);
            }
            lanes
        };
        let lanes = tokio::task::spawn_blocking(push).await.unwrap();
        assert_eq!(lanes.finish().await.unwrap_err().to_string(), "three");
    }
}
