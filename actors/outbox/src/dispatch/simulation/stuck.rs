//! One request that is under way for long, and a log that goes on.

use super::{Draw, World, log};
use crate::dispatch::backlog::{Outcome, Task};
use crate::endpoint::Ordering;

/// More than the window holds.
const EVENTS: u64 = 2_000;

/// Holds the first request for ever and answers all others; returns it.
fn hold_first(world: &mut World) -> Task {
    let mut first = None;
    for _ in 0..EVENTS {
        world.read_some();
        world.backlog.relieve(world.now);
        while let Some(task) = world.backlog.next(world.now) {
            match task {
                task if first.is_none() => first = Some(task),
                Task::Send { ticket, event, .. } => {
                    world.arrive(std::slice::from_ref(&event));
                    world.backlog.finished(ticket, &event, Outcome::Delivered, world.now);
                }
                Task::Fetch { line, head, after } => {
                    world.end_fetch(&line, (&head, after), world.appended);
                }
                Task::SendTogether(_) => unreachable!("one event in a message"),
            }
        }
    }
    first.unwrap()
}

fn world(ordering: Ordering) -> World {
    let mut world = World::filled(Draw(3), ordering, None);
    world.log = log(&mut Draw(5), EVENTS, 50);
    (world.appended, world.is_failing) = (EVENTS, false);
    world.poison.clear();
    world.rules.in_flight_max = 8;
    world.backlog.set_rules(world.rules.clone());
    world
}

#[test]
fn a_request_that_hangs_holds_back_its_own_stream_alone_however_much_comes() {
    for ordering in [Ordering::PerStream, Ordering::None] {
        let mut world = world(ordering);
        let Task::Send { ticket, event, .. } = hold_first(&mut world) else { unreachable!() };
        let of_stream = world.log.iter().filter(|own| own.stream_id() == event.stream_id()).count();
        let held = if ordering == Ordering::None { 1 } else { of_stream };
        assert_eq!(world.missing().len(), held, "{ordering:?}");
        assert_eq!(world.backlog.position(), world.backlog.frontier());
        world.arrive(std::slice::from_ref(&event));
        world.backlog.finished(ticket, &event, Outcome::Delivered, world.now);
        world.finish();
        assert_eq!(world.missing(), [0_u64; 0]);
        assert!(world.arrived.values().all(|times| *times == 1));
    }
}

#[test]
fn what_hung_is_sent_again_after_a_crash() {
    let mut world = world(Ordering::PerStream);
    hold_first(&mut world);
    world.store();
    world.crash();
    world.finish();
    assert_eq!(world.missing(), [0_u64; 0]);
}

#[test]
fn a_window_that_is_full_because_much_waits_or_is_under_way_is_left_as_it_is() {
    for begun in [3, 40] {
        let mut world = world(Ordering::PerStream);
        world.rules.in_flight_max = 64;
        world.backlog.set_rules(world.rules.clone());
        while world.backlog.room() > 0 {
            world.read_some();
        }
        (0..begun).for_each(|_| drop(world.backlog.next(world.now)));
        world.backlog.relieve(world.now);
        assert_eq!(world.backlog.retrying(), 0, "nothing is written for events that only wait");
    }
}
