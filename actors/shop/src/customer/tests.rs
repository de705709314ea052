use headwater::test::{given, given_nothing};

use super::*;

fn time() -> Moment {
    Moment::of_local("2011-06-01 08:26:00".parse().unwrap())
}

fn country(name: &str) -> Country {
    Country::new(name).unwrap()
}

fn register(name: &str) -> Register {
    Register { country: country(name), local_time: Some(time().local) }
}

fn move_to(name: &str) -> Move {
    Move { country: country(name), local_time: Some(time().local) }
}

fn registered(name: &str) -> CustomerEvent {
    CustomerEvent::Registered { country: country(name), time: time() }
}

fn moved(name: &str) -> CustomerEvent {
    CustomerEvent::Moved { country: country(name), time: time() }
}

#[test]
fn a_customer_is_registered() {
    given_nothing::<Customer>().when(register("Cyprus")).then([registered("Cyprus")]);
}

#[test]
fn a_customer_known_in_another_country_cannot_be_registered() {
    let country = country("Austria");
    given::<Customer>([registered("Cyprus"), moved("Austria")])
        .when(register("Cyprus"))
        .then_rejected(CustomerRejection::AlreadyRegistered { country });
}

#[test]
fn registering_a_customer_as_is_does_nothing() {
    given::<Customer>([registered("Cyprus")]).when(register("Cyprus")).then_nothing();
}

#[test]
fn a_customer_moves_and_moves_back() {
    given::<Customer>([registered("Cyprus")])
        .when(move_to("Austria"))
        .then([moved("Austria")])
        .when(move_to("Cyprus"))
        .then([moved("Cyprus")]);
}

#[test]
fn a_customer_nobody_knows_cannot_move() {
    given_nothing::<Customer>()
        .when(move_to("Austria"))
        .then_rejected(CustomerRejection::NotRegistered);
}

#[test]
fn moving_to_where_the_customer_is_does_nothing() {
    given::<Customer>([registered("Cyprus")]).when(move_to("Cyprus")).then_nothing();
}

#[test]
fn every_shape_of_a_customer_event_has_its_golden_file() {
    headwater::test::golden::check::<CustomerEvent>(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/events"),
        [registered("United Kingdom"), moved("EIRE")],
    );
}
