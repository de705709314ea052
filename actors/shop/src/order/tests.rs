use headwater::aggregate::{Context, Decide};
use headwater::event::{Metadata, StreamId, Tenant};
use headwater::test::{given, given_nothing};

use super::*;
use crate::moment::Moment;
use crate::name::ProductCode;

fn line(product: &str, quantity: i32, price: &str) -> Line {
    Line::new(ProductCode::new(product).unwrap(), quantity, price.parse().unwrap())
}

fn uk() -> Country {
    Country::new("United Kingdom").unwrap()
}

fn entry(lines: &[Line]) -> Entry {
    let time = Moment::of_local("2010-12-01 08:26:00".parse().unwrap());
    Entry { customer: CustomerId::new("17850").ok(), country: uk(), time, lines: lines.to_vec() }
}

fn place(lines: &[Line]) -> Place {
    let Entry { customer, country, time, lines } = entry(lines);
    Place { customer, country, local_time: Some(time.local), lines }
}

fn give_back(lines: &[Line]) -> ReturnLines {
    let Entry { customer, country, time, lines } = entry(lines);
    ReturnLines { customer, country: Some(country), local_time: Some(time.local), lines }
}

fn cancel() -> Cancel {
    Cancel { reason: None, local_time: Some(entry(&[]).time.local) }
}

fn adjust_debt(lines: &[Line]) -> AdjustDebt {
    let Entry { customer, country, time, lines } = entry(lines);
    AdjustDebt { customer, country, local_time: Some(time.local), lines }
}

fn adjust_stock(lines: &[Line]) -> AdjustStock {
    let Entry { country, time, lines, .. } = entry(lines);
    AdjustStock { country, local_time: Some(time.local), lines }
}

fn placed(lines: &[Line]) -> OrderEvent {
    OrderEvent::Placed(entry(lines))
}

fn cancelled(lines: &[Line]) -> OrderEvent {
    OrderEvent::Cancelled { entry: entry(lines), reason: None }
}

#[test]
fn an_order_is_placed_with_its_lines_as_they_are() {
    let twice = [line("85123A", 6, "2.55"), line("85123A", 6, "2.55"), line("22841", 1, "0.0")];
    given_nothing::<Order>().when(place(&twice)).then([placed(&twice)]);
}

#[test]
fn an_order_cannot_be_placed_twice() {
    let lines = [line("85123A", 6, "2.55")];
    let taken = OrderRejection::AlreadyBooked(OrderKind::Sale);
    given::<Order>([placed(&lines)]).when(place(&lines)).then_rejected(taken);
}

#[test]
fn an_order_without_lines_is_refused() {
    given_nothing::<Order>().when(place(&[])).then_rejected(OrderRejection::Empty);
}

#[test]
fn an_order_with_too_many_lines_is_refused() {
    let count = Entry::LINES_MAX + 1;
    let many = vec![line("85123A", 1, "1"); count];
    given_nothing::<Order>()
        .when(place(&many))
        .then_rejected(OrderRejection::TooManyLines { count });
}

#[test]
fn a_sale_of_a_quantity_below_one_is_refused_and_the_line_named() {
    let lines = [line("85123A", 1, "2.55"), line("22841", -1, "2.55")];
    let fault = LineFault::Quantity { quantity: -1, kind: OrderKind::Sale, wanted: "above 0" };
    given_nothing::<Order>()
        .when(place(&lines))
        .then_rejected(OrderRejection::Line { number: 2, fault });
}

#[test]
fn a_price_below_a_hundredth_of_a_penny_or_past_the_bound_is_refused() {
    for price in ["0.00001", "100000000.5"] {
        let fault = LineFault::PriceBound(price.parse().unwrap());
        given_nothing::<Order>()
            .when(place(&[line("85123A", 1, price)]))
            .then_rejected(OrderRejection::Line { number: 1, fault });
    }
}

#[test]
fn an_order_without_a_time_is_placed_now() {
    let mut command = place(&[line("85123A", 6, "2.55")]);
    command.local_time = None;
    let mut expected = entry(&command.lines);
    expected.time = Moment::of_local("2020-01-01 00:00:00".parse().unwrap());
    given_nothing::<Order>().when(command).then([OrderEvent::Placed(expected)]);
}

#[test]
fn lines_of_a_sale_come_back_in_parts_until_none_is_left() {
    let sold = [line("85123A", 6, "2.55"), line("85123A", 2, "2.55")];
    let (most, rest) = ([line("85123A", 7, "2.55")], [line("85123A", 1, "2.55")]);
    given::<Order>([placed(&sold)])
        .when(give_back(&most))
        .then([OrderEvent::LinesReturned(entry(&most))])
        .when(give_back(&rest))
        .then([OrderEvent::LinesReturned(entry(&rest))])
        .when(give_back(&rest))
        .then_rejected(OrderRejection::MoreThanSold { number: 1 });
}

#[test]
fn a_return_at_another_price_is_refused() {
    given::<Order>([placed(&[line("85123A", 6, "2.55")])])
        .when(give_back(&[line("85123A", 1, "2.54")]))
        .then_rejected(OrderRejection::MoreThanSold { number: 1 });
}

#[test]
fn a_return_under_a_new_id_is_a_credit_that_names_no_sale() {
    let lines = [line("D", 1, "27.5")];
    given_nothing::<Order>()
        .when(give_back(&lines))
        .then([OrderEvent::LinesReturned(entry(&lines))])
        .when(give_back(&lines))
        .then_rejected(OrderRejection::AlreadyBooked(OrderKind::Credit));
}

#[test]
fn a_credit_without_a_country_is_refused() {
    let mut command = give_back(&[line("D", 1, "27.5")]);
    command.country = None;
    given_nothing::<Order>().when(command).then_rejected(OrderRejection::NoCountry);
}

#[test]
fn a_return_for_another_customer_than_the_sales_is_refused() {
    let lines = [line("85123A", 6, "2.55")];
    let mut command = give_back(&lines);
    command.customer = CustomerId::new("1").ok();
    given::<Order>([placed(&lines)])
        .when(command)
        .then_rejected(OrderRejection::Mismatch { field: "customer" });
}

#[test]
fn a_return_takes_customer_and_country_from_the_sale() {
    let lines = [line("85123A", 6, "2.55")];
    let mut command = give_back(&lines);
    (command.customer, command.country) = (None, None);
    given::<Order>([placed(&lines)]).when(command).then([OrderEvent::LinesReturned(entry(&lines))]);
}

#[test]
fn a_sale_is_cancelled_with_all_its_lines() {
    let lines = [line("85123A", 6, "2.55"), line("22841", 1, "0")];
    given::<Order>([placed(&lines)]).when(cancel()).then([cancelled(&lines)]);
}

#[test]
fn what_cannot_be_cancelled_is_refused() {
    let lines = [line("85123A", 6, "2.55")];
    let back = OrderEvent::LinesReturned(entry(&[line("85123A", 1, "2.55")]));
    given_nothing::<Order>().when(cancel()).then_rejected(OrderRejection::NotPlaced);
    given::<Order>([placed(&lines), back.clone()])
        .when(cancel())
        .then_rejected(OrderRejection::PartlyReturned);
    given::<Order>([back])
        .when(cancel())
        .then_rejected(OrderRejection::NotASale(OrderKind::Credit));
}

#[test]
fn cancelling_twice_does_nothing_more() {
    let lines = [line("85123A", 6, "2.55")];
    given::<Order>([placed(&lines), cancelled(&lines)])
        .when(cancel())
        .then_nothing()
        .when(give_back(&lines))
        .then_rejected(OrderRejection::AlreadyCancelled);
}

#[test]
fn a_reason_past_its_bound_is_refused() {
    let command = Cancel { reason: Some("x".repeat(121)), local_time: None };
    given::<Order>([placed(&[line("85123A", 6, "2.55")])])
        .when(command)
        .then_rejected(OrderRejection::ReasonTooLong(121));
}

#[test]
fn debt_is_adjusted_either_way() {
    for price in ["11062.06", "-11062.06"] {
        let lines = [line("B", 1, price)];
        given_nothing::<Order>()
            .when(adjust_debt(&lines))
            .then([OrderEvent::DebtAdjusted(entry(&lines))]);
    }
}

#[test]
fn a_debt_adjustment_of_nothing_or_under_a_used_id_is_refused() {
    let lines = [line("B", 1, "0")];
    let fault = LineFault::Price {
        price: lines[0].price,
        kind: OrderKind::DebtAdjustment,
        wanted: "other than 0",
    };
    given_nothing::<Order>()
        .when(adjust_debt(&lines))
        .then_rejected(OrderRejection::Line { number: 1, fault });
    given::<Order>([OrderEvent::DebtAdjusted(entry(&lines))])
        .when(adjust_debt(&lines))
        .then_rejected(OrderRejection::AlreadyBooked(OrderKind::DebtAdjustment));
}

#[test]
fn stock_is_adjusted_either_way_with_its_note() {
    let mut lost = line("21275", -30, "0.0");
    lost.note = Some("?".into());
    let lines = [lost, line("22139", 56, "0.0")];
    let mut expected = entry(&lines);
    expected.customer = None;
    given_nothing::<Order>().when(adjust_stock(&lines)).then([OrderEvent::StockAdjusted(expected)]);
}

#[test]
fn a_stock_adjustment_with_a_price_is_refused() {
    let lines = [line("21275", -30, "0.5")];
    let fault = LineFault::Price {
        price: lines[0].price,
        kind: OrderKind::StockAdjustment,
        wanted: "to be 0",
    };
    given_nothing::<Order>()
        .when(adjust_stock(&lines))
        .then_rejected(OrderRejection::Line { number: 1, fault });
}

#[test]
fn every_shape_of_an_order_event_has_its_golden_file() {
    let lines = [line("85123A", 6, "2.55"), line("85123A", 6, "2.55")];
    let mut noted = line("21275", -30, "0.0");
    noted.note = Some("wrongly marked".into());
    noted.local_time = Some("2010-12-01 08:27:00".parse().unwrap());
    headwater::test::golden::check::<OrderEvent>(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/events"),
        [
            placed(&lines),
            OrderEvent::LinesReturned(entry(&[line("D", 1, "27.5")])),
            OrderEvent::Cancelled { entry: entry(&lines), reason: Some("by phone".into()) },
            OrderEvent::DebtAdjusted(entry(&[line("B", 1, "-11062.06")])),
            OrderEvent::StockAdjusted(Entry { customer: None, ..entry(&[noted]) }),
        ],
    );
}

proptest::proptest! {
    #[test]
    fn no_more_comes_back_than_was_sold(asked in proptest::collection::vec((0..3_usize, 1..6_i32), 1..40)) {
        let products = ["A", "B", "C"];
        let sold = [line("A", 7, "1"), line("B", 3, "1"), line("A", 2, "1")];
        let mut order = Order::default();
        order.evolve(&placed(&sold));
        let mut back = [0; 3];
        for (at, quantity) in asked {
            let command = give_back(&[line(products[at], quantity, "1")]);
            let events = order.decide(command, &context()).unwrap_or_default();
            events.iter().for_each(|event| order.evolve(event));
            back[at] += if events.is_empty() { 0 } else { quantity };
        }
        proptest::prop_assert!(back[0] <= 9 && back[1] <= 3 && back[2] == 0, "{back:?}");
    }
}

fn context() -> Context {
    Context {
        now: entry(&[]).time.at,
        tenant: Tenant::default_tenant(),
        stream: StreamId::new("order", "1").unwrap(),
        metadata: Metadata::default(),
    }
}

#[test]
fn a_command_reads_from_the_least_json_that_says_it() {
    let place: Place = serde_json::from_str(
        r#"{"country":"France","lines":[{"product":"85123A","quantity":6,"price":"2.55"}]}"#,
    )
    .unwrap();
    assert_eq!(place.lines, [line("85123A", 6, "2.55")]);
    assert_eq!((place.customer, place.local_time), (None, None));
    let back: ReturnLines =
        serde_json::from_str(r#"{"local_time":"2010-12-01T08:26:00","lines":[]}"#).unwrap();
    assert_eq!(back.local_time, Some(entry(&[]).time.local));
}

#[test]
fn a_misspelt_field_and_a_price_that_is_no_text_are_refused() {
    let told = |json: &str| serde_json::from_str::<Place>(json).unwrap_err().to_string();
    assert!(told(r#"{"country":"France","linse":[]}"#).starts_with("unknown field `linse`"));
    let float = r#"{"country":"France","lines":[{"product":"A","quantity":1,"price":2.55}]}"#;
    assert!(told(float).starts_with("invalid type: floating point"));
}
