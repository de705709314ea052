//! The Online Retail file as commands: a year of a real shop.
//!
//! The file (Chen, D., 2015, *Online Retail*, UCI Machine Learning Repository,
//! <https://doi.org/10.24432/C5BW33>, CC BY 4.0) has one line for each line of an invoice. It
//! is read as a stream: [`read_lines`] gives [`Row`]s, [`Commands`] gathers the rows of an
//! invoice and turns them into commands.
//!
//! How the file is understood:
//!
//! - An invoice `C…` takes lines back. It names no sale, so it becomes a credit of its own,
//!   its quantities positive.
//! - An invoice `A…` adjusts debt.
//! - Another invoice, if it has no customer and every price is 0, adjusts stock; what stands in
//!   the description is then a note about the adjustment, not the product's description.
//! - All others are sales; lines at price 0 in them were given away.
//! - A description that differs from the last one of the product describes it anew. Spaces
//!   around it are dropped. A country that differs from the customer's last one is a move.
//! - `17850.0` is customer `17850`.
//! - The time of an invoice is that of its first line; a line with another time keeps it.
//!
//! A row that is none of this is malformed: counted, and told with line number and reason.
//!
//! Order of sending: commands for one stream ([`ShopCommand::stream`]) go one after the other,
//! in the order given; those for different streams may go at the same time, for example by
//! [`ShopCommand::lane`]. Whether an order
//! is booked before or after its customer and products are known makes no difference: they are
//! separate aggregates, and no rule reaches from one to the other. Every command has a key that
//! depends on nothing but the file, so a second run adds nothing.

mod assembly;
mod catalog;
mod command;
mod invoice;
mod lines;
mod report;
mod row;

pub use assembly::{Commands, ImportError, ReadRow};
pub use command::{KeyedCommand, ShopCommand};
pub use lines::{Lines, read_lines};
pub use report::{ImportReport, KindReport, Malformed};
pub use row::Row;

#[cfg(test)]
mod tests;
