//! Customers: one row for each customer.

use headwater::event::Recorded;
use headwater::projection::{ProjectionError, RowProjection};
use serde::{Deserialize, Serialize};

use crate::customer::CustomerEvent;
use crate::moment::Moment;
use crate::money::Money;
use crate::name::Country;
use crate::order::OrderEvent;

/// Projects customers: one row for each customer number.
///
/// Orders without customer have no row here; the rows' sum is not the shop's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Customers;

headwater::merge_events! {
    /// What a customer's row follows from.
    #[derive(Debug)]
    pub enum CustomersEvent { Customer(CustomerEvent), Order(OrderEvent) }
}

/// One row for each customer number: where they are and what they bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRow {
    /// The customer's number.
    pub customer: String,
    /// Where the customer is; `None` while the customer has orders but is not registered.
    pub country: Option<Country>,
    /// How often the customer moved to another country.
    pub moves: u32,
    /// How many sales; cancelled ones stay counted.
    pub orders: u32,
    /// How many times something went back: credits, returns and cancellations.
    pub returns: u32,
    /// Quantity times price of all sales.
    pub bought: Money,
    /// Quantity times price of what went back, as a positive amount.
    pub returned: Money,
    /// `bought` less `returned`, and debt adjustments.
    pub revenue: Money,
    /// The earliest sale by its own time; `None` while there is none.
    pub first_order: Option<Moment>,
    /// The latest sale by its own time; `None` while there is none.
    pub last_order: Option<Moment>,
}

impl RowProjection for Customers {
    const NAME: &'static str = "customers";
    const VERSION: u32 = 1;
    const INDEXES: &'static [&'static str] = &["country"];
    type Event = CustomersEvent;
    type Key = String;
    type Row = CustomerRow;

    fn route(&self, event: &Recorded<CustomersEvent>) -> impl IntoIterator<Item = String> {
        match &event.data {
            CustomersEvent::Customer(_) => Some(event.stream_id().to_owned()),
            CustomersEvent::Order(order) => order.entry().customer.clone().map(String::from),
        }
    }

    fn evolve(
        &self,
        key: &String,
        row: &mut Option<CustomerRow>,
        event: &Recorded<CustomersEvent>,
    ) -> Result<(), ProjectionError> {
        let row = row.get_or_insert_with(|| CustomerRow::new(key));
        match &event.data {
            CustomersEvent::Customer(CustomerEvent::Registered { country, .. }) => {
                row.country = Some(country.clone());
            }
            CustomersEvent::Customer(CustomerEvent::Moved { country, .. }) => {
                row.country = Some(country.clone());
                row.moves = row.moves.saturating_add(1);
            }
            CustomersEvent::Order(order) => row.count(order),
        }
        Ok(())
    }
}

impl CustomerRow {
    fn new(customer: &str) -> Self {
        Self {
            customer: customer.to_owned(),
            country: None,
            moves: 0,
            orders: 0,
            returns: 0,
            bought: Money::ZERO,
            returned: Money::ZERO,
            revenue: Money::ZERO,
            first_order: None,
            last_order: None,
        }
    }

    fn count(&mut self, order: &OrderEvent) {
        self.revenue += order.revenue();
        match order {
            OrderEvent::Placed(entry) => {
                self.orders = self.orders.saturating_add(1);
                self.bought += entry.total();
                self.span(entry.time);
            }
            OrderEvent::LinesReturned(entry) | OrderEvent::Cancelled { entry, .. } => {
                self.returns = self.returns.saturating_add(1);
                self.returned += entry.total();
            }
            OrderEvent::DebtAdjusted(_) | OrderEvent::StockAdjusted(_) => {}
        }
    }

    /// Widens the time from first to last; orders may arrive in another order than their times.
    fn span(&mut self, time: Moment) {
        if self.first_order.is_none_or(|first| time.at < first.at) {
            self.first_order = Some(time);
        }
        if self.last_order.is_none_or(|last| time.at >= last.at) {
            self.last_order = Some(time);
        }
    }
}
