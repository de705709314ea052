//! What the events of an order have in common, and what each kind of order demands.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Line, LineFault};
use crate::moment::Moment;
use crate::money::Money;
use crate::name::{Country, CustomerId};

/// Who, where, when and what of one booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The customer; `None` when the shop does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The country it is counted under.
    pub country: Country,
    /// When it happened.
    pub time: Moment,
    /// The lines in their order, duplicates kept.
    pub lines: Vec<Line>,
}

/// What kind of entry an order is; fixed by its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// Units sold, some perhaps for nothing.
    Sale,
    /// Units that came back, or money given back, from a sale that is not named.
    Credit,
    /// A change of what is owed to the shop.
    DebtAdjustment,
    /// A move of stock for no money.
    StockAdjustment,
}

impl Entry {
    /// The most lines of one booking; keeps an event well below a mebibyte.
    pub const LINES_MAX: usize = 2_000;

    /// Returns the sum of quantity times price.
    #[must_use]
    pub fn total(&self) -> Money {
        self.lines.iter().map(Line::total).sum()
    }

    /// Returns the sum of the quantities.
    #[must_use]
    pub fn units(&self) -> i64 {
        self.lines.iter().map(|line| i64::from(line.quantity)).sum()
    }
}

impl OrderKind {
    /// Returns its name, lower case with `-`, as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Credit => "credit",
            Self::DebtAdjustment => "debt-adjustment",
            Self::StockAdjustment => "stock-adjustment",
        }
    }

    /// Checks that a line is one that this kind of order may have.
    ///
    /// # Errors
    /// [`LineFault`] naming the field and what it must be.
    pub fn check(self, line: &Line) -> Result<(), LineFault> {
        line.check_bounds()?;
        let (quantity, price) = (line.quantity, line.price);
        let quantity_fault = |wanted| LineFault::Quantity { quantity, kind: self, wanted };
        let price_fault = |wanted| LineFault::Price { price, kind: self, wanted };
        match self {
            Self::StockAdjustment if quantity == 0 => Err(quantity_fault("other than 0")),
            Self::StockAdjustment if !price.is_zero() => Err(price_fault("to be 0")),
            Self::StockAdjustment => Ok(()),
            _ if quantity <= 0 => Err(quantity_fault("above 0")),
            Self::DebtAdjustment if price.is_zero() => Err(price_fault("other than 0")),
            Self::Sale | Self::Credit if price < Money::ZERO => Err(price_fault("0 or more")),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for OrderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
