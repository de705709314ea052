//! Orders: one row for each order, credit and adjustment.

use headwater::event::Recorded;
use headwater::projection::{ProjectionError, RowProjection};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::money::Money;
use crate::name::{Country, CustomerId};
use crate::order::{Entry, OrderEvent, OrderKind};

/// Projects orders: one row for each order id.
#[derive(Clone, Copy, Debug, Default)]
pub struct Orders;

/// One row for each order id: what was booked, and what of it went back since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order's id.
    pub order: String,
    /// What kind of entry it is.
    pub kind: OrderKind,
    /// The customer; `None` when the shop does not know.
    pub customer: Option<CustomerId>,
    /// The country it is counted under.
    pub country: Country,
    /// When it was booked.
    pub time: Moment,
    /// How many lines were booked, duplicates counted; of a credit those that came back.
    pub lines: u32,
    /// How many units were booked; of a credit those that came back.
    pub units: i64,
    /// Quantity times price of what was booked; of a credit 0.
    pub booked: Money,
    /// Quantity times price of what went back, as a positive amount.
    pub returned: Money,
    /// `booked` less `returned`: what the order adds to the shop's revenue.
    pub total: Money,
    /// Whether the sale was cancelled as a whole.
    pub cancelled: bool,
}

impl RowProjection for Orders {
    const NAME: &'static str = "orders";
    const VERSION: u32 = 1;
    const INDEXES: &'static [&'static str] = &["customer", "country", "kind"];
    type Event = OrderEvent;
    type Key = String;
    type Row = OrderRow;

    fn route(&self, event: &Recorded<OrderEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        key: &String,
        row: &mut Option<OrderRow>,
        event: &Recorded<OrderEvent>,
    ) -> Result<(), ProjectionError> {
        let (kind, entry) = match &event.data {
            OrderEvent::Placed(entry) => (OrderKind::Sale, entry),
            OrderEvent::DebtAdjusted(entry) => (OrderKind::DebtAdjustment, entry),
            OrderEvent::StockAdjusted(entry) => (OrderKind::StockAdjustment, entry),
            OrderEvent::LinesReturned(entry) | OrderEvent::Cancelled { entry, .. } => {
                let row = row.get_or_insert_with(|| OrderRow::new(key, OrderKind::Credit, entry));
                row.take_back(entry.total());
                row.cancelled |= matches!(event.data, OrderEvent::Cancelled { .. });
                return Ok(());
            }
        };
        let booked = entry.total();
        *row = Some(OrderRow { booked, total: booked, ..OrderRow::new(key, kind, entry) });
        Ok(())
    }
}

impl OrderRow {
    fn new(order: &str, kind: OrderKind, entry: &Entry) -> Self {
        Self {
            order: order.to_owned(),
            kind,
            customer: entry.customer.clone(),
            country: entry.country.clone(),
            time: entry.time,
            lines: u32::try_from(entry.lines.len()).unwrap_or(u32::MAX),
            units: entry.units(),
            booked: Money::ZERO,
            returned: Money::ZERO,
            total: Money::ZERO,
            cancelled: false,
        }
    }

    fn take_back(&mut self, amount: Money) {
        self.returned += amount;
        self.total -= amount;
    }
}
