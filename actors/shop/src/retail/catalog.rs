//! What the file has said so far of customers and products: only changes become commands.

use std::collections::HashMap;
use std::hash::Hash;

use super::assembly::ImportError;
use super::{ImportReport, KeyedCommand, Row, ShopCommand};
use crate::customer::{Move, Register};
use crate::name::{Country, CustomerId, ProductCode};
use crate::order::OrderKind;
use crate::product::{Add, Describe};

/// The last word on every customer and product.
#[derive(Debug, Default)]
pub struct Catalog {
    customers: HashMap<CustomerId, Known<Country>>,
    products: HashMap<ProductCode, Known<Option<String>>>,
}

/// What was said last, and how many times something was said.
#[derive(Debug)]
struct Known<T> {
    last: T,
    said: u32,
}

/// The most customers, and the most products, of one file.
const KNOWN_MAX: usize = 1_000_000;

impl Catalog {
    /// Adds the commands that make the rows of an invoice's customer and products known.
    pub fn learn(
        &mut self,
        kind: OrderKind,
        rows: &[Row],
        report: &mut ImportReport,
        out: &mut impl Extend<KeyedCommand>,
    ) -> Result<(), ImportError> {
        if let Some((row, customer)) =
            rows.first().and_then(|row| Some((row, row.customer.as_ref()?)))
        {
            out.extend(self.customer(customer, row, report)?);
        }
        for row in rows {
            out.extend(self.product(kind, row, report)?);
        }
        Ok(())
    }

    fn customer(
        &mut self,
        id: &CustomerId,
        row: &Row,
        report: &mut ImportReport,
    ) -> Result<Option<KeyedCommand>, ImportError> {
        let (country, local_time) = (row.country.clone(), Some(row.time));
        let (command, said) = match self.customers.get_mut(id) {
            Some(known) if known.last == country => return Ok(None),
            Some(known) => {
                known.last = country.clone();
                known.said += 1;
                report.moves += 1;
                (ShopCommand::Move(id.clone(), Move { country, local_time }), known.said)
            }
            None => {
                insert(&mut self.customers, id.clone(), country.clone(), "customers")?;
                report.customers += 1;
                (ShopCommand::Register(id.clone(), Register { country, local_time }), 1)
            }
        };
        Ok(Some(KeyedCommand { key: format!("retail:customer:{id}:{said}"), command }))
    }

    fn product(
        &mut self,
        kind: OrderKind,
        row: &Row,
        report: &mut ImportReport,
    ) -> Result<Option<KeyedCommand>, ImportError> {
        let (id, local_time) = (&row.product, Some(row.time));
        let description = row.description.as_ref().filter(|_| describes(kind));
        let (command, said) = match (self.products.get_mut(id), description) {
            (Some(_), None) => return Ok(None),
            (Some(known), Some(new)) if known.last.as_ref() == Some(new) => return Ok(None),
            (Some(known), Some(new)) => {
                known.last = Some(new.clone());
                known.said += 1;
                report.descriptions += 1;
                let describe = Describe { description: new.clone(), local_time };
                (ShopCommand::Describe(id.clone(), describe), known.said)
            }
            (None, new) => {
                insert(&mut self.products, id.clone(), new.cloned(), "products")?;
                report.products += 1;
                let add = Add { description: new.cloned(), local_time };
                (ShopCommand::Add(id.clone(), add), 1)
            }
        };
        Ok(Some(KeyedCommand { key: format!("retail:product:{id}:{said}"), command }))
    }
}

/// Whether the description of a line is the product's, not a note about the adjustment.
pub const fn describes(kind: OrderKind) -> bool {
    matches!(kind, OrderKind::Sale | OrderKind::Credit)
}

fn insert<K: Eq + Hash, V>(
    known: &mut HashMap<K, Known<V>>,
    key: K,
    last: V,
    what: &'static str,
) -> Result<(), ImportError> {
    if known.len() >= KNOWN_MAX {
        return Err(ImportError::TooMany { what, max: KNOWN_MAX });
    }
    known.insert(key, Known { last, said: 1 });
    Ok(())
}
