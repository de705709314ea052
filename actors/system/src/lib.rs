//! The program `headwater`: what it consists of, its settings and its command line.
//!
//! This crate alone knows every capability. `node` puts them together over one data folder;
//! each command of [`cli`] is a file in `command`.

mod backup_mark;
mod bench;
pub mod cli;
mod command;
pub mod config;
mod data_folder;
mod error;
mod exit;
mod intake;
mod node;
mod private_file;
mod read_side;
mod remote;
mod wal_watch;

pub use command::run;
pub use error::Failure;
pub use exit::{EXIT_CODES, main};
