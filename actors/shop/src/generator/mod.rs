//! A made-up shop of the same shape and size as the real one, for whoever has no file.
//!
//! It makes rows as the file has them and lets [`retail`](crate::retail) turn them into
//! commands, so a demo runs the same way as an import. The same seed gives the same rows on
//! every machine. With 25,900 invoices it has about 542,000 lines; kinds of invoices, their
//! lengths, busy months, lines without customer, exact duplicates, free goods and changed
//! descriptions occur about as often as in the file. Amounts are plausible, not the same.

mod assortment;
mod calendar;
mod random;

use std::collections::VecDeque;

use jiff::civil::DateTime;
use rust_decimal::Decimal;

use crate::money::Money;
use crate::name::{Country, CustomerId, NameFault, OrderId};
use crate::retail::{Commands, ReadRow, Row};
use assortment::{CUSTOMERS, PRODUCTS};
use calendar::Calendar;
use random::{Random, Weighted};

/// The rows of a made-up file.
#[derive(Debug)]
pub struct Generator {
    random: Random,
    calendar: Calendar,
    customers: Weighted,
    products: Weighted,
    invoices: u64,
    made: u64,
    line_number: u64,
    ready: VecDeque<Row>,
}

/// Invoices of the real file.
pub const REAL_INVOICES: u32 = 25_900;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sale,
    Credit,
    Debt,
    Stock,
}

/// What the rows of one invoice share.
#[derive(Debug)]
struct Head {
    kind: Kind,
    invoice: OrderId,
    time: DateTime,
    customer: Option<CustomerId>,
    country: Country,
}

/// Lengths of invoices: weight, shortest, longest.
type Lengths = [(u64, u64, u64); 6];
const SALE_LENGTHS: Lengths =
    [(10, 1, 1), (30, 2, 10), (34, 11, 22), (20, 23, 45), (5, 46, 120), (1, 121, 500)];
const NAMELESS_LENGTHS: Lengths =
    [(35, 1, 3), (25, 4, 60), (25, 61, 180), (12, 181, 400), (3, 401, 1_114), (0, 1, 1)];
const CREDIT_LENGTHS: Lengths =
    [(62, 1, 1), (25, 2, 3), (10, 4, 7), (3, 8, 40), (0, 1, 1), (0, 1, 1)];
const QUANTITIES: [u64; 16] = [1, 1, 1, 1, 2, 2, 2, 3, 4, 6, 6, 8, 10, 12, 12, 24];
const STOCK_NOTES: [&str; 6] = ["damaged", "check", "?", "found", "wrongly marked", ""];

impl Generator {
    /// Starts a shop of so many invoices; 0 makes an empty one.
    #[must_use]
    pub fn new(seed: u64, invoices: u32) -> Self {
        Self {
            random: Random::new(seed),
            calendar: Calendar::new(u64::from(invoices)),
            customers: Weighted::zipf(CUSTOMERS, 80),
            products: Weighted::zipf(PRODUCTS, 60),
            invoices: u64::from(invoices),
            made: 0,
            line_number: 1,
            ready: VecDeque::new(),
        }
    }

    /// Turns the rows into commands, as if they had been read from a file.
    #[must_use]
    pub fn commands(self) -> Commands<impl Iterator<Item = ReadRow>> {
        Commands::new(self.map(|row| Ok(Ok(row))))
    }

    /// Makes the rows of the next invoice. The names made here are all valid; a fault would
    /// leave the invoice out, which the tests on the counts would see.
    fn make_invoice(&mut self) {
        let index = self.made;
        self.made += 1;
        let Ok(head) = self.head(index) else { return };
        let count = self.line_count(&head);
        for _ in 0..count {
            let row = match self.ready.back() {
                Some(last) if self.random.chance(1, 100) => Ok(last.clone()),
                _ => self.row(&head),
            };
            if let Ok(row) = row {
                self.line_number += 1;
                self.ready.push_back(Row { line_number: self.line_number, ..row });
            }
        }
    }

    fn head(&mut self, index: u64) -> Result<Head, NameFault> {
        let time = self.calendar.time_of(index);
        let kind = match self.random.below(25_900) {
            0..3 => Kind::Debt,
            3..3_839 => Kind::Credit,
            3_839..5_937 => Kind::Stock,
            _ => Kind::Sale,
        };
        let is_known = match kind {
            Kind::Sale => self.random.chance(93, 100),
            Kind::Credit => self.random.chance(95, 100),
            Kind::Debt | Kind::Stock => false,
        };
        let rank = self.customers.draw(&mut self.random);
        let prefix = match kind {
            Kind::Credit => "C",
            Kind::Debt => "A",
            Kind::Sale | Kind::Stock => "",
        };
        Ok(Head {
            kind,
            invoice: OrderId::new(format!("{prefix}{}", 536_365 + index))?,
            time,
            customer: is_known.then(|| assortment::customer_id(rank)).transpose()?,
            country: match is_known {
                true => assortment::customer_country(rank, time)?,
                false => assortment::country(0)?,
            },
        })
    }

    fn line_count(&mut self, head: &Head) -> u64 {
        let lengths = match (head.kind, &head.customer) {
            (Kind::Debt | Kind::Stock, _) => return 1,
            (Kind::Credit, _) => CREDIT_LENGTHS,
            (Kind::Sale, Some(_)) => SALE_LENGTHS,
            (Kind::Sale, None) => NAMELESS_LENGTHS,
        };
        let mut at = self.random.below(100);
        for (weight, shortest, longest) in lengths {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return self.random.between(shortest, longest),
            }
        }
        1
    }

    fn row(&mut self, head: &Head) -> Result<Row, NameFault> {
        let rank = self.products.draw(&mut self.random);
        let is_free =
            head.kind == Kind::Sale && head.customer.is_some() && self.random.chance(1, 10_000);
        let price = match head.kind {
            Kind::Stock => Money::ZERO,
            _ if is_free => Money::ZERO,
            Kind::Debt => -Money::new(Decimal::new(1_106_206, 2)),
            Kind::Sale | Kind::Credit => assortment::price(rank),
        };
        let product = match head.kind {
            Kind::Debt => crate::name::ProductCode::new("B")?,
            _ => assortment::product_code(rank)?,
        };
        Ok(Row {
            line_number: 0,
            invoice: head.invoice.clone(),
            product,
            description: self.description(head, rank),
            quantity: self.quantity(head.kind),
            time: head.time,
            price,
            customer: head.customer.clone(),
            country: head.country.clone(),
        })
    }

    fn quantity(&mut self, kind: Kind) -> i32 {
        let at = self.random.below(QUANTITIES.len() as u64);
        let usual = QUANTITIES.get(at as usize).copied().unwrap_or(1);
        let wholesale = if self.random.chance(1, 50) { 12 } else { 1 };
        let quantity = i32::try_from(usual * wholesale).unwrap_or(1);
        match kind {
            Kind::Sale => quantity,
            Kind::Credit => -quantity,
            Kind::Debt => 1,
            Kind::Stock if self.random.chance(64, 100) => -quantity,
            Kind::Stock => quantity,
        }
    }

    fn description(&mut self, head: &Head, rank: u64) -> Option<String> {
        let text = match head.kind {
            Kind::Sale | Kind::Credit => return Some(assortment::description(rank, head.time)),
            Kind::Debt => "Adjust bad debt",
            Kind::Stock => {
                let at = self.random.below(STOCK_NOTES.len() as u64);
                STOCK_NOTES.get(at as usize).copied().unwrap_or_default()
            }
        };
        Some(text.to_owned()).filter(|text| !text.is_empty())
    }
}

impl Iterator for Generator {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.ready.is_empty() && self.made < self.invoices {
            self.make_invoice();
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests;
