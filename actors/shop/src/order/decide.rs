//! The rules of an order: what each command leads to, or why not.

use headwater::aggregate::{Context, Decide};

use super::{
    AdjustDebt, AdjustStock, Booked, Cancel, Entry, Line, Order, OrderEvent, OrderKind,
    OrderRejection, Place, ReturnLines,
};
use crate::moment::Moment;

type Decision = Result<Vec<OrderEvent>, OrderRejection>;

impl Decide<Place> for Order {
    fn decide(&self, command: Place, context: &Context) -> Decision {
        let Place { customer, country, local_time, lines } = command;
        let time = Moment::of_local_or(local_time, context.now);
        let entry = Entry { customer, country, time, lines };
        self.open_book(OrderKind::Sale, &entry)?;
        Ok(vec![OrderEvent::Placed(entry)])
    }
}

impl Decide<ReturnLines> for Order {
    fn decide(&self, command: ReturnLines, context: &Context) -> Decision {
        let time = Moment::of_local_or(command.local_time, context.now);
        let ReturnLines { customer, country, lines, .. } = command;
        let Some(sale) = &self.booked else {
            let country = country.ok_or(OrderRejection::NoCountry)?;
            let entry = Entry { customer, country, time, lines };
            check_lines(OrderKind::Credit, &entry.lines)?;
            return Ok(vec![OrderEvent::LinesReturned(entry)]);
        };
        if customer.is_some() && customer != sale.customer {
            return Err(OrderRejection::Mismatch { field: "customer" });
        }
        if country.is_some_and(|country| country != sale.country) {
            return Err(OrderRejection::Mismatch { field: "country" });
        }
        sale.check_return(&lines)?;
        Ok(vec![OrderEvent::LinesReturned(sale.entry(time, lines))])
    }
}

impl Decide<Cancel> for Order {
    fn decide(&self, command: Cancel, context: &Context) -> Decision {
        let sale = self.booked.as_ref().ok_or(OrderRejection::NotPlaced)?;
        let Cancel { reason, local_time } = command;
        match reason.as_ref().map_or(0, String::len) {
            len if len > Line::NOTE_LEN_MAX => return Err(OrderRejection::ReasonTooLong(len)),
            _ if sale.kind != OrderKind::Sale => return Err(OrderRejection::NotASale(sale.kind)),
            _ if sale.is_cancelled => return Ok(Vec::new()),
            _ if sale.has_returns => return Err(OrderRejection::PartlyReturned),
            _ => {}
        }
        let time = Moment::of_local_or(local_time, context.now);
        let entry = sale.entry(time, sale.open.clone());
        Ok(vec![OrderEvent::Cancelled { entry, reason }])
    }
}

impl Decide<AdjustDebt> for Order {
    fn decide(&self, command: AdjustDebt, context: &Context) -> Decision {
        let AdjustDebt { customer, country, local_time, lines } = command;
        let time = Moment::of_local_or(local_time, context.now);
        let entry = Entry { customer, country, time, lines };
        self.open_book(OrderKind::DebtAdjustment, &entry)?;
        Ok(vec![OrderEvent::DebtAdjusted(entry)])
    }
}

impl Decide<AdjustStock> for Order {
    fn decide(&self, command: AdjustStock, context: &Context) -> Decision {
        let AdjustStock { country, local_time, lines } = command;
        let time = Moment::of_local_or(local_time, context.now);
        let entry = Entry { customer: None, country, time, lines };
        self.open_book(OrderKind::StockAdjustment, &entry)?;
        Ok(vec![OrderEvent::StockAdjusted(entry)])
    }
}

impl Order {
    /// Checks that the id is free and the lines are of the kind.
    fn open_book(&self, kind: OrderKind, entry: &Entry) -> Result<(), OrderRejection> {
        match &self.booked {
            Some(booked) => Err(OrderRejection::AlreadyBooked(booked.kind)),
            None => check_lines(kind, &entry.lines),
        }
    }
}

impl Booked {
    fn check_return(&self, lines: &[Line]) -> Result<(), OrderRejection> {
        match self.kind {
            OrderKind::Sale if self.is_cancelled => return Err(OrderRejection::AlreadyCancelled),
            OrderKind::Sale => check_lines(OrderKind::Sale, lines)?,
            OrderKind::Credit => return Err(OrderRejection::AlreadyBooked(self.kind)),
            kind => return Err(OrderRejection::NotASale(kind)),
        }
        let mut open = self.open.clone();
        match super::first_missing(&mut open, lines) {
            Some(at) => Err(OrderRejection::MoreThanSold { number: at + 1 }),
            None => Ok(()),
        }
    }

    /// Makes a booking of the same customer and country.
    fn entry(&self, time: Moment, lines: Vec<Line>) -> Entry {
        Entry { customer: self.customer.clone(), country: self.country.clone(), time, lines }
    }
}

fn check_lines(kind: OrderKind, lines: &[Line]) -> Result<(), OrderRejection> {
    match lines.len() {
        0 => return Err(OrderRejection::Empty),
        count if count > Entry::LINES_MAX => return Err(OrderRejection::TooManyLines { count }),
        _ => {}
    }
    for (at, line) in lines.iter().enumerate() {
        kind.check(line).map_err(|fault| OrderRejection::Line { number: at + 1, fault })?;
    }
    Ok(())
}
