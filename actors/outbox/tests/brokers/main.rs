//! From the log to real brokers, through a running system.
//!
//! `NATS_URL`, `AMQP_URL` and `KAFKA_URL` name them, as `tests/with-brokers` finds them. Without a broker its
//! tests say so and pass.

#[cfg(test)]
mod api;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod kafka_kit;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod nats;
#[cfg(test)]
mod nats_kit;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod rabbitmq;
#[cfg(test)]
mod rabbitmq_kit;
#[cfg(test)]
mod tls;
