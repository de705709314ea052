//! One line of the file, its fields checked.

use jiff::civil::DateTime;

use crate::money::Money;
use crate::name::{Country, CustomerId, OrderId, ProductCode};

/// One line of an invoice as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it stands in the file, from 1, the heading counted.
    pub line_number: u64,
    /// The invoice's number.
    pub invoice: OrderId,
    /// The product's code.
    pub product: ProductCode,
    /// What stands there as description, without spaces around it; `None` if nothing.
    pub description: Option<String>,
    /// How many units, negative on credits.
    pub quantity: i32,
    /// The local time.
    pub time: DateTime,
    /// The price of one unit.
    pub price: Money,
    /// The customer; `None` when the file names none.
    pub customer: Option<CustomerId>,
    /// The country.
    pub country: Country,
}

impl Row {
    /// The heading that the file must have.
    pub const HEADING: [&'static str; 8] = [
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ];

    /// Reads the fields of a line.
    ///
    /// # Errors
    /// The field that is wrong, and what it should be.
    pub fn parse(line_number: u64, fields: [&str; 8]) -> Result<Self, String> {
        let [invoice, product, description, quantity, time, price, customer, country] =
            fields.map(str::trim);
        Ok(Self {
            line_number,
            invoice: OrderId::new(invoice).map_err(|fault| field("InvoiceNo", &fault))?,
            product: ProductCode::new(product).map_err(|fault| field("StockCode", &fault))?,
            description: Some(description).filter(|text| !text.is_empty()).map(str::to_owned),
            quantity: quantity.parse().map_err(|_| {
                format!("Quantity: {quantity:?} is not a whole number between -2147483648 and 2147483647")
            })?,
            time: parse_time(time)?,
            price: price.parse().map_err(|fault| field("UnitPrice", &fault))?,
            customer: parse_customer(customer)?,
            country: Country::new(country).map_err(|fault| field("Country", &fault))?,
        })
    }
}

fn field(name: &str, fault: &dyn std::fmt::Display) -> String {
    format!("{name}: {fault}")
}

/// Reads a time; years are bounded so that a month has one spelling and a report few months.
fn parse_time(text: &str) -> Result<DateTime, String> {
    let time: Option<DateTime> = text.parse().ok();
    time.filter(|time| (1970..=2199).contains(&time.year())).ok_or_else(|| {
        format!("InvoiceDate: {text:?} is not a time from 1970 to 2199 like 2010-12-01 08:26:00")
    })
}

/// Reads a customer number, which the file's maker let become a float.
fn parse_customer(text: &str) -> Result<Option<CustomerId>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.strip_suffix(".0").unwrap_or(text);
    CustomerId::new(number).map(Some).map_err(|fault| field("CustomerID", &fault))
}
