//! Gathers rows into invoices and gives out commands, in bounded memory.

use std::collections::{HashSet, VecDeque};
use std::io;

use super::catalog::Catalog;
use super::invoice::{self, Invoice};
use super::{ImportReport, KeyedCommand, Malformed, Row};
use crate::name::OrderId;

/// What reading one more line gives: a row, a line that is none, or a failure of the machine.
pub type ReadRow = io::Result<Result<Row, Malformed>>;

/// Says why an import cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The operator must look at the file: it cannot be read to its end.
    #[error("file cannot be read after line {after_line}: {source}")]
    Read {
        /// The last line that was read, from 1, the heading counted.
        after_line: u64,
        /// What the machine says.
        source: io::Error,
    },
    /// The operator must split the file: it names more than can be kept in mind.
    #[error("file has more than {max} {what}: split it")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

/// The commands that rows lead to, in the order of the file; ends after the first error.
///
/// An invoice is complete when rows of [`Commands::OPEN_MAX`] later invoices have been seen, so
/// that invoices may be interleaved a little, as they are in the file. A row that comes later
/// still is malformed if its invoice is among the last [`Commands::CLOSED_KEPT`], and otherwise
/// makes a second command for an order that is in the book, which refuses it: in no case is it
/// lost unseen.
pub struct Commands<R> {
    rows: R,
    open: VecDeque<Invoice>,
    closed: Closed,
    catalog: Catalog,
    ready: VecDeque<KeyedCommand>,
    report: ImportReport,
    is_over: bool,
}

/// The numbers of the invoices that were completed last.
#[derive(Debug, Default)]
struct Closed {
    order: VecDeque<OrderId>,
    known: HashSet<OrderId>,
}

impl<R: Iterator<Item = ReadRow>> Commands<R> {
    /// How many invoices are gathered at the same time.
    pub const OPEN_MAX: usize = 4;
    /// How many completed invoices are remembered.
    pub const CLOSED_KEPT: usize = 65_536;

    /// Starts with the rows of a file.
    pub fn new(rows: R) -> Self {
        Self {
            rows,
            open: VecDeque::new(),
            closed: Closed::default(),
            catalog: Catalog::default(),
            ready: VecDeque::new(),
            report: ImportReport::default(),
            is_over: false,
        }
    }

    /// Returns what was read so far; complete when there is no further command.
    #[must_use]
    pub const fn report(&self) -> &ImportReport {
        &self.report
    }

    /// Takes one more row, or completes what is open when there is none.
    fn step(&mut self) -> Result<(), ImportError> {
        match self.rows.next() {
            Some(Ok(row)) => {
                self.report.lines += 1;
                match row {
                    Ok(row) => self.gather(row),
                    Err(malformed) => {
                        self.report.refuse(malformed);
                        Ok(())
                    }
                }
            }
            Some(Err(source)) => {
                Err(ImportError::Read { after_line: self.report.lines + 1, source })
            }
            None => {
                self.is_over = self.open.is_empty();
                self.complete_first()
            }
        }
    }

    fn gather(&mut self, row: Row) -> Result<(), ImportError> {
        let at_hand = self.open.iter_mut().rev().find(|invoice| invoice.id == row.invoice);
        if let Some(invoice) = at_hand {
            if let Err(malformed) = invoice.add(row) {
                self.report.refuse(malformed);
            }
            return Ok(());
        }
        if self.closed.known.contains(&row.invoice) {
            let reason = "InvoiceNo: the invoice's other rows are too far before this one";
            let line_number = row.line_number;
            self.report.refuse(Malformed { line_number, reason: reason.to_owned() });
            return Ok(());
        }
        self.open.push_back(Invoice::new(row));
        if self.open.len() > Self::OPEN_MAX { self.complete_first() } else { Ok(()) }
    }

    fn complete_first(&mut self) -> Result<(), ImportError> {
        let Some(invoice) = self.open.pop_front() else { return Ok(()) };
        self.closed.add(invoice.id.clone(), Self::CLOSED_KEPT);
        let (kind, rows, malformed) = invoice.close();
        malformed.into_iter().for_each(|malformed| self.report.refuse(malformed));
        let Some(command) = invoice::command(kind, &rows) else { return Ok(()) };
        self.report.count(kind, &rows);
        self.catalog.learn(kind, &rows, &mut self.report, &mut self.ready)?;
        self.ready.push_back(command);
        Ok(())
    }
}

impl<R: Iterator<Item = ReadRow>> Iterator for Commands<R> {
    type Item = Result<KeyedCommand, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(command) = self.ready.pop_front() {
                return Some(Ok(command));
            }
            if self.is_over {
                return None;
            }
            if let Err(error) = self.step() {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }
}

impl Closed {
    fn add(&mut self, id: OrderId, most: usize) {
        self.order.push_back(id.clone());
        self.known.insert(id);
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
