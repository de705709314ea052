//! Money as exact decimals, never floats.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An amount in pounds sterling, exact, with as many decimals as it was written with.
///
/// In JSON it is a text, `"2.55"`. Sums saturate at 7.9 × 10²⁸ instead of failing, because
/// history is never refused; the bounds of a line keep them far below that.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Money(Decimal);

/// Says that a text is not an amount; the caller must write it like `12.50`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("amount {0:?} is not a decimal number: write it like 12.50")]
pub struct MoneyError(pub String);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Wraps a decimal number of pounds.
    #[must_use]
    pub const fn new(pounds: Decimal) -> Self {
        Self(pounds)
    }

    /// Returns the amount in pounds.
    #[must_use]
    pub const fn pounds(self) -> Decimal {
        self.0
    }

    /// Returns the amount `count` times.
    #[must_use]
    pub fn times(self, count: i32) -> Self {
        Self(self.0.saturating_mul(Decimal::from(count)))
    }

    /// Returns whether it is exactly nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Decimal::from_str_exact(text).map(Self).map_err(|_| MoneyError(text.to_owned()))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn sums_are_exact_where_floats_are_not() {
        let sum: Money = std::iter::repeat_n(money("0.1"), 3).sum();
        assert_eq!(sum, money("0.3"));
        assert_eq!(money("0.001").times(-80_995), money("-80.995"));
    }

    #[test]
    fn an_amount_is_a_text_in_json() {
        assert_eq!(serde_json::to_string(&money("2.50")).unwrap(), "\"2.50\"");
        assert!(serde_json::from_str::<Money>("2.5").is_err());
    }

    #[test]
    fn a_text_that_is_no_number_is_refused() {
        let told = "2,55".parse::<Money>().unwrap_err().to_string();
        assert_eq!(told, "amount \"2,55\" is not a decimal number: write it like 12.50");
    }

    #[test]
    fn a_sum_past_the_bound_saturates() {
        let most = Money::new(Decimal::MAX);
        assert_eq!(most + most, most);
    }
}
