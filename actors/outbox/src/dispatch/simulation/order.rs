//! What operators order, and that it stays done.

use std::time::Duration;

use headwater::event::Position;
use proptest::prelude::*;

use super::{Draw, World, cases, event};
use crate::dispatch::backlog::{Again, Outcome, Task};
use crate::endpoint::{Order, OrderKind, Ordering, Selection};
use crate::schedule::RetrySchedule;

#[test]
fn an_event_that_is_skipped_lets_its_stream_go_on_without_it() {
    for ordering in [Ordering::PerStream, Ordering::Strict, Ordering::None] {
        let mut world = World::filled(Draw(7), ordering, None);
        world.poison = vec![3];
        world.finish();
        assert!(!world.arrived.contains_key(&3) && world.backlog.dead() == 1);
        // What comes behind it is not sent before it, so the order cannot be checked from here.
        world.arrived.insert(3, 0);
        world.order(OrderKind::Skip);
        world.finish();
        assert_eq!((world.missing(), world.arrived[&3]), (Vec::new(), 0));
    }
}

#[test]
fn what_waits_behind_a_discarded_event_is_left_out_and_what_comes_is_sent() {
    let mut world = World::filled(Draw(7), Ordering::PerStream, None);
    let stream = world.log[0].stream_id().to_owned();
    let of_stream: Vec<u64> = (world.log.iter().filter(|own| own.stream_id() == stream))
        .map(|own| own.position().get())
        .collect();
    world.poison = vec![1];
    world.finish();
    world.order(OrderKind::Discard);
    world.finish();
    assert_eq!(world.missing(), of_stream);
    let next = event(world.log.len() as u64 + 1, &stream, of_stream.len() as u64 + 1);
    for position in &of_stream {
        world.arrived.insert(*position, 0);
    }
    world.log.push(next);
    world.finish();
    assert_eq!(world.missing(), [0_u64; 0]);
}

/// Runs until poison is given up, orders, and crashes at the worst moment as often as it likes.
fn left_out(seed: u64, ordering: Ordering, kind: OrderKind) {
    let mut world = World::filled(Draw(seed), ordering, None);
    for _ in 0..300 {
        world.step();
    }
    world.store();
    if world.draw.one_in(2) {
        // The order finds what was stored, before anything is read again.
        world.crash();
    }
    let dead = world.backlog.dead_heads();
    let left_out = match kind {
        OrderKind::Discard => dead.iter().flat_map(|bad| behind(&world, *bad)).collect(),
        _ => dead,
    };
    world.order(kind);
    world.store();
    // The receiver would take them now.
    world.poison.clear();
    let before: Vec<u64> = left_out.iter().map(|bad| arrivals(&world, *bad)).collect();
    // What follows them in their streams goes out without them.
    left_out.iter().for_each(|bad| {
        world.arrived.entry(*bad).or_default();
    });
    for _ in 0..200 {
        world.step();
    }
    world.crash();
    world.finish();
    let after: Vec<u64> = left_out.iter().map(|bad| arrivals(&world, *bad)).collect();
    assert_eq!(after, before, "of {left_out:?}");
}

/// Returns an event and what there is behind it of its stream.
fn behind(world: &World, position: u64) -> Vec<u64> {
    let stream = world.log[position as usize - 1].stream_id();
    let there = world.log.iter().take(world.appended as usize).skip(position as usize - 1);
    there.filter(|own| own.stream_id() == stream).map(|own| own.position().get()).collect()
}

fn arrivals(world: &World, position: u64) -> u64 {
    world.arrived.get(&position).copied().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn what_was_skipped_stays_so_however_often_it_crashes(seed in any::<u64>()) {
        left_out(seed, Ordering::PerStream, OrderKind::Skip);
        left_out(seed, Ordering::None, OrderKind::Skip);
    }

    #[test]
    fn what_was_discarded_stays_so_however_often_it_crashes(seed in any::<u64>()) {
        left_out(seed, Ordering::PerStream, OrderKind::Discard);
    }
}

#[test]
fn a_redrive_with_a_rate_keeps_it_for_what_waits_behind_and_when_the_endpoint_works_again() {
    let mut world = World::filled(Draw(7), Ordering::PerStream, None);
    world.poison = world.log.iter().map(|own| own.position().get()).collect();
    world.rules.in_flight_max = 8;
    // What fails comes again by its schedule, at no rate.
    world.rules.retry = RetrySchedule::new(vec![3_600_000; 3]).unwrap();
    world.backlog.set_rules(world.rules.clone());
    world.finish();
    world.poison.clear();
    let dead = world.backlog.dead();
    assert!(dead > 2, "{dead}");
    let selection = Selection { all: true, ..Selection::default() };
    let order = Order { kind: OrderKind::Redrive, selection, rate_per_second: Some(2) };
    assert!(world.backlog.apply((&order, Position::new(world.appended)), world.now));
    fail_until_broken(&mut world);
    let missing = world.missing().len();
    let start = world.now.tick;
    for _ in 0..5_000 {
        for _ in 0..10 {
            world.begin_some();
            (0..8).for_each(|_| world.end_one());
        }
        let (sent, seconds) = (missing - world.missing().len(), (world.now.tick - start).as_secs());
        assert!(sent as u64 <= 2 * seconds + 2, "{sent} in {seconds} s");
        world.wait(Duration::from_secs(1));
    }
    assert_eq!(world.missing(), [0_u64; 0]);
}

/// Fails requests until the breaker is open, so that the endpoint is found to work again.
fn fail_until_broken(world: &mut World) {
    while !world.backlog.is_broken() {
        while let Some(task) = world.backlog.next(world.now) {
            match task {
                Task::Send { ticket, event, .. } => {
                    let outcome = Outcome::Failed(Again::default());
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
}
