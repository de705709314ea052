//! What can happen to a product, and every shape of it that may lie on disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// What happened to a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductEvent {
    /// The shop has it now.
    Added {
        /// How the shop describes it; `None` while nobody has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// When.
        time: Moment,
    },
    /// The shop describes it in other words now.
    Described {
        /// The new words.
        description: String,
        /// Since when.
        time: Moment,
    },
}

headwater::event_schema! {
    ProductEvent in "product" {
        Added = 1,
        Described = 1,
    }
    occurred_at: occurred_at;
}

const fn occurred_at(event: &ProductEvent) -> Option<Timestamp> {
    match event {
        ProductEvent::Added { time, .. } | ProductEvent::Described { time, .. } => Some(time.at),
    }
}
