//! An order: one entry in the shop's book under its invoice number.
//!
//! The book has four kinds of entry. A *sale* can later be cancelled or returned in part. A
//! *credit* takes lines back without naming the sale they belong to: the shop's `C…` invoices
//! do not say, so no link is made up. A *debt adjustment* changes what is owed (`A…`), and a
//! *stock adjustment* moves units for no money (lost, found, damaged, sent to a market place).

mod command;
mod decide;
mod entry;
mod event;
mod line;
mod rejection;

pub use command::{AdjustDebt, AdjustStock, Cancel, Place, ReturnLines};
pub use entry::{Entry, OrderKind};
pub use event::OrderEvent;
pub use line::{Line, LineFault};
pub use rejection::OrderRejection;

use headwater::aggregate::Aggregate;

use crate::name::{Country, CustomerId};

/// The state of one order.
#[derive(Debug, Default)]
pub struct Order {
    booked: Option<Booked>,
}

/// What the rules need of an entry that is in the book.
#[derive(Debug)]
struct Booked {
    kind: OrderKind,
    customer: Option<CustomerId>,
    country: Country,
    /// The lines of a sale that have not come back; of another kind none.
    open: Vec<Line>,
    has_returns: bool,
    is_cancelled: bool,
}

impl Order {
    fn book(&mut self, kind: OrderKind, entry: &Entry) {
        let open = if kind == OrderKind::Sale { entry.lines.clone() } else { Vec::new() };
        self.booked = Some(Booked {
            kind,
            customer: entry.customer.clone(),
            country: entry.country.clone(),
            open,
            has_returns: false,
            is_cancelled: false,
        });
    }
}

impl Aggregate for Order {
    type Event = OrderEvent;
    type Rejection = OrderRejection;

    fn evolve(&mut self, event: &OrderEvent) {
        match (event, &mut self.booked) {
            (OrderEvent::LinesReturned(entry), Some(sale)) => {
                first_missing(&mut sale.open, &entry.lines);
                sale.has_returns = true;
            }
            (OrderEvent::Cancelled { .. }, Some(sale)) => {
                sale.open = Vec::new();
                sale.is_cancelled = true;
            }
            (OrderEvent::Cancelled { .. }, None) => {}
            (OrderEvent::Placed(entry), _) => self.book(OrderKind::Sale, entry),
            (OrderEvent::LinesReturned(entry), None) => self.book(OrderKind::Credit, entry),
            (OrderEvent::DebtAdjusted(entry), _) => self.book(OrderKind::DebtAdjustment, entry),
            (OrderEvent::StockAdjusted(entry), _) => self.book(OrderKind::StockAdjustment, entry),
        }
    }
}

/// Takes lines off those that can come back; returns the index of the first that is not there
/// in that number.
fn first_missing(open: &mut Vec<Line>, lines: &[Line]) -> Option<usize> {
    let mut missing = None;
    for (at, line) in lines.iter().enumerate() {
        if !take(open, line) {
            missing = missing.or(Some(at));
        }
    }
    missing
}

/// Takes one line off, from as many lines of the same product and price as it needs.
fn take(open: &mut Vec<Line>, line: &Line) -> bool {
    let mut wanted = line.quantity;
    for own in open.iter_mut().filter(|own| own.is_of(line)) {
        let taken = wanted.min(own.quantity);
        own.quantity -= taken;
        wanted -= taken;
    }
    open.retain(|own| own.quantity > 0);
    wanted <= 0
}

#[cfg(test)]
mod tests;
