use headwater::test::{given, given_nothing};

use super::*;

fn time() -> Moment {
    Moment::of_local("2010-12-01 08:26:00".parse().unwrap())
}

fn add(description: Option<&str>) -> Add {
    Add { description: description.map(Into::into), local_time: Some(time().local) }
}

fn describe(description: &str) -> Describe {
    Describe { description: description.into(), local_time: Some(time().local) }
}

fn added(description: Option<&str>) -> ProductEvent {
    ProductEvent::Added { description: description.map(Into::into), time: time() }
}

fn described(description: &str) -> ProductEvent {
    ProductEvent::Described { description: description.into(), time: time() }
}

#[test]
fn a_product_is_added_with_or_without_a_description() {
    given_nothing::<Product>().when(add(Some("LANTERN"))).then([added(Some("LANTERN"))]);
    given_nothing::<Product>().when(add(None)).then([added(None)]);
}

#[test]
fn a_product_cannot_be_added_anew_with_another_description() {
    given::<Product>([added(Some("LANTERN"))])
        .when(add(Some("LAMP")))
        .then_rejected(ProductRejection::AlreadyAdded);
}

#[test]
fn adding_a_product_as_it_is_does_nothing() {
    given::<Product>([added(Some("LANTERN"))]).when(add(Some("LANTERN"))).then_nothing();
}

#[test]
fn a_product_is_described_anew() {
    given::<Product>([added(None)]).when(describe("LAMP")).then([described("LAMP")]);
}

#[test]
fn a_description_that_is_empty_or_too_long_or_of_no_product_is_refused() {
    let known = || given::<Product>([added(None)]);
    known().when(describe("")).then_rejected(ProductRejection::NoDescription);
    known()
        .when(describe(&"x".repeat(257)))
        .then_rejected(ProductRejection::DescriptionTooLong(257));
    given_nothing::<Product>().when(describe("LAMP")).then_rejected(ProductRejection::NotAdded);
}

#[test]
fn describing_a_product_as_it_is_does_nothing() {
    given::<Product>([added(None), described("LAMP")]).when(describe("LAMP")).then_nothing();
}

#[test]
fn every_shape_of_a_product_event_has_its_golden_file() {
    headwater::test::golden::check::<ProductEvent>(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/events"),
        [added(Some("GIFT VOUCHER £40.00")), described("WHITE METAL LANTERN")],
    );
}
