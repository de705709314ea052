//! The reference domain of Headwater: a real shop, a year of it.
//!
//! Three aggregates ([`order`], [`product`], [`customer`]) decide and fold; the
//! [`read_model`]s show what follows; [`retail`] turns the Online Retail file into commands,
//! and [`generator`] makes a shop of the same shape without the file. Nothing here is async
//! or does I/O but the reading of the file.
//!
//! What the file says is kept as it is: exact duplicate lines, prices of zero and below,
//! orders without customer, credits that do not name the order they belong to.

pub mod customer;
pub mod generator;
pub mod moment;
pub mod money;
pub mod name;
pub mod order;
pub mod plugin;
pub mod product;
pub mod read_model;
pub mod retail;
pub mod sender;
