//! Message brokers that events are published to: their addresses, and the connections to them.
//!
//! Where a broker is, the operator says once for the whole program; an endpoint only names what
//! is published to. Each node has one connection to each broker, made when it is first needed.

mod address;
mod confirm;
mod exchange;
mod link;
mod nats;
mod rabbitmq;

pub use address::{AddressError, NatsAddress, RabbitmqAddress};
pub(crate) use link::Link;
pub(crate) use nats::{NatsConnection, NatsMessage};
pub(crate) use rabbitmq::{RabbitmqConnection, RabbitmqMessage};

use std::path::PathBuf;
use std::sync::Arc;

use headwater::event::Tenant;

/// The brokers of a node, and who may have events published to them.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The tenant whose endpoints may publish: the operator's.
    pub operator: Tenant,
    /// Where NATS is; `None` when there is none.
    pub nats: Option<NatsAddress>,
    /// Where RabbitMQ is; `None` when there is none.
    pub rabbitmq: Option<RabbitmqAddress>,
    /// A file of certificates, PEM, of authorities to believe besides the machine's.
    pub ca_file: Option<PathBuf>,
}

impl Default for BrokerConfig {
    /// No broker; the operator is the default tenant.
    fn default() -> Self {
        Self { operator: Tenant::default_tenant(), nats: None, rabbitmq: None, ca_file: None }
    }
}

/// The connections of a node.
pub(crate) struct Brokers {
    pub operator: Tenant,
    pub nats: Option<Arc<Link<NatsConnection>>>,
    pub rabbitmq: Option<Arc<Link<RabbitmqConnection>>>,
}

impl Brokers {
    pub fn new(config: BrokerConfig) -> Self {
        let BrokerConfig { operator, nats, rabbitmq, ca_file } = config;
        let rabbitmq = rabbitmq.map(|address| Arc::new(Link::new(address, ca_file.clone())));
        let nats = nats.map(|address| Arc::new(Link::new(address, ca_file)));
        Self { operator, nats, rabbitmq }
    }
}

/// Why a broker did not take a message.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// What is wrong and how to mend it.
    pub words: String,
    /// Whether it is of no use to send this message again.
    pub is_hopeless: bool,
}

impl Refusal {
    /// Makes one after which the message is sent again.
    pub fn again(words: impl Into<String>) -> Self {
        Self { words: words.into(), is_hopeless: false }
    }

    /// Makes one after which it is not.
    pub fn hopeless(words: impl Into<String>) -> Self {
        Self { words: words.into(), is_hopeless: true }
    }
}
