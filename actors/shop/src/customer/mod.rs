//! A customer: a number, and the country they are in, which may change.

mod command;
mod event;

pub use command::{CustomerRejection, Move, Register};
pub use event::CustomerEvent;

use headwater::aggregate::{Aggregate, Context, Decide};

use crate::moment::Moment;
use crate::name::Country;

/// The state of one customer.
#[derive(Debug, Default)]
pub struct Customer {
    country: Option<Country>,
}

type Decision = Result<Vec<CustomerEvent>, CustomerRejection>;

impl Aggregate for Customer {
    type Event = CustomerEvent;
    type Rejection = CustomerRejection;

    fn evolve(&mut self, event: &CustomerEvent) {
        let (CustomerEvent::Registered { country, .. } | CustomerEvent::Moved { country, .. }) =
            event;
        self.country = Some(country.clone());
    }
}

impl Decide<Register> for Customer {
    fn decide(&self, command: Register, context: &Context) -> Decision {
        let Register { country, local_time } = command;
        match &self.country {
            Some(own) if *own == country => Ok(Vec::new()),
            Some(own) => Err(CustomerRejection::AlreadyRegistered { country: own.clone() }),
            None => {
                let time = Moment::of_local_or(local_time, context.now);
                Ok(vec![CustomerEvent::Registered { country, time }])
            }
        }
    }
}

impl Decide<Move> for Customer {
    fn decide(&self, command: Move, context: &Context) -> Decision {
        let Move { country, local_time } = command;
        match &self.country {
            None => Err(CustomerRejection::NotRegistered),
            Some(own) if *own == country => Ok(Vec::new()),
            Some(_) => {
                let time = Moment::of_local_or(local_time, context.now);
                Ok(vec![CustomerEvent::Moved { country, time }])
            }
        }
    }
}

#[cfg(test)]
mod tests;
