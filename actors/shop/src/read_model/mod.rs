//! What the shop shows: rows that follow from the events and can be rebuilt at any time.

mod customers;
mod order_hours;
mod orders;
mod products;
mod revenue;

pub use customers::{CustomerRow, Customers, CustomersEvent};
pub use order_hours::OrderHours;
pub use orders::{OrderRow, Orders};
pub use products::{ProductRow, Products, ProductsEvent};
pub use revenue::{Revenue, RevenueKey, RevenueRow};

#[cfg(test)]
mod tests;
