use std::time::{Duration, Instant};

use headwater::event::Position;
use serde_json::value::RawValue;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

fn message(bytes: usize) -> Message {
    let event = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
    let (position, headers) = (Position::new(1), Vec::new());
    Message { position, attempt: 1, content_type: "application/json", headers, event }
}

fn anna() -> Taker {
    Taker { consumer: "anna".into(), connection: None }
}

/// Deliveries of which one is taken.
fn taken(now: Instant) -> (Deliveries, Token, u64) {
    let mut deliveries = Deliveries::new(TIMEOUT);
    let (number, _) = deliveries.offer(message(1));
    let token = deliveries.take(&anna(), 1, now)[0].token;
    (deliveries, token, number)
}

#[test]
fn a_delivery_is_held_for_twelve_hours_at_most_however_often_it_is_extended() {
    let start = Instant::now();
    let (mut deliveries, token, number) = taken(start);
    let mut now = start;
    let last = loop {
        now += Duration::from_secs(20);
        match deliveries.extend(token, now) {
            Answer::Extended(until) if until < now + TIMEOUT => break until,
            answer => assert_eq!(answer, Answer::Extended(now + TIMEOUT)),
        }
    };
    assert_eq!(last, start + Duration::from_hours(12));
    deliveries.expire(number, last);
    assert_eq!(deliveries.extend(token, last), Answer::Gone);
}

#[test]
fn an_acknowledgement_counts_until_its_time_is_over_and_again_once_it_counted() {
    let now = Instant::now();
    let (mut deliveries, token, number) = taken(now);
    deliveries.expire(number, now + TIMEOUT - Duration::from_millis(1));
    assert_eq!(deliveries.acknowledge(token, now), Answer::Done);
    assert_eq!(deliveries.acknowledge(token, now), Answer::Done);
    assert_eq!(deliveries.reject(token, Nack::default(), now), Answer::Gone);
    let (mut deliveries, token, number) = taken(now);
    deliveries.expire(number, now + TIMEOUT);
    assert_eq!(deliveries.acknowledge(token, now), Answer::Gone);
}

#[test]
fn the_names_of_one_group_say_nothing_to_another() {
    let now = Instant::now();
    let ((mut one, of_one, _), (mut two, of_two, _)) = (taken(now), taken(now));
    assert_eq!(of_one.number, of_two.number);
    assert_eq!(one.acknowledge(of_one, now), Answer::Done);
    assert_eq!(one.acknowledge(of_two, now), Answer::Gone);
    assert_eq!(two.extend(of_one, now), Answer::Gone);
}

#[test]
fn what_is_handed_out_at_once_is_bounded_in_bytes_and_is_at_least_one_event() {
    let (mut deliveries, now) = (Deliveries::new(TIMEOUT), Instant::now());
    for _ in 0..9 {
        deliveries.offer(message(1 << 20));
    }
    deliveries.offer(message(9 << 20));
    let mut take = || deliveries.take(&anna(), 256, now).len();
    assert_eq!([take(), take(), take(), take()], [4, 4, 2, 0]);
}

#[test]
fn there_are_so_many_connections_and_no_more() {
    let (mut deliveries, now) = (Deliveries::new(TIMEOUT), Instant::now());
    let joined: Vec<u64> =
        std::iter::from_fn(|| deliveries.join().map(|(number, _)| number)).collect();
    assert_eq!(joined.len(), 128);
    deliveries.leave(joined[0], now);
    assert!(deliveries.join().is_some() && deliveries.join().is_none());
}
