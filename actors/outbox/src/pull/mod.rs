//! Endpoints whose consumers ask for their events.
//!
//! What such an endpoint owes, and what follows from a failure, is the dispatcher's business as
//! with any other. Its lane offers events to the endpoint's [`Group`], on the node that works
//! for the endpoint; consumers take them from there, each event one consumer at a time, and say
//! what became of it, which is the end of the lane's attempt. An event that nobody has taken
//! waits without being an attempt.

mod consumer;
mod deliveries;
mod group;
mod groups;
mod offer;
mod recent;
mod token;

pub(crate) use consumer::Member;
pub(crate) use deliveries::{Answer, Handed, Nack, Taker};
pub(crate) use group::Group;
pub(crate) use groups::{Groups, Seat, Settings};
pub(crate) use offer::{End, Ended, Message};
pub(crate) use token::{Token, TokenError};

#[cfg(test)]
pub(crate) use deliveries::{Deliveries, RETURNS_MAX};
#[cfg(test)]
pub(crate) use offer::Stage;

#[cfg(test)]
mod tests;
