//! Sends the shop's commands to a running system.

use headwater::aggregate::{Command, Decide, Receipt};
use headwater::event::Tenant;
use headwater::runtime::{AddressError, SendError, SendOptions, System};

use crate::customer::{Customer, CustomerRejection};
use crate::order::{Order, OrderRejection};
use crate::product::{Product, ProductRejection};
use crate::retail::{KeyedCommand, ShopCommand};

/// Sends commands on behalf of one tenant; cheap to clone.
#[derive(Clone)]
pub struct ShopSender {
    system: System,
    tenant: Tenant,
}

/// Says why a command of the shop led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ShopSendError {
    /// The shop is not part of the system, or an id is no name. Developer or caller.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An order said no or could not be reached; the error says who acts.
    #[error(transparent)]
    Order(#[from] SendError<OrderRejection>),
    /// A customer said no or could not be reached; the error says who acts.
    #[error(transparent)]
    Customer(#[from] SendError<CustomerRejection>),
    /// A product said no or could not be reached; the error says who acts.
    #[error(transparent)]
    Product(#[from] SendError<ProductRejection>),
}

impl ShopSendError {
    /// Returns whether this one command was refused, by the rules or because its key belongs
    /// to another command; others can go on.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        use SendError::{KeyReused, Rejected, RejectedBefore};
        matches!(
            self,
            Self::Order(Rejected { .. } | RejectedBefore { .. } | KeyReused { .. })
                | Self::Customer(Rejected { .. } | RejectedBefore { .. } | KeyReused { .. })
                | Self::Product(Rejected { .. } | RejectedBefore { .. } | KeyReused { .. })
        )
    }
}

impl ShopSender {
    /// Sends to a system that the shop is part of.
    #[must_use]
    pub const fn new(system: System, tenant: Tenant) -> Self {
        Self { system, tenant }
    }

    /// Sends a command under its key and waits until it is durable; sending it again gives the
    /// earlier receipt.
    ///
    /// # Errors
    /// [`ShopSendError`]; each variant says who acts.
    pub async fn send(&self, keyed: KeyedCommand) -> Result<Receipt, ShopSendError> {
        let KeyedCommand { key, command } = keyed;
        match command {
            ShopCommand::Register(id, asked) => self.customer(id.as_str(), asked, key).await,
            ShopCommand::Move(id, asked) => self.customer(id.as_str(), asked, key).await,
            ShopCommand::Add(id, asked) => self.product(id.as_str(), asked, key).await,
            ShopCommand::Describe(id, asked) => self.product(id.as_str(), asked, key).await,
            ShopCommand::Place(id, asked) => self.order(id.as_str(), asked, key).await,
            ShopCommand::ReturnLines(id, asked) => self.order(id.as_str(), asked, key).await,
            ShopCommand::Cancel(id, asked) => self.order(id.as_str(), asked, key).await,
            ShopCommand::AdjustDebt(id, asked) => self.order(id.as_str(), asked, key).await,
            ShopCommand::AdjustStock(id, asked) => self.order(id.as_str(), asked, key).await,
        }
    }

    async fn order<C: Command>(
        &self,
        id: &str,
        command: C,
        key: String,
    ) -> Result<Receipt, ShopSendError>
    where
        Order: Decide<C>,
    {
        let order = self.system.at::<Order>(&self.tenant, id)?;
        Ok(order.send_with(command, under(key)).await?)
    }

    async fn customer<C: Command>(
        &self,
        id: &str,
        command: C,
        key: String,
    ) -> Result<Receipt, ShopSendError>
    where
        Customer: Decide<C>,
    {
        let customer = self.system.at::<Customer>(&self.tenant, id)?;
        Ok(customer.send_with(command, under(key)).await?)
    }

    async fn product<C: Command>(
        &self,
        id: &str,
        command: C,
        key: String,
    ) -> Result<Receipt, ShopSendError>
    where
        Product: Decide<C>,
    {
        let product = self.system.at::<Product>(&self.tenant, id)?;
        Ok(product.send_with(command, under(key)).await?)
    }
}

fn under(key: String) -> SendOptions {
    SendOptions { idempotency_key: Some(key), ..SendOptions::default() }
}
