//! What can happen to an order, and every shape of it that may lie on disk.

use headwater::event::{NameError, Tag};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Entry;
use crate::money::Money;

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// Goods were sold.
    Placed(Entry),
    /// Lines came back: of this sale, or, when nothing was placed under this id, of one that
    /// is not named. Quantities count what came back, so they are positive.
    LinesReturned(Entry),
    /// A sale was taken back as a whole.
    Cancelled {
        /// All its lines, for those who count.
        entry: Entry,
        /// Why; `None` if nobody said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// What is owed was changed.
    DebtAdjusted(Entry),
    /// Stock was moved for no money.
    StockAdjusted(Entry),
}

impl OrderEvent {
    /// Returns who, where, when and what.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        match self {
            Self::Placed(entry)
            | Self::LinesReturned(entry)
            | Self::DebtAdjusted(entry)
            | Self::StockAdjusted(entry)
            | Self::Cancelled { entry, .. } => entry,
        }
    }

    /// Returns by how much the event changes the shop's revenue; negative for what went back.
    #[must_use]
    pub fn revenue(&self) -> Money {
        match self {
            Self::LinesReturned(entry) | Self::Cancelled { entry, .. } => -entry.total(),
            _ => self.entry().total(),
        }
    }
}

headwater::event_schema! {
    OrderEvent in "order" {
        Placed = 1,
        LinesReturned = 1,
        Cancelled = 1,
        DebtAdjusted = 1,
        StockAdjusted = 1,
    }
    tags: tags;
    occurred_at: occurred_at;
}

/// An order is found by its customer. Its products are no tags: an order may have more of them
/// than an event may have tags, and a search that finds only the small orders misleads.
fn tags(event: &OrderEvent) -> Result<Vec<Tag>, NameError> {
    let customer = event.entry().customer.as_ref();
    customer.map(|customer| Tag::new(format!("customer:{customer}"))).into_iter().collect()
}

const fn occurred_at(event: &OrderEvent) -> Option<Timestamp> {
    Some(event.entry().time.at)
}
