//! The channel to one exchange. Each exchange has its own, because RabbitMQ closes the channel,
//! with everything under way on it, over an exchange that is there no more.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Map;
use lapin::Confirmation;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{Channel, ErrorKind, PublisherConfirm};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Refusal;
use super::confirm::{Answer, Confirms, MessageKey};
use super::rabbitmq::RabbitmqMessage;

/// Messages that wait for the channel; more wait outside.
pub(super) const ORDERS_MAX: usize = 256;
/// How long the confirmations of a channel that is closed are waited for.
const CLOSE: Duration = Duration::from_secs(5);

/// A message to publish.
pub(super) struct Order {
    pub message: RabbitmqMessage,
    pub reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Publishes until the channel is closed or nobody is left who may order. Publishing does not
/// wait for confirmations.
pub(super) async fn run(channel: Channel, exchange: String, mut orders: mpsc::Receiver<Order>) {
    let mut confirms = Confirms::new();
    while channel.status().connected() {
        tokio::select! {
            biased;
            () = confirms.settle() => {}
            order = orders.recv() => match order {
                None => break,
                // Its delivery has run out of time.
                Some(order) if order.reply.is_closed() => {}
                Some(order) => publish(&channel, &exchange, &mut confirms, order).await,
            },
        }
    }
    // Who orders now finds it closed, and makes another.
    orders.close();
    let rest = async {
        while !confirms.is_empty() {
            confirms.settle().await;
        }
    };
    // What is not confirmed by then fails with the end of its reply, and is sent again.
    let _ = timeout(CLOSE, rest).await;
}

type Confirm = Map<PublisherConfirm, Box<dyn FnOnce(lapin::Result<Confirmation>) -> Answer + Send>>;

async fn publish(
    channel: &Channel,
    exchange: &str,
    confirms: &mut Confirms<Confirm>,
    Order { message, reply }: Order,
) {
    let RabbitmqMessage { id, exchange: name, routing_key, properties, body } = message;
    let key = MessageKey { id, routing_key: routing_key.to_string() };
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    match channel.basic_publish(name, routing_key, options, &body, properties).await {
        Ok(confirm) => {
            let exchange = exchange.to_owned();
            let read = Box::new(move |told| answer(told, &exchange));
            confirms.add(key, confirm.map(read), reply);
        }
        Err(error) => {
            // Nobody listens any more when the delivery was broken off.
            let _ = reply.send(Err(refusal(&error, exchange)));
        }
    }
}

fn answer(told: lapin::Result<Confirmation>, exchange: &str) -> Answer {
    let nack = || {
        Refusal::again(format!(
            "RabbitMQ refuses the message (nack): look at the queues bound to exchange \
             {exchange:?}, one is full or failing"
        ))
    };
    let (taken, returned) = match told {
        Ok(Confirmation::Ack(returned)) => (Ok(()), returned),
        Ok(Confirmation::Nack(returned)) => (Err(nack()), returned),
        Ok(Confirmation::NotRequested) => {
            (Err(Refusal::again("RabbitMQ confirms nothing on this channel")), None)
        }
        Err(error) => (Err(refusal(&error, exchange)), None),
    };
    let returned = returned.map(|message| {
        let id = message.properties.message_id().as_ref().map(ShortString::to_string);
        let routing_key = message.routing_key.to_string();
        let words = format!(
            "no queue gets the message: bind one to exchange {exchange:?} for the routing key \
             {routing_key:?} ({})",
            message.reply_text
        );
        (MessageKey { id: id.unwrap_or_default(), routing_key }, Refusal::again(words))
    });
    Answer { taken, returned }
}

/// Says in words what an error of the library means.
pub(super) fn refusal(error: &lapin::Error, exchange: &str) -> Refusal {
    let code = match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_id(),
        _ => 0,
    };
    Refusal::again(match code {
        403 => format!(
            "the user of outbox.rabbitmq may not write to exchange {exchange:?}: give it the \
             permission"
        ),
        404 => format!(
            "RabbitMQ has no exchange {exchange:?} in the virtual host of outbox.rabbitmq: \
             declare it, or change target.exchange"
        ),
        _ => format!("the message could not be handed to RabbitMQ ({error}): it is sent again"),
    })
}
