//! What the shop brings to a system.

use headwater::plugin::Plugin;
use headwater::runtime::{AggregateSpec, Contribution};

use crate::customer::{Customer, Move, Register};
use crate::order::{AdjustDebt, AdjustStock, Cancel, Order, Place, ReturnLines};
use crate::product::{Add, Describe, Product};
use crate::read_model::{Customers, OrderHours, Orders, Products, Revenue};

/// The shop as a capability: its aggregates with their commands, and its read models.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shop;

impl Plugin for Shop {
    fn name(&self) -> &'static str {
        "shop"
    }

    fn contribute(self, parts: Contribution) -> Contribution {
        let orders = AggregateSpec::<Order>::new()
            .command::<Place>()
            .command::<ReturnLines>()
            .command::<Cancel>()
            .command::<AdjustDebt>()
            .command::<AdjustStock>();
        let customers = AggregateSpec::<Customer>::new().command::<Register>().command::<Move>();
        let products = AggregateSpec::<Product>::new().command::<Add>().command::<Describe>();
        parts
            .aggregate(orders)
            .aggregate(customers)
            .aggregate(products)
            .rows(Orders)
            .rows(Customers)
            .rows(Products)
            .rows(Revenue)
            .projection(OrderHours)
    }
}
