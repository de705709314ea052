//! Sends one command of the shop to its aggregate and says what became of it.

use headwater::aggregate::{Aggregate, Command, Decide, Receipt, Rejection};
use headwater::event::{Metadata, Tenant};
use headwater::runtime::{SendError, SendOptions, System};
use headwater_shop::customer::Customer;
use headwater_shop::order::Order;
use headwater_shop::product::Product;
use headwater_shop::retail::{KeyedCommand, ShopCommand};

use crate::error::Failure;

/// What became of a command.
#[derive(Debug)]
pub enum Answer {
    /// It was decided, now or by an earlier run.
    Done(Receipt),
    /// The rules said no, in these words.
    Rejected(String),
}

/// Sends the commands of a tenant's shop.
#[derive(Clone)]
pub struct Sender {
    /// Where to.
    pub system: System,
    /// Whose shop.
    pub tenant: Tenant,
}

impl Sender {
    /// Sends a command and waits until what it led to is durable.
    ///
    /// # Errors
    /// A [`Failure`] when the system could not decide or store it.
    pub async fn send(&self, keyed: KeyedCommand) -> Result<Answer, Failure> {
        use ShopCommand as Shop;
        let key = keyed.key;
        match keyed.command {
            Shop::Register(id, command) => self.to::<Customer, _>(id.as_str(), key, command).await,
            Shop::Move(id, command) => self.to::<Customer, _>(id.as_str(), key, command).await,
            Shop::Add(id, command) => self.to::<Product, _>(id.as_str(), key, command).await,
            Shop::Describe(id, command) => self.to::<Product, _>(id.as_str(), key, command).await,
            Shop::Place(id, command) => self.to::<Order, _>(id.as_str(), key, command).await,
            Shop::ReturnLines(id, command) => self.to::<Order, _>(id.as_str(), key, command).await,
            Shop::Cancel(id, command) => self.to::<Order, _>(id.as_str(), key, command).await,
            Shop::AdjustDebt(id, command) => self.to::<Order, _>(id.as_str(), key, command).await,
            Shop::AdjustStock(id, command) => self.to::<Order, _>(id.as_str(), key, command).await,
        }
    }

    async fn to<A, C>(&self, id: &str, key: String, command: C) -> Result<Answer, Failure>
    where
        C: Command,
        A: Aggregate + Decide<C>,
    {
        let at = self.system.at::<A>(&self.tenant, id);
        let metadata = Metadata { who: Some("import".into()), ..Metadata::default() };
        let options = SendOptions { metadata, idempotency_key: Some(key), expected: None };
        let at = at.map_err(|error| Failure::new(error.to_string()))?;
        match at.send_with(command, options).await {
            Ok(receipt) => Ok(Answer::Done(receipt)),
            Err(SendError::Rejected(no)) => {
                Ok(Answer::Rejected(format!("{} {id}: {no} ({})", C::NAME, no.code())))
            }
            Err(error) => Err(Failure::new(format!("{} {id}: {error}", C::NAME))),
        }
    }
}
