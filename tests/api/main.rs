//! The HTTP API from outside: a real server, a real client, every reply checked against the
//! OpenAPI document.

#[cfg(test)]
mod border;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod client;
#[cfg(test)]
mod command;
#[cfg(test)]
mod document;
#[cfg(test)]
mod domain;
#[cfg(test)]
mod door;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod event;
#[cfg(test)]
mod key;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod metric;
#[cfg(test)]
mod node;
#[cfg(test)]
mod page;
#[cfg(test)]
mod plugin;
#[cfg(test)]
mod problem;
#[cfg(test)]
mod read_model;
#[cfg(test)]
mod server;
#[cfg(test)]
mod start;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod subscribe;
#[cfg(test)]
mod visitor;
