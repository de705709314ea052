//! Messages of several events in the simulated world.

use super::*;
use crate::dispatch::backlog::Together;

impl World {
    /// What goes in one message is in the order of the log, within its bounds.
    pub(super) fn check_together(&self, events: &[RecordedEvent]) {
        let load = self.rules.filling.unwrap().load;
        assert!((2..=load.events).contains(&events.len()), "{} events", events.len());
        let bytes: usize = events.iter().map(|event| event.as_bytes().len()).sum();
        assert!(bytes <= load.bytes, "{bytes} bytes, at most {}", load.bytes);
        for (at, event) in events.iter().enumerate() {
            self.check_order(event, &events[..at]);
        }
    }

    /// One event that is refused spoils the message; otherwise all of it arrives, or none.
    pub(super) fn end_together(&mut self, together: Together) {
        let outcome = if self.has_poison(&together.events) {
            match self.draw.one_in(2) {
                true => Outcome::Hopeless(LastFailure::default()),
                false => refused(400),
            }
        } else if self.is_failing && self.draw.one_in(3) {
            let is_throttled = self.draw.one_in(2);
            match self.draw.one_in(3) {
                true => refused(500),
                false => Outcome::Failed(Again { is_throttled, ..Again::default() }),
            }
        } else {
            self.arrive(&together.events);
            Outcome::Delivered
        };
        self.backlog.finished_together(together, outcome, self.now);
    }

    fn read_all(&mut self) {
        self.appended = self.log.len() as u64;
        while self.read < self.appended {
            self.read_some();
        }
    }

    /// Takes what is to be sent now: the positions of each message.
    fn sent(&mut self) -> Vec<Vec<u64>> {
        let positions = |events: &[RecordedEvent]| {
            events.iter().map(|event| event.position().get()).collect::<Vec<_>>()
        };
        let before = self.under_way.len();
        self.begin_some();
        let tasks = self.under_way[before..].iter();
        tasks
            .map(|(task, _)| match task {
                Task::Send { event, .. } => positions(std::slice::from_ref(event)),
                Task::SendTogether(together) => positions(&together.events),
                Task::Fetch { .. } => Vec::new(),
            })
            .collect()
    }

    /// Ends the message that is under way alone.
    fn end_with(&mut self, outcome: Outcome) {
        let task = self.under_way.pop().unwrap().0;
        if let (Outcome::Delivered, Task::Send { event, .. }) = (&outcome, &task) {
            self.arrive(std::slice::from_ref(event));
        }
        match task {
            Task::Send { ticket, event, .. } => {
                self.backlog.finished(ticket, &event, outcome, self.now);
            }
            Task::SendTogether(together) => {
                self.backlog.finished_together(together, outcome, self.now);
            }
            Task::Fetch { .. } => panic!("nothing was sent"),
        }
    }
}

fn refused(status: u16) -> Outcome {
    let last = LastFailure { status: Some(status), error: None };
    Outcome::Failed(Again { last, ..Again::default() })
}

/// A world in which events of streams a, b, a, c, a lie, with four in a message and one message
/// at a time.
fn five(wait: Duration) -> World {
    let load = Load { events: 4, bytes: 1 << 20 };
    let filling = Some(Filling { load, wait });
    let mut world = World::filled(Draw(3), Ordering::PerStream, filling);
    (world.is_failing, world.rules.in_flight_max) = (false, 1);
    world.backlog = Backlog::new(world.rules.clone(), Position::ZERO, Owed::default());
    let streams = [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3)];
    let event = |(at, (stream, revision))| event(at, stream, revision);
    world.log = (1..).zip(streams).map(event).collect();
    world.poison.clear();
    world.read_all();
    world
}

#[test]
fn of_each_stream_those_that_follow_one_another_go_together_in_the_order_of_the_log() {
    let mut world = five(Duration::ZERO);
    assert_eq!(world.sent(), [[1, 2, 3, 5]]);
    world.end_with(Outcome::Delivered);
    assert_eq!((world.sent(), world.backlog.position().get()), (vec![vec![4]], 3));
}

#[test]
fn a_message_with_room_waits_for_more_and_a_full_one_does_not() {
    let mut world = five(Duration::from_secs(5));
    assert_eq!(world.sent(), [[1, 2, 3, 5]]);
    world.end_with(Outcome::Delivered);
    assert_eq!(world.sent(), [[0; 0]; 0]);
    let wake_at = world.backlog.wake_at().unwrap();
    assert_eq!(wake_at, world.now.tick + Duration::from_secs(5));
    world.wait(Duration::from_secs(5));
    assert_eq!(world.sent(), [[4]]);
}

#[test]
fn a_message_that_was_refused_comes_apart_and_what_comes_behind_goes_together() {
    let mut world = five(Duration::ZERO);
    world.sent();
    world.end_with(refused(400));
    for position in [1, 2] {
        assert_eq!(world.sent(), [[position]]);
        world.end_with(Outcome::Delivered);
    }
    assert_eq!(world.sent(), [[4]]);
    world.end_with(Outcome::Delivered);
    assert_eq!(world.sent(), [[3]]);
    world.end_with(Outcome::Hopeless(LastFailure::default()));
    // What waits behind it is not sent, and costs nothing.
    assert_eq!((world.sent(), world.backlog.dead()), (Vec::new(), 1));
    assert_eq!(world.backlog.position().get(), 5);
}

#[test]
fn a_message_that_no_event_is_to_blame_for_is_sent_again_as_it_was_and_later_event_by_event() {
    let mut world = five(Duration::ZERO);
    for outcome in [Outcome::Failed(Again::default()), refused(503), refused(404)] {
        assert_eq!(world.sent(), [[1, 2, 3, 5]]);
        world.end_with(outcome);
        assert_eq!(world.sent(), [[0; 0]; 0]);
        world.wait(Duration::from_secs(10));
    }
    assert_eq!(world.sent(), [[1]]);
    assert_eq!((world.backlog.failed, world.backlog.changes().blocks.len()), (12, 0));
}
