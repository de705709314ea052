//! Products: one row for each product.

use std::collections::BTreeSet;

use headwater::event::Recorded;
use headwater::projection::{ProjectionError, RowProjection};
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::order::{Line, OrderEvent};
use crate::product::ProductEvent;

/// Projects products: one row for each product code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Products;

headwater::merge_events! {
    /// What a product's row follows from.
    #[derive(Debug)]
    pub enum ProductsEvent { Product(ProductEvent), Order(OrderEvent) }
}

/// One row for each product code: how it is described and what was sold of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductRow {
    /// The product's code.
    pub product: String,
    /// How the shop describes it now; `None` while nobody has.
    pub description: Option<String>,
    /// How it was described before, oldest first, each once: the last 16.
    pub earlier_descriptions: Vec<String>,
    /// How many lines of orders, credits and adjustments name it.
    pub lines: u64,
    /// How many units were sold.
    pub units_sold: i64,
    /// How many units went back, as a positive number.
    pub units_returned: i64,
    /// By how many units stock was adjusted for no money.
    pub units_adjusted: i64,
    /// Quantity times price of what was sold less what went back, and debt adjustments.
    pub revenue: Money,
}

/// The most earlier descriptions a row keeps.
const EARLIER_MAX: usize = 16;

impl RowProjection for Products {
    const NAME: &'static str = "products";
    const VERSION: u32 = 1;
    type Event = ProductsEvent;
    type Key = String;
    type Row = ProductRow;

    fn route(&self, event: &Recorded<ProductsEvent>) -> impl IntoIterator<Item = String> {
        match &event.data {
            ProductsEvent::Product(_) => vec![event.stream_id().to_owned()],
            ProductsEvent::Order(order) => {
                let lines = order.entry().lines.iter();
                let products: BTreeSet<&str> = lines.map(|line| line.product.as_str()).collect();
                products.into_iter().map(str::to_owned).collect()
            }
        }
    }

    fn evolve(
        &self,
        key: &String,
        row: &mut Option<ProductRow>,
        event: &Recorded<ProductsEvent>,
    ) -> Result<(), ProjectionError> {
        let row =
            row.get_or_insert_with(|| ProductRow { product: key.clone(), ..ProductRow::default() });
        match &event.data {
            ProductsEvent::Product(ProductEvent::Added { description, .. }) => {
                row.description.clone_from(description);
            }
            ProductsEvent::Product(ProductEvent::Described { description, .. }) => {
                row.describe(description);
            }
            ProductsEvent::Order(order) => {
                let lines = order.entry().lines.iter();
                lines.filter(|line| line.product.as_str() == key).for_each(|l| row.count(order, l));
            }
        }
        Ok(())
    }
}

impl ProductRow {
    fn describe(&mut self, description: &str) {
        let earlier = self.description.replace(description.to_owned());
        self.earlier_descriptions.retain(|own| own != description);
        let Some(earlier) = earlier.filter(|earlier| earlier != description) else { return };
        self.earlier_descriptions.push(earlier);
        let surplus = self.earlier_descriptions.len().saturating_sub(EARLIER_MAX);
        self.earlier_descriptions.drain(..surplus);
    }

    fn count(&mut self, order: &OrderEvent, line: &Line) {
        let units = i64::from(line.quantity);
        self.lines = self.lines.saturating_add(1);
        match order {
            OrderEvent::Placed(_) => {
                self.units_sold = self.units_sold.saturating_add(units);
                self.revenue += line.total();
            }
            OrderEvent::LinesReturned(_) | OrderEvent::Cancelled { .. } => {
                self.units_returned = self.units_returned.saturating_add(units);
                self.revenue -= line.total();
            }
            OrderEvent::StockAdjusted(_) => {
                self.units_adjusted = self.units_adjusted.saturating_add(units);
            }
            OrderEvent::DebtAdjusted(_) => self.revenue += line.total(),
        }
    }
}
