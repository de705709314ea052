//! The program headwater.
mod error;
mod remote;
mod bench { pub mod case; pub mod load; pub mod raw; pub mod table; }
fn main() {}
