//! The commands of the shop, each with the stream it is for and the key that keeps it single.

use std::hash::{DefaultHasher, Hash, Hasher};

use headwater::event::{NameError, StreamId};
use jiff::civil::DateTime;

use crate::customer::{Move, Register};
use crate::name::{CustomerId, OrderId, ProductCode};
use crate::order::{AdjustDebt, AdjustStock, Cancel, Place, ReturnLines};
use crate::product::{Add, Describe};

/// A command with its idempotency key; the same file gives the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedCommand {
    /// The key.
    pub key: String,
    /// The command and whom it is for.
    pub command: ShopCommand,
}

/// Any command of the shop with the id of the aggregate it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopCommand {
    /// Makes a customer known.
    Register(CustomerId, Register),
    /// Moves a customer.
    Move(CustomerId, Move),
    /// Adds a product.
    Add(ProductCode, Add),
    /// Describes a product anew.
    Describe(ProductCode, Describe),
    /// Places an order.
    Place(OrderId, Place),
    /// Takes lines back.
    ReturnLines(OrderId, ReturnLines),
    /// Takes a sale back as a whole.
    Cancel(OrderId, Cancel),
    /// Changes what is owed.
    AdjustDebt(OrderId, AdjustDebt),
    /// Moves stock for no money.
    AdjustStock(OrderId, AdjustStock),
}

impl ShopCommand {
    /// Returns the category of the aggregate that decides it.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Register(..) | Self::Move(..) => "customer",
            Self::Add(..) | Self::Describe(..) => "product",
            _ => "order",
        }
    }

    /// Returns the id of the aggregate that decides it.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Register(id, _) | Self::Move(id, _) => id.as_str(),
            Self::Add(id, _) | Self::Describe(id, _) => id.as_str(),
            Self::Place(id, _)
            | Self::ReturnLines(id, _)
            | Self::Cancel(id, _)
            | Self::AdjustDebt(id, _)
            | Self::AdjustStock(id, _) => id.as_str(),
        }
    }

    /// Returns the stream of the aggregate that decides it.
    ///
    /// # Errors
    /// [`NameError`] when the id is no valid stream id; the shop's own names all are.
    pub fn stream(&self) -> Result<StreamId, NameError> {
        StreamId::new(self.category(), self.id())
    }

    /// Returns the local time at which it happened in the shop; `None` means now.
    #[must_use]
    pub const fn local_time(&self) -> Option<DateTime> {
        match self {
            Self::Register(_, own) => own.local_time,
            Self::Move(_, own) => own.local_time,
            Self::Add(_, own) => own.local_time,
            Self::Describe(_, own) => own.local_time,
            Self::Place(_, own) => own.local_time,
            Self::ReturnLines(_, own) => own.local_time,
            Self::Cancel(_, own) => own.local_time,
            Self::AdjustDebt(_, own) => own.local_time,
            Self::AdjustStock(_, own) => own.local_time,
        }
    }

    /// Returns which of so many lanes the command goes by, from 0; always 0 when there is one
    /// or none. Commands for one stream have one lane, so a sender that keeps the order in each
    /// lane keeps the order in each stream.
    #[must_use]
    pub fn lane(&self, lanes: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        (self.category(), self.id()).hash(&mut hasher);
        let of = lanes.max(1) as u64;
        usize::try_from(hasher.finish() % of).unwrap_or_default()
    }
}
