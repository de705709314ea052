//! The parts of the program `headwater`: its settings.

pub mod config;
