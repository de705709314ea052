//! What can be asked of an order.

use headwater::aggregate::Command;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Line;
use crate::name::{Country, CustomerId};

/// Sells goods under a new order id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The customer; leave it out when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The country it is counted under.
    pub country: Country,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
    /// 1 to 2,000 lines, quantities above 0, prices 0 or more.
    pub lines: Vec<Line>,
}

/// Takes lines back: of the sale under this id, or, under a new id, as a credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnLines {
    /// The customer; for a sale leave it out, or give the sale's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The country it is counted under; for a sale leave it out, or give the sale's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
    /// 1 to 2,000 lines that came back, quantities above 0, at the price that was paid.
    pub lines: Vec<Line>,
}

/// Takes a sale back as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Why, in at most 120 bytes; leave it out if nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
}

/// Changes what is owed to the shop, under a new order id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustDebt {
    /// The customer; leave it out when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The country it is counted under.
    pub country: Country,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
    /// 1 to 2,000 lines, quantities above 0, prices below 0 where debt is written off.
    pub lines: Vec<Line>,
}

/// Moves stock for no money, under a new order id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustStock {
    /// The country it is counted under.
    pub country: Country,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
    /// 1 to 2,000 lines, quantities other than 0, prices 0.
    pub lines: Vec<Line>,
}

impl Command for Place {
    const NAME: &'static str = "place";
}

impl Command for ReturnLines {
    const NAME: &'static str = "return-lines";
}

impl Command for Cancel {
    const NAME: &'static str = "cancel";
}

impl Command for AdjustDebt {
    const NAME: &'static str = "adjust-debt";
}

impl Command for AdjustStock {
    const NAME: &'static str = "adjust-stock";
}
