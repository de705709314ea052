//! What can happen to a customer, and every shape of it that may lie on disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::name::Country;

/// What happened to a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CustomerEvent {
    /// The shop knows the customer now.
    Registered {
        /// Where the customer is.
        country: Country,
        /// When.
        time: Moment,
    },
    /// The customer is in another country now.
    Moved {
        /// Where the customer is.
        country: Country,
        /// Since when.
        time: Moment,
    },
}

headwater::event_schema! {
    CustomerEvent in "customer" {
        Registered = 1,
        Moved = 1,
    }
    occurred_at: occurred_at;
}

const fn occurred_at(event: &CustomerEvent) -> Option<Timestamp> {
    match event {
        CustomerEvent::Registered { time, .. } | CustomerEvent::Moved { time, .. } => Some(time.at),
    }
}
