//! What an import did, in numbers that can be checked against the file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::row::Row;
use crate::money::Money;
use crate::order::OrderKind;

/// A line that became no part of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Malformed {
    /// Where it stands in the file, from 1, the heading counted.
    pub line_number: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What was read and what became of it; `lines` is the sum of the kinds' lines and
/// `malformed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Lines read, the heading not counted.
    pub lines: u64,
    /// Invoices that became a command.
    pub invoices: u64,
    /// Lines without a customer among those that became part of one.
    pub lines_without_customer: u64,
    /// Lines that became no part of a command.
    pub malformed: u64,
    /// The first of them, at most [`ImportReport::MALFORMED_KEPT`].
    pub malformed_lines: Vec<Malformed>,
    /// By kind of order.
    pub kinds: BTreeMap<OrderKind, KindReport>,
    /// Customers registered.
    pub customers: u64,
    /// How often a customer moved to another country.
    pub moves: u64,
    /// Products added.
    pub products: u64,
    /// How often a product was described anew.
    pub descriptions: u64,
    /// Sum of quantity times price.
    pub total: Money,
    /// The same by local month of the invoice, `2010-12`.
    pub months: BTreeMap<String, Money>,
}

/// What one kind of order comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KindReport {
    /// Invoices.
    pub invoices: u64,
    /// Lines.
    pub lines: u64,
    /// Sum of quantity times price, negative for credits.
    pub total: Money,
}

impl ImportReport {
    /// The most malformed lines that are kept with their reasons; all are counted.
    pub const MALFORMED_KEPT: usize = 1_000;

    pub(super) fn refuse(&mut self, malformed: Malformed) {
        self.malformed += 1;
        if self.malformed_lines.len() < Self::MALFORMED_KEPT {
            self.malformed_lines.push(malformed);
        }
    }

    /// Counts an invoice whose rows become one command.
    pub(super) fn count(&mut self, kind: OrderKind, rows: &[Row]) {
        let total: Money = rows.iter().map(|row| row.price.times(row.quantity)).sum();
        let lines = rows.len() as u64;
        let of_kind = self.kinds.entry(kind).or_default();
        of_kind.invoices += 1;
        of_kind.lines += lines;
        of_kind.total += total;
        self.invoices += 1;
        self.lines_without_customer +=
            rows.iter().filter(|row| row.customer.is_none()).count() as u64;
        self.total += total;
        if let Some(first) = rows.first() {
            let month = first.time.strftime("%Y-%m").to_string();
            *self.months.entry(month).or_default() += total;
        }
    }
}
