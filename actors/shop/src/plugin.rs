//! What the shop brings to a system.

use headwater::runtime::{AggregateSpec, SystemBuilder};

use crate::customer::{Customer, Move, Register};
use crate::order::{AdjustDebt, AdjustStock, Cancel, Order, Place, ReturnLines};
use crate::product::{Add, Describe, Product};

/// The shop as a capability: its aggregates with their commands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shop;

impl Shop {
    /// Adds the shop's aggregates to a system.
    #[must_use]
    pub fn aggregates(self, builder: SystemBuilder) -> SystemBuilder {
        let orders = AggregateSpec::<Order>::new()
            .command::<Place>()
            .command::<ReturnLines>()
            .command::<Cancel>()
            .command::<AdjustDebt>()
            .command::<AdjustStock>();
        let customers = AggregateSpec::<Customer>::new().command::<Register>().command::<Move>();
        let products = AggregateSpec::<Product>::new().command::<Add>().command::<Describe>();
        builder.aggregate(orders).aggregate(customers).aggregate(products)
    }
}
