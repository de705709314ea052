//! Events to a stream of NATS JetStream, beside a publisher that does nothing else.

use std::time::Instant;

use async_nats::jetstream::stream::{Config, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{HeaderMap, HeaderName};
use futures_util::future::try_join_all;
use headwater::event::EventId;
use headwater_outbox::broker::NatsAddress;
use headwater_outbox::endpoint::{EndpointConfig, Target as Sink};

use super::bed::OutboxBed;
use super::{IN_FLIGHT, STREAMS};
use crate::bench::append::fill_streams;
use crate::bench::case::{Case, Measure, Outcome, Round, Target};
use crate::bench::ground::Ground;
use crate::error::Failure;

/// Events of the log.
const EVENTS: u64 = 100_000;

/// Measures one endpoint whose events go to a stream in the server's memory.
pub fn run(ground: &Ground, address: &NatsAddress) -> Result<Outcome, Failure> {
    let case = Case {
        name: format!("NATS JetStream, acknowledged, {IN_FLIGHT} in flight"),
        unit: "messages",
        limit_name: "bare publisher, same message, as many in flight",
        target: Target::Ratio(0.6),
    };
    let bed = OutboxBed::start(ground, "nats")?;
    fill_streams(&bed.log, EVENTS, STREAMS)?;
    let bench = ground.block_on(Bench::connect(address))?;
    let mut number = 0;
    let outcome = case.run(ground.rounds, || {
        number += 1;
        let subject = bench.deliver_all(&bed, ground, &format!("n{number}"))?;
        let limit = ground.block_on(bench.publish_bare(ground))?;
        Ok(Round { subject, limit })
    });
    let removed = ground.block_on(bench.context.delete_stream(&bench.name));
    removed.map_err(|error| failed("remove the stream", error))?;
    bed.stop(ground)?;
    outcome
}

/// A stream of this run.
struct Bench {
    context: Context,
    name: String,
}

impl Bench {
    async fn connect(address: &NatsAddress) -> Result<Self, Failure> {
        let servers = address.to_string();
        let client = async_nats::connect(&servers).await;
        let client = client.map_err(|error| failed("connect", error))?;
        let name = format!("HEADWATER_BENCH_{}", std::process::id());
        Ok(Self { context: jetstream::new(client), name })
    }

    /// Makes the stream anew, so that it knows no message.
    async fn fresh(&self) -> Result<Stream, Failure> {
        // It is not there the first time.
        let _ = self.context.delete_stream(&self.name).await;
        let config = Config {
            name: self.name.clone(),
            subjects: vec![format!("{}.>", self.name)],
            storage: StorageType::Memory,
            ..Config::default()
        };
        self.context.create_stream(config).await.map_err(|error| failed("make a stream", error))
    }

    /// Registers an endpoint that gets the whole log, and waits until the stream has it.
    fn deliver_all(&self, bed: &OutboxBed, ground: &Ground, id: &str) -> Result<Measure, Failure> {
        let mut stream = ground.block_on(self.fresh())?;
        let mut config = EndpointConfig::webhook(String::new());
        let subject = format!("{}.{{category}}.{{type}}", self.name);
        config.target = Sink::Nats { subject, stream: Some(self.name.clone()) };
        config.concurrency = IN_FLIGHT;
        let (events, start) = (bed.filled(), Instant::now());
        bed.register(ground, id, config)?;
        while ground.block_on(count(&mut stream))? < events {}
        let elapsed = start.elapsed();
        bed.remove(ground, id)?;
        Ok(Measure { count: events, elapsed })
    }

    /// Publishes the stream's first message again and again, each time with an id of its own, which
    /// the server remembers as it does those of events.
    async fn publish_bare(&self, ground: &Ground) -> Result<Measure, Failure> {
        let stream = self.context.get_stream(&self.name).await;
        let stream = stream.map_err(|error| failed("find the stream", error))?;
        let first = stream.get_raw_message(1).await;
        let first = first.map_err(|error| failed("read a message", error))?;
        let headers = without_id(&first.headers);
        let start = Instant::now();
        let lanes = (0..IN_FLIGHT).map(|_| async {
            let mut count = 0;
            while start.elapsed() < ground.within {
                let (mut headers, body) = (headers.clone(), first.payload.clone());
                headers.insert("Nats-Msg-Id", EventId::fresh().to_string());
                let sent =
                    self.context.publish_with_headers(first.subject.clone(), headers, body).await;
                let acknowledged = sent.map_err(|error| failed("publish", error))?.await;
                acknowledged.map_err(|error| failed("publish", error))?;
                count += 1;
            }
            Ok::<u64, Failure>(count)
        });
        let count = try_join_all(lanes).await?.into_iter().sum();
        Ok(Measure { count, elapsed: start.elapsed() })
    }
}

/// Leaves the id out, by which the stream would drop the message.
fn without_id(headers: &HeaderMap) -> HeaderMap {
    let mut others = HeaderMap::new();
    let is_other = |name: &HeaderName| AsRef::<str>::as_ref(name) != "Nats-Msg-Id";
    for (name, values) in headers.iter().filter(|(name, _)| is_other(name)) {
        values.iter().for_each(|value| others.append(name.clone(), value.clone()));
    }
    others
}

/// Returns how many messages a stream has; asks a hundred times a second at most.
async fn count(stream: &mut Stream) -> Result<u64, Failure> {
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let info = stream.info().await.map_err(|error| failed("ask the stream", error))?;
    Ok(info.state.messages)
}

fn failed(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("cannot {what} on NATS: {error}"))
}
