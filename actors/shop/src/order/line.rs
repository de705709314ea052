//! One line of an order, with the bounds every line keeps.

use jiff::civil::DateTime;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::name::ProductCode;

/// One line: so many units of a product at a price each.
///
/// Lines keep their order, and two equal lines are two lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The product.
    pub product: ProductCode,
    /// How many units; its sign follows the kind of the order.
    pub quantity: i32,
    /// The price of one unit in pounds.
    pub price: Money,
    /// What was written beside it, for example why stock was adjusted; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The local time of the line; `None` means that of its order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
}

/// Says what is wrong with a line; the caller must correct it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The caller gave a quantity that the kind of order does not have.
    #[error("quantity {quantity} does not fit: a {kind} needs it {wanted}")]
    Quantity {
        /// The quantity.
        quantity: i32,
        /// The kind of order.
        kind: super::OrderKind,
        /// What it must be, in words.
        wanted: &'static str,
    },
    /// The caller gave a price that the kind of order does not have.
    #[error("price {price} does not fit: a {kind} needs it {wanted}")]
    Price {
        /// The price.
        price: Money,
        /// The kind of order.
        kind: super::OrderKind,
        /// What it must be, in words.
        wanted: &'static str,
    },
    /// The caller gave more units than a line may have.
    #[error("quantity {0} is too large: at most {max} units", max = Line::QUANTITY_MAX)]
    QuantityBound(i32),
    /// The caller gave a price past the bounds.
    #[error("price {0} is out of bounds: at most 100000000, with at most 4 decimals")]
    PriceBound(Money),
    /// The caller gave a note over its bound.
    #[error("note has {0} bytes: at most {max}", max = Line::NOTE_LEN_MAX)]
    NoteTooLong(usize),
}

impl Line {
    /// The most units of a line, either way.
    pub const QUANTITY_MAX: i32 = 10_000_000;
    /// The most pounds of a unit, either way.
    pub const PRICE_MAX: Decimal = Decimal::from_parts(100_000_000, 0, 0, false, 0);
    /// The most decimals of a price.
    pub const PRICE_SCALE_MAX: u32 = 4;
    /// The most bytes of a note.
    pub const NOTE_LEN_MAX: usize = 120;

    /// Makes a line without note, at the time of its order.
    #[must_use]
    pub const fn new(product: ProductCode, quantity: i32, price: Money) -> Self {
        Self { product, quantity, price, note: None, local_time: None }
    }

    /// Returns quantity times price.
    #[must_use]
    pub fn total(&self) -> Money {
        self.price.times(self.quantity)
    }

    /// Returns whether the other line is of the same product at the same price.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        self.product == other.product && self.price == other.price
    }

    /// Checks the bounds that hold for every kind of order.
    ///
    /// # Errors
    /// [`LineFault`] naming the first bound that does not hold.
    pub fn check_bounds(&self) -> Result<(), LineFault> {
        let price = self.price.pounds();
        if self.quantity.unsigned_abs() > Self::QUANTITY_MAX.unsigned_abs() {
            return Err(LineFault::QuantityBound(self.quantity));
        }
        if price.abs() > Self::PRICE_MAX || price.scale() > Self::PRICE_SCALE_MAX {
            return Err(LineFault::PriceBound(self.price));
        }
        match self.note.as_ref().map_or(0, String::len) {
            len if len > Self::NOTE_LEN_MAX => Err(LineFault::NoteTooLong(len)),
            _ => Ok(()),
        }
    }
}
