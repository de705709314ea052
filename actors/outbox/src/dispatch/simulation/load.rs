//! An endpoint under load: it is left alone when it asks for it, and tries that cost nothing count
//! for nothing.

use std::time::Duration;

use super::{Draw, World};
use crate::dispatch::backlog::{Again, Outcome, Task};
use crate::dispatch::block::LastFailure;
use crate::endpoint::Ordering;
use crate::schedule::RetrySchedule;

/// Says what each request comes to, for so many seconds; returns how many there were.
fn answer_all(world: &mut World, seconds: u64, mut say: impl FnMut(u64) -> Option<Again>) -> u64 {
    let mut requests = 0;
    for _ in 0..seconds * 2 {
        world.read_some();
        while let Some(task) = world.backlog.next(world.now) {
            match task {
                Task::Send { ticket, event, .. } => {
                    requests += 1;
                    let said = say(requests);
                    if said.is_none() {
                        world.arrive(std::slice::from_ref(&event));
                    }
                    let outcome = said.map_or(Outcome::Delivered, Outcome::Failed);
                    world.backlog.finished(ticket, &event, outcome, world.now);
                }
                Task::Fetch { line, head, after } => {
                    world.end_fetch(&line, (&head, after), world.appended);
                }
                Task::SendTogether(_) => unreachable!("one event in a message"),
            }
        }
        world.wait(Duration::from_millis(500));
    }
    requests
}

fn overloaded(retry_after_s: Option<u64>) -> Again {
    let last = LastFailure { status: Some(429), error: None };
    Again { is_throttled: true, retry_after: retry_after_s.map(Duration::from_secs), last }
}

fn world() -> World {
    let mut world = World::filled(Draw(3), Ordering::PerStream, None);
    world.log = super::log(&mut Draw(5), 20_000, 5_000);
    world.appended = 20_000;
    world.poison.clear();
    world.rules.in_flight_max = 8;
    world.backlog.set_rules(world.rules.clone());
    world
}

#[test]
fn nothing_is_sent_before_the_time_that_a_receiver_asks_for() {
    let mut world = world();
    let asked = |_| Some(overloaded(Some(600)));
    assert_eq!(answer_all(&mut world, 590, asked), 1, "the whole endpoint is left alone");
    let requests = answer_all(&mut world, 60, |_| None);
    assert!(requests > 20, "{requests}");
}

#[test]
fn a_receiver_that_takes_half_and_is_overloaded_by_the_rest_gets_less() {
    let mut world = world();
    let half = |request: u64| request.is_multiple_of(2).then(|| overloaded(None));
    let requests = answer_all(&mut world, 60, half);
    // Each time that it says so it is left alone for a second.
    assert!((20..400).contains(&requests), "{requests}");
}

#[test]
fn what_fails_again_when_an_endpoint_seems_to_work_keeps_its_schedule_and_its_count() {
    let mut world = world();
    world.rules.retry = RetrySchedule::new(vec![3_600_000; 3]).unwrap();
    world.backlog.set_rules(world.rules.clone());
    // Nine of ten fail for half an hour: the breaker opens and closes many times.
    let mostly = |request: u64| (!request.is_multiple_of(10)).then(Again::default);
    answer_all(&mut world, 1_800, mostly);
    assert!(world.backlog.retrying() > 0);
    assert_eq!(world.backlog.dead(), 0, "an hour's schedule cannot be over");
}

#[test]
fn one_event_that_a_receiver_is_overloaded_by_is_not_tried_again_and_again_nor_holds_up_the_others()
{
    let mut world = world();
    world.rules.retry = RetrySchedule::new(vec![3_600_000; 3]).unwrap();
    world.backlog.set_rules(world.rules.clone());
    let (mut tries, mut taken) = (0, 0);
    for second in 0..600 {
        // It keeps up: little comes at a time.
        let end = (second + 1) * 5;
        while world.read < end && world.backlog.room() > 0 {
            world.backlog.offer(world.log[world.read as usize].clone());
            world.read += 1;
        }
        while let Some(task) = world.backlog.next(world.now) {
            match task {
                Task::Send { ticket, event, .. } if event.position().get() == 3 => {
                    tries += 1;
                    let outcome = Outcome::Failed(overloaded(None));
                    world.backlog.finished(ticket, &event, outcome, world.now);
                }
                Task::Send { ticket, event, .. } => {
                    taken += 1;
                    world.backlog.finished(ticket, &event, Outcome::Delivered, world.now);
                }
                Task::Fetch { line, head, after } => {
                    world.end_fetch(&line, (&head, after), world.read);
                }
                Task::SendTogether(_) => unreachable!("one event in a message"),
            }
        }
        world.wait(Duration::from_secs(1));
    }
    assert_eq!(tries, 1, "its hour is not over");
    assert!(taken > 2_900, "{taken} of 3,000: the others wait for a second at the most");
}
