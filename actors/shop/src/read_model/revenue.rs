//! Revenue: one row for each local day and country.

use std::fmt;

use headwater::event::Recorded;
use headwater::projection::{ProjectionError, RowProjection};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::name::Country;
use crate::order::OrderEvent;

/// Projects revenue: one row for each day in the United Kingdom and country.
///
/// What goes back counts on the day it went back, not on the day it was sold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revenue;

/// Identifies a row, as text `2010-12-01|United Kingdom`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RevenueKey {
    /// The day in the United Kingdom.
    pub day: Date,
    /// The country the orders are counted under.
    pub country: Country,
}

/// One row for each local day and country: what was earned, exact to the last decimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevenueRow {
    /// The day in the United Kingdom.
    pub day: Date,
    /// The month it is in, `2010-12`.
    pub month: String,
    /// The country the orders are counted under.
    pub country: Country,
    /// How many sales.
    pub orders: u32,
    /// How many times something went back: credits, returns and cancellations.
    pub returns: u32,
    /// Quantity times price of the sales.
    pub gross: Money,
    /// Quantity times price of what went back, as a positive amount.
    pub returned: Money,
    /// Sum of the debt adjustments, negative where debt was written off.
    pub adjusted: Money,
    /// `gross` less `returned` plus `adjusted`.
    pub net: Money,
}

impl RowProjection for Revenue {
    const NAME: &'static str = "revenue";
    const VERSION: u32 = 1;
    const INDEXES: &'static [&'static str] = &["day", "month", "country"];
    type Event = OrderEvent;
    type Key = RevenueKey;
    type Row = RevenueRow;

    fn route(&self, event: &Recorded<OrderEvent>) -> impl IntoIterator<Item = RevenueKey> {
        let entry = event.data.entry();
        let earns = !matches!(event.data, OrderEvent::StockAdjusted(_));
        earns.then(|| RevenueKey { day: entry.time.local.date(), country: entry.country.clone() })
    }

    fn evolve(
        &self,
        key: &RevenueKey,
        row: &mut Option<RevenueRow>,
        event: &Recorded<OrderEvent>,
    ) -> Result<(), ProjectionError> {
        let row = row.get_or_insert_with(|| RevenueRow::new(key));
        let amount = event.data.entry().total();
        match &event.data {
            OrderEvent::Placed(_) => {
                row.orders = row.orders.saturating_add(1);
                row.gross += amount;
            }
            OrderEvent::LinesReturned(_) | OrderEvent::Cancelled { .. } => {
                row.returns = row.returns.saturating_add(1);
                row.returned += amount;
            }
            OrderEvent::DebtAdjusted(_) => row.adjusted += amount,
            OrderEvent::StockAdjusted(_) => {}
        }
        row.net += event.data.revenue();
        Ok(())
    }
}

impl RevenueRow {
    fn new(key: &RevenueKey) -> Self {
        Self {
            day: key.day,
            month: key.day.strftime("%Y-%m").to_string(),
            country: key.country.clone(),
            orders: 0,
            returns: 0,
            gross: Money::ZERO,
            returned: Money::ZERO,
            adjusted: Money::ZERO,
            net: Money::ZERO,
        }
    }
}

impl fmt::Display for RevenueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.day, self.country)
    }
}
