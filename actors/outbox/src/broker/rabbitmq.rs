//! A connection to RabbitMQ, with a channel for each exchange that is published to.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, ConnectionProperties, DefaultConnectionBuilder, ExchangeKind};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::Refusal;
use super::address::RabbitmqAddress;
use super::exchange::{ORDERS_MAX, Order, refusal, run};
use super::link::Connection;

/// How often, in seconds, each side shows that it is there, unless the address says otherwise.
const HEARTBEAT_S: u16 = 10;

/// A message on its way to an exchange.
pub(crate) struct RabbitmqMessage {
    pub id: String,
    pub exchange: ShortString,
    pub routing_key: ShortString,
    pub properties: BasicProperties,
    pub body: Bytes,
}

/// One connection; it is thrown away when it is lost.
pub(crate) struct RabbitmqConnection {
    connection: lapin::Connection,
    exchanges: Mutex<HashMap<String, mpsc::Sender<Order>>>,
}

impl Connection for RabbitmqConnection {
    type Address = RabbitmqAddress;
    const KIND: &'static str = "RabbitMQ";
    const SETTING: &'static str = "outbox.rabbitmq";

    async fn connect(address: &RabbitmqAddress, ca_file: Option<&Path>) -> Result<Self, String> {
        let words = |error: lapin::Error| error.to_string();
        let mut uri = address.uri();
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let tls = OwnedTLSConfig { identity: None, cert_chain: ca_file.map(read).transpose()? };
        let name = ConnectionProperties::default().with_connection_name("headwater outbox".into());
        let builder = DefaultConnectionBuilder::new().map_err(words)?;
        let connecting = builder.with_uri(uri).with_properties(name).with_tls_config(tls);
        let connection = connecting.connect().await.map_err(words)?;
        Ok(Self { connection, exchanges: Mutex::default() })
    }

    fn is_lost(&self) -> bool {
        !self.connection.status().connected()
    }
}

impl RabbitmqConnection {
    /// Publishes, and waits until RabbitMQ has the message in a queue. Many may wait at once.
    pub async fn publish(&self, message: RabbitmqMessage) -> Result<(), Refusal> {
        if self.connection.status().blocked() {
            let words =
                "RabbitMQ takes no messages because it is short of memory or disk: free some";
            return Err(Refusal::again(words));
        }
        let closed =
            || Refusal::again("the channel to RabbitMQ was closed: the event is sent again");
        let orders = self.orders(message.exchange.as_str()).await?;
        let (reply, answer) = oneshot::channel();
        orders.send(Order { message, reply }).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Returns who publishes to an exchange, on a new channel when the last one was closed.
    async fn orders(&self, exchange: &str) -> Result<mpsc::Sender<Order>, Refusal> {
        let mut exchanges = self.exchanges.lock().await;
        if let Some(orders) = exchanges.get(exchange).filter(|orders| !orders.is_closed()) {
            return Ok(orders.clone());
        }
        let problem = |error: lapin::Error| refusal(&error, exchange);
        let channel = self.connection.create_channel().await.map_err(problem)?;
        if !exchange.is_empty() {
            // Asked before anything is published: over a message to an exchange that is not there
            // RabbitMQ closes the channel, and a message that the library sends just then on the
            // closed channel ends the connection, with all that is under way to other exchanges.
            let asking = ExchangeDeclareOptions { passive: true, ..Default::default() };
            let (name, table) = (exchange.into(), FieldTable::default());
            let kind = ExchangeKind::default();
            channel.exchange_declare(name, kind, asking, table).await.map_err(problem)?;
        }
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(problem)?;
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        tokio::spawn(run(channel, exchange.to_owned(), orders));
        exchanges.insert(exchange.to_owned(), sender.clone());
        Ok(sender)
    }
}
