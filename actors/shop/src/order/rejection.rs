//! How the rules of an order say no.

use headwater::aggregate::Rejection;

use super::{LineFault, OrderKind};

/// Refused because of the rules; the caller must ask for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRejection {
    /// The caller chose an id that is in the book.
    #[error("order is in the book already as a {0}: choose another id")]
    AlreadyBooked(OrderKind),
    /// The caller named an order that is not in the book.
    #[error("order is not in the book: place it first")]
    NotPlaced,
    /// The caller asked of another kind of entry what only a sale can do.
    #[error("order is a {0}: only a sale can be cancelled or returned")]
    NotASale(OrderKind),
    /// The caller wants lines of a cancelled sale back.
    #[error("order is cancelled: nothing is left to return")]
    AlreadyCancelled,
    /// The caller wants to cancel a sale of which lines came back.
    #[error("some lines came back already: return the others instead")]
    PartlyReturned,
    /// The caller wants more back than was sold and is not back yet.
    #[error("line {number} returns more than is left at that price: correct its quantity")]
    MoreThanSold {
        /// Which line, from 1.
        number: usize,
    },
    /// The caller gave a customer or country that is not the sale's.
    #[error("{field} is not that of the sale: leave it out")]
    Mismatch {
        /// Which field.
        field: &'static str,
    },
    /// The caller left out the country of a credit.
    #[error("country is missing: a credit needs one")]
    NoCountry,
    /// The caller gave no line.
    #[error("lines is empty: give at least one")]
    Empty,
    /// The caller gave more lines than an order may have.
    #[error("lines has {count} entries: at most {max}", max = super::Entry::LINES_MAX)]
    TooManyLines {
        /// How many there are.
        count: usize,
    },
    /// The caller gave a line that does not fit.
    #[error("line {number}: {fault}")]
    Line {
        /// Which line, from 1.
        number: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// The caller gave a reason over its bound.
    #[error("reason has {0} bytes: at most {max}", max = super::Line::NOTE_LEN_MAX)]
    ReasonTooLong(usize),
}

impl Rejection for OrderRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyBooked(_) => "already-booked",
            Self::NotPlaced => "not-placed",
            Self::NotASale(_) => "not-a-sale",
            Self::AlreadyCancelled => "already-cancelled",
            Self::PartlyReturned => "partly-returned",
            Self::MoreThanSold { .. } => "more-than-sold",
            Self::Mismatch { .. } => "mismatch",
            Self::NoCountry => "no-country",
            Self::Empty => "no-lines",
            Self::TooManyLines { .. } => "too-many-lines",
            Self::Line { .. } => "line-does-not-fit",
            Self::ReasonTooLong(_) => "reason-too-long",
        }
    }
}
