//! The rows of one invoice, and the command they become.

use super::catalog::describes;
use super::{KeyedCommand, Malformed, Row, ShopCommand};
use crate::name::OrderId;
use crate::order::{AdjustDebt, AdjustStock, Entry, Line, OrderKind, Place, ReturnLines};
use crate::product::DESCRIPTION_LEN_MAX;

/// An invoice whose rows are still being gathered.
#[derive(Debug)]
pub struct Invoice {
    /// Its number.
    pub id: OrderId,
    rows: Vec<Row>,
}

impl Invoice {
    /// Starts with the first row.
    pub fn new(row: Row) -> Self {
        Self { id: row.invoice.clone(), rows: vec![row] }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Why the row cannot be part of this invoice.
    pub fn add(&mut self, row: Row) -> Result<(), Malformed> {
        let reason = match self.rows.first() {
            Some(first) if first.customer != row.customer => {
                "CustomerID: differs from that of the invoice's first row"
            }
            Some(first) if first.country != row.country => {
                "Country: differs from that of the invoice's first row"
            }
            _ if self.rows.len() >= Entry::LINES_MAX => {
                "InvoiceNo: the invoice has 2000 rows, which is the most"
            }
            _ => {
                self.rows.push(row);
                return Ok(());
            }
        };
        Err(Malformed { line_number: row.line_number, reason: reason.to_owned() })
    }

    /// Says what kind of order it is, and parts the rows that fit it from those that do not.
    pub fn close(self) -> (OrderKind, Vec<Row>, Vec<Malformed>) {
        let kind = self.kind();
        let mut fitting = Vec::with_capacity(self.rows.len());
        let mut malformed = Vec::new();
        for row in self.rows {
            match check(kind, &row) {
                Ok(()) => fitting.push(row),
                Err(reason) => malformed.push(Malformed { line_number: row.line_number, reason }),
            }
        }
        (kind.unwrap_or(OrderKind::Sale), fitting, malformed)
    }

    /// `None` when the number is of no kind that is known.
    fn kind(&self) -> Option<OrderKind> {
        let is_free = |row: &Row| row.customer.is_none() && row.price.is_zero();
        match self.id.as_str().as_bytes().first() {
            Some(b'C') => Some(OrderKind::Credit),
            Some(b'A') => Some(OrderKind::DebtAdjustment),
            Some(b'0'..=b'9') if self.rows.iter().all(is_free) => Some(OrderKind::StockAdjustment),
            Some(b'0'..=b'9') => Some(OrderKind::Sale),
            _ => None,
        }
    }
}

/// Makes the command of an invoice of which at least one row fits.
pub fn command(kind: OrderKind, rows: &[Row]) -> Option<KeyedCommand> {
    let first = rows.first()?;
    let lines = rows.iter().map(|row| line(kind, first, row)).collect();
    let (customer, country) = (first.customer.clone(), first.country.clone());
    let (id, local_time) = (first.invoice.clone(), Some(first.time));
    let key = format!("retail:order:{id}");
    let command = match kind {
        OrderKind::Sale => ShopCommand::Place(id, Place { customer, country, local_time, lines }),
        OrderKind::Credit => {
            let country = Some(country);
            ShopCommand::ReturnLines(id, ReturnLines { customer, country, local_time, lines })
        }
        OrderKind::DebtAdjustment => {
            ShopCommand::AdjustDebt(id, AdjustDebt { customer, country, local_time, lines })
        }
        OrderKind::StockAdjustment => {
            ShopCommand::AdjustStock(id, AdjustStock { country, local_time, lines })
        }
    };
    Some(KeyedCommand { key, command })
}

/// Makes the line of an order; a credit counts what came back, so its sign turns.
fn line(kind: OrderKind, first: &Row, row: &Row) -> Line {
    Line {
        product: row.product.clone(),
        quantity: if kind == OrderKind::Credit {
            row.quantity.saturating_neg()
        } else {
            row.quantity
        },
        price: row.price,
        note: row.description.clone().filter(|_| !describes(kind)),
        local_time: Some(row.time).filter(|time| *time != first.time),
    }
}

fn check(kind: Option<OrderKind>, row: &Row) -> Result<(), String> {
    let Some(kind) = kind else {
        return Err(format!(
            "InvoiceNo: {:?} starts with neither a digit nor C nor A",
            row.invoice
        ));
    };
    if row.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_LEN_MAX) {
        return Err(format!("Description: has more than {DESCRIPTION_LEN_MAX} bytes"));
    }
    if kind == OrderKind::Credit && row.quantity >= 0 {
        return Err(format!("Quantity: {} does not fit: a credit has it below 0", row.quantity));
    }
    kind.check(&line(kind, row, row)).map_err(|fault| fault.to_string())
}
