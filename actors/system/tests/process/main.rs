//! The program from outside: the real binary, its output, its address, its data folder.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod backup_kill;
#[cfg(test)]
mod border;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod database;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod document;
#[cfg(test)]
mod exit_code;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod first_steps;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod old;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod page;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod pull;
#[cfg(test)]
mod reading;
