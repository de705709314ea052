//! Message brokers that events are published to: their addresses, and the connections to them.
//!
//! Where a broker is, the operator says once for the whole program; an endpoint only names what
//! is published to. Each node has one connection to each broker, made when it is first needed.

mod address;
mod confirm;
mod exchange;
#[cfg(feature = "kafka")]
mod kafka;
mod kafka_address;
mod link;
mod nats;
#[cfg(feature = "kafka")]
mod partition;
mod rabbitmq;

pub use address::{AddressError, NatsAddress, RabbitmqAddress};
#[cfg(feature = "kafka")]
pub(crate) use kafka::{KafkaConnection, KafkaMessage};
pub use kafka_address::KafkaAddress;
pub(crate) use link::Link;
pub(crate) use nats::{NatsConnection, NatsMessage};
pub(crate) use rabbitmq::{RabbitmqConnection, RabbitmqMessage};

use std::path::PathBuf;
use std::sync::Arc;

use headwater::event::Tenant;

/// Whether this program knows Kafka, which only a build with the feature `kafka` does.
pub const HAS_KAFKA: bool = cfg!(feature = "kafka");

/// Says that this program does not know Kafka, and how to build one that does.
pub const NO_KAFKA: &str = "this program was built without Kafka: build it with \
                            `cargo build --release --features kafka`";

/// The brokers of a node, and who may have events published to them.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The tenant whose endpoints may publish: the operator's.
    pub operator: Tenant,
    /// Where NATS is; `None` when there is none.
    pub nats: Option<NatsAddress>,
    /// Where RabbitMQ is; `None` when there is none.
    pub rabbitmq: Option<RabbitmqAddress>,
    /// Where Kafka is; `None` when there is none.
    pub kafka: Option<KafkaAddress>,
    /// A file of certificates, PEM, of authorities to believe besides the machine's.
    pub ca_file: Option<PathBuf>,
}

impl Default for BrokerConfig {
    /// No broker; the operator is the default tenant.
    fn default() -> Self {
        Self {
            operator: Tenant::default_tenant(),
            nats: None,
            rabbitmq: None,
            kafka: None,
            ca_file: None,
        }
    }
}

/// The connections of a node.
pub(crate) struct Brokers {
    pub operator: Tenant,
    pub nats: Option<Arc<Link<NatsConnection>>>,
    pub rabbitmq: Option<Arc<Link<RabbitmqConnection>>>,
    /// Whether it is known where Kafka is.
    pub has_kafka_address: bool,
    #[cfg(feature = "kafka")]
    pub kafka: Option<Arc<Link<KafkaConnection>>>,
}

impl Brokers {
    pub fn new(config: BrokerConfig) -> Self {
        let BrokerConfig { operator, nats, rabbitmq, kafka, ca_file } = config;
        Self {
            operator,
            nats: nats.map(|address| Arc::new(Link::new(address, ca_file.clone()))),
            rabbitmq: rabbitmq.map(|address| Arc::new(Link::new(address, ca_file.clone()))),
            has_kafka_address: kafka.is_some(),
            #[cfg(feature = "kafka")]
            kafka: kafka.map(|address| Arc::new(Link::new(address, ca_file))),
        }
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
