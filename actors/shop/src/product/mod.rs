//! A product: its stock code, and how the shop describes it, which changes over time.
//!
//! A price is no part of it: the shop sold the same product at many prices, so the price is
//! on the line of the order.

mod command;
mod event;

pub use command::{Add, Describe, ProductRejection};
pub use event::ProductEvent;

use headwater::aggregate::{Aggregate, Context, Decide};

use crate::moment::Moment;

/// The state of one product.
#[derive(Debug, Default)]
pub struct Product {
    is_added: bool,
    description: Option<String>,
}

/// The most bytes of a description.
pub const DESCRIPTION_LEN_MAX: usize = 256;

type Decision = Result<Vec<ProductEvent>, ProductRejection>;

impl Aggregate for Product {
    type Event = ProductEvent;
    type Rejection = ProductRejection;

    fn evolve(&mut self, event: &ProductEvent) {
        self.is_added = true;
        self.description = match event {
            ProductEvent::Added { description, .. } => description.clone(),
            ProductEvent::Described { description, .. } => Some(description.clone()),
        };
    }
}

impl Decide<Add> for Product {
    fn decide(&self, command: Add, context: &Context) -> Decision {
        let Add { description, local_time } = command;
        if let Some(description) = &description {
            check(description)?;
        }
        match self.is_added {
            true if self.description == description => Ok(Vec::new()),
            true => Err(ProductRejection::AlreadyAdded),
            false => {
                let time = Moment::of_local_or(local_time, context.now);
                Ok(vec![ProductEvent::Added { description, time }])
            }
        }
    }
}

impl Decide<Describe> for Product {
    fn decide(&self, command: Describe, context: &Context) -> Decision {
        let Describe { description, local_time } = command;
        check(&description)?;
        if !self.is_added {
            return Err(ProductRejection::NotAdded);
        }
        if self.description.as_ref() == Some(&description) {
            return Ok(Vec::new());
        }
        let time = Moment::of_local_or(local_time, context.now);
        Ok(vec![ProductEvent::Described { description, time }])
    }
}

fn check(description: &str) -> Result<(), ProductRejection> {
    match description.len() {
        0 => Err(ProductRejection::NoDescription),
        len if len > DESCRIPTION_LEN_MAX => Err(ProductRejection::DescriptionTooLong(len)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
