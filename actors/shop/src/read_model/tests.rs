use headwater::event::{
    NewEvent, Position, Recorded, RecordedEvent, Revision, StreamId, Tenant, encode_record,
    seal_record,
};
use headwater::projection::{Projection, ProjectionError};
use headwater::sql::{SqliteConfig, Tx, Value};
use headwater::test::given_rows;

use super::*;
use crate::customer::CustomerEvent;
use crate::moment::Moment;
use crate::money::Money;
use crate::name::{Country, CustomerId, ProductCode};
use crate::order::{Entry, Line, OrderEvent, OrderKind};
use crate::product::ProductEvent;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn country(name: &str) -> Country {
    Country::new(name).unwrap()
}

fn at(local: &str) -> Moment {
    Moment::of_local(local.parse().unwrap())
}

/// Lines of customer 17850, each product, quantity and price, on a day.
fn entry(day: &str, lines: &[(&str, i32, &str)]) -> Entry {
    let line = |(product, quantity, price): &(&str, i32, &str)| {
        Line::new(ProductCode::new(product).unwrap(), *quantity, money(price))
    };
    Entry {
        customer: CustomerId::new("17850").ok(),
        country: country("United Kingdom"),
        time: at(&format!("{day} 08:26:00")),
        lines: lines.iter().map(line).collect(),
    }
}

fn sale() -> Entry {
    entry("2010-12-01", &[("A", 6, "2.55"), ("A", 6, "2.55"), ("B", 1, "0")])
}

fn placed() -> OrderEvent {
    OrderEvent::Placed(sale())
}

fn returned() -> OrderEvent {
    OrderEvent::LinesReturned(entry("2010-12-03", &[("A", 2, "2.55")]))
}

fn cancelled() -> OrderEvent {
    OrderEvent::Cancelled {
        entry: Entry { time: at("2010-12-02 09:00:00"), ..sale() },
        reason: None,
    }
}

fn order_row() -> OrderRow {
    OrderRow {
        order: "1".into(),
        kind: OrderKind::Sale,
        customer: CustomerId::new("17850").ok(),
        country: country("United Kingdom"),
        time: at("2010-12-01 08:26:00"),
        lines: 3,
        units: 13,
        booked: money("30.60"),
        returned: Money::ZERO,
        total: money("30.60"),
        cancelled: false,
    }
}

#[test]
fn a_sale_becomes_an_order_row_and_returns_lower_its_total() {
    let back = OrderRow { returned: money("5.10"), total: money("25.50"), ..order_row() };
    given_rows(Orders)
        .events("1", [placed()])
        .then_row(&"1".to_owned(), &order_row())
        .events("1", [returned()])
        .then_row(&"1".to_owned(), &back);
}

#[test]
fn a_cancelled_sale_keeps_its_row_and_is_worth_nothing() {
    let back =
        OrderRow { returned: money("30.60"), total: Money::ZERO, cancelled: true, ..order_row() };
    given_rows(Orders)
        .row(&"1".to_owned(), order_row())
        .events("1", [cancelled()])
        .then_row(&"1".to_owned(), &back);
}

#[test]
fn a_credit_has_a_row_of_its_own_below_nothing() {
    let rows = given_rows(Orders).events("C1", [returned()]);
    let row = &rows.rows()["C1"];
    assert_eq!((row.kind, row.lines, row.units), (OrderKind::Credit, 1, 2));
    assert_eq!((row.booked, row.total), (Money::ZERO, money("-5.10")));
}

#[test]
fn a_customer_row_sums_orders_that_came_before_the_registration() {
    let registered =
        CustomerEvent::Registered { country: country("Cyprus"), time: at("2010-12-01 08:00:00") };
    let moved = CustomerEvent::Moved { country: country("EIRE"), time: at("2011-01-01 08:00:00") };
    let expected = CustomerRow {
        customer: "17850".into(),
        country: Some(country("EIRE")),
        moves: 1,
        orders: 1,
        returns: 1,
        bought: money("30.60"),
        returned: money("5.10"),
        revenue: money("25.50"),
        first_order: Some(at("2010-12-01 08:26:00")),
        last_order: Some(at("2010-12-01 08:26:00")),
    };
    given_rows(Customers)
        .events("1", [placed()])
        .events("C1", [returned()])
        .events("17850", [registered, moved])
        .then_row(&"17850".to_owned(), &expected);
}

#[test]
fn an_order_without_customer_makes_no_customer_row() {
    let nameless = OrderEvent::Placed(Entry { customer: None, ..sale() });
    assert!(given_rows(Customers).events("1", [nameless]).rows().is_empty());
}

#[test]
fn first_and_last_order_follow_the_orders_times_not_their_arrival() {
    let of = |day| OrderEvent::Placed(entry(day, &[("A", 1, "1")]));
    let rows = given_rows(Customers)
        .events("2", [of("2011-02-01")])
        .events("1", [of("2010-12-01")])
        .events("3", [of("2011-01-01")]);
    let row = &rows.rows()["17850"];
    assert_eq!(row.first_order, Some(at("2010-12-01 08:26:00")));
    assert_eq!(row.last_order, Some(at("2011-02-01 08:26:00")));
}

#[test]
fn a_product_row_counts_every_line_of_an_order_duplicates_too() {
    let expected = ProductRow {
        product: "A".into(),
        lines: 3,
        units_sold: 12,
        units_returned: 2,
        revenue: money("25.50"),
        ..ProductRow::default()
    };
    given_rows(Products)
        .events("1", [placed()])
        .events("C1", [returned()])
        .then_row(&"A".to_owned(), &expected);
}

#[test]
fn a_stock_adjustment_moves_units_and_no_money() {
    let adjusted = OrderEvent::StockAdjusted(entry("2010-12-01", &[("A", -30, "0")]));
    let rows = given_rows(Products).events("1", [adjusted.clone()]);
    assert_eq!(rows.rows()["A"].units_adjusted, -30);
    assert_eq!(rows.rows()["A"].revenue, Money::ZERO);
    assert!(given_rows(Revenue).events("1", [adjusted]).rows().is_empty());
}

#[test]
fn a_product_row_keeps_the_last_sixteen_earlier_descriptions_each_once() {
    let time = at("2010-12-01 08:26:00");
    let described = |n: u32| ProductEvent::Described { description: format!("D{n}"), time };
    let added = ProductEvent::Added { description: Some("D0".into()), time };
    let again = described(20);
    let events =
        std::iter::once(added).chain((1..=20).map(described)).chain([described(19), again]);
    let rows = given_rows(Products).events("A", events);
    let row = &rows.rows()["A"];
    assert_eq!(row.description.as_deref(), Some("D20"));
    let expected: Vec<_> = (4..=19).map(|n| format!("D{n}")).collect();
    assert_eq!(row.earlier_descriptions, expected);
}

#[test]
fn revenue_counts_what_goes_back_on_the_day_it_goes_back() {
    let key =
        |day: &str| RevenueKey { day: day.parse().unwrap(), country: country("United Kingdom") };
    let rows = given_rows(Revenue).events("1", [placed()]).events("C1", [returned()]);
    let (sold, back) =
        (&rows.rows()["2010-12-01|United Kingdom"], &rows.rows()[&key("2010-12-03").to_string()]);
    assert_eq!((sold.orders, sold.gross, sold.net), (1, money("30.60"), money("30.60")));
    assert_eq!((back.returns, back.returned, back.net), (1, money("5.10"), money("-5.10")));
    assert_eq!(back.month, "2010-12");
}

#[test]
fn revenue_of_a_debt_adjustment_is_kept_apart_and_counted() {
    let written_off = OrderEvent::DebtAdjusted(entry("2011-08-12", &[("B", 1, "-11062.06")]));
    let rows = given_rows(Revenue).events("A1", [written_off]);
    let row = &rows.rows()["2011-08-12|United Kingdom"];
    assert_eq!(
        (row.adjusted, row.net, row.gross),
        (money("-11062.06"), money("-11062.06"), Money::ZERO)
    );
}

#[test]
fn revenue_belongs_to_the_local_day_when_the_utc_day_is_another() {
    let mut late = sale();
    late.time = at("2011-07-02 00:30:00");
    let rows = given_rows(Revenue).events("1", [OrderEvent::Placed(late)]);
    assert!(rows.rows().contains_key("2011-07-02|United Kingdom"));
}

fn recorded(event: &OrderEvent) -> Recorded<OrderEvent> {
    let stream = StreamId::new("order", "1").unwrap();
    let mut bytes = Vec::new();
    let new = NewEvent::typed(event).unwrap();
    encode_record(&mut bytes, &Tenant::default_tenant(), &stream, &new);
    seal_record(&mut bytes, Position::FIRST, Revision::FIRST, event.entry().time.at);
    Recorded::new(event.clone(), RecordedEvent::parse(&bytes.into()).unwrap())
}

#[tokio::test]
async fn order_hours_count_sales_by_weekday_and_local_hour() {
    let dir = tempfile::tempdir().unwrap();
    let database = SqliteConfig::at(dir.path().join("shop.db")).open().unwrap();
    let count = database.transact(|engine| {
        let mut tx = Tx::new(engine, "_v1");
        tx.execute(OrderHours::SCHEMA, &[])?;
        let batch = [recorded(&placed()), recorded(&returned()), recorded(&placed())];
        OrderHours.apply(&batch, &mut tx)?;
        let columns = "select weekday, hour, orders, lines, units from {order_hours}";
        Ok::<_, ProjectionError>(tx.query(columns, &[])?)
    });
    // The first of December 2010 was a Wednesday.
    assert_eq!(count.await.unwrap(), [[3, 8, 2, 6, 26].map(Value::Int).to_vec()]);
}
