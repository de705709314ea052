//! The program headwater.
mod bench { pub mod case; pub mod load; pub mod raw; pub mod table; }
pub mod config;
mod error;
mod intake;
mod remote;
fn main() {}
