//! Order hours: one row for each tenant, weekday and local hour, in SQL form.
//!
//! The row form would do as well; this one shows the other: own table, own statement.

use headwater::event::Recorded;
use headwater::projection::{Projection, ProjectionError};
use headwater::sql::{Tx, ValueRef};

use crate::order::{Entry, OrderEvent};

/// Projects when people buy: one row for each tenant, weekday and hour in the United Kingdom.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderHours;

const ADD: &str = "\
insert into {order_hours} (tenant, weekday, hour, orders, lines, units) \
values ($1, $2, $3, 1, $4, $5) \
on conflict (tenant, weekday, hour) do update set \
orders = {order_hours}.orders + 1, \
lines = {order_hours}.lines + excluded.lines, \
units = {order_hours}.units + excluded.units";

impl Projection for OrderHours {
    const NAME: &'static str = "order_hours";
    const VERSION: u32 = 1;
    /// Weekdays count from 1, Monday, to 7; hours from 0 to 23.
    const SCHEMA: &'static str = "\
        create table {order_hours} (\
        tenant text not null, \
        weekday integer not null, \
        hour integer not null, \
        orders bigint not null, \
        lines bigint not null, \
        units bigint not null, \
        primary key (tenant, weekday, hour))";
    type Event = OrderEvent;

    fn apply(
        &self,
        batch: &[Recorded<OrderEvent>],
        tx: &mut Tx<'_>,
    ) -> Result<(), ProjectionError> {
        let rows = batch.iter().filter_map(|event| match &event.data {
            OrderEvent::Placed(entry) => Some(row(event.tenant(), entry)),
            _ => None,
        });
        tx.execute_many(ADD, rows)?;
        Ok(())
    }
}

/// Values of [`ADD`] for one sale.
fn row<'e>(tenant: &'e str, entry: &Entry) -> [ValueRef<'e>; 5] {
    let local = entry.time.local;
    let weekday = i32::from(local.weekday().to_monday_one_offset());
    let hour = i32::from(local.hour());
    let lines = i64::try_from(entry.lines.len()).unwrap_or(i64::MAX);
    [tenant.into(), weekday.into(), hour.into(), lines.into(), entry.units().into()]
}
