//! A connection to a cluster of Kafka, with a client for each partition that is written to.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use tokio::sync::{Mutex, OnceCell};

use super::Refusal;
use super::kafka_address::{KafkaAddress, KafkaLogin, Mechanism};
use super::link::Connection;
use super::partition::partition_of;
use crate::webhook::tls;

/// How long the library looks for a partition's leader and connects anew before it gives up; what
/// is longer is the endpoint's own schedule.
const PATIENCE: Duration = Duration::from_secs(2);

/// A message on its way to a topic.
pub(crate) struct KafkaMessage {
    pub topic: Arc<str>,
    /// What keeps messages in one partition.
    pub key: Vec<u8>,
    pub record: Record,
}

/// One connection to a cluster; it is thrown away after a failure of it.
pub(crate) struct KafkaConnection {
    client: Client,
    topics: Mutex<HashMap<Arc<str>, Arc<Topic>>>,
    is_lost: AtomicBool,
}

/// The partitions of a topic as they were when it was first written to.
struct Topic {
    name: Arc<str>,
    partitions: BTreeSet<i32>,
    /// Connections, each made when it is first needed.
    clients: HashMap<i32, OnceCell<PartitionClient>>,
}

/// Marks a connection as lost when it is dropped while it waits: then there was no answer in
/// time, and perhaps nobody is there any more.
struct Waiting<'a>(Option<&'a AtomicBool>);

impl Connection for KafkaConnection {
    type Address = KafkaAddress;
    const KIND: &'static str = "Kafka";
    const SETTING: &'static str = "outbox.kafka";

    async fn connect(address: &KafkaAddress, ca_file: Option<&Path>) -> Result<Self, String> {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_millis(500),
            base: 2.0,
            deadline: Some(PATIENCE),
        };
        let mut builder = ClientBuilder::new(address.brokers().to_vec())
            .client_id("headwater-outbox")
            .backoff_config(backoff);
        if address.is_encrypted() {
            let config = tls::config(ca_file).map_err(|error| error.to_string())?;
            builder = builder.tls_config(Arc::new(config));
        }
        if let Some(login) = address.login() {
            builder = builder.sasl_config(sasl(login));
        }
        let client = builder.build().await.map_err(|error| words(&error))?;
        Ok(Self { client, topics: Mutex::default(), is_lost: AtomicBool::new(false) })
    }

    fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

impl KafkaConnection {
    /// Publishes, and waits until all replicas in sync have the message. Many may wait at once;
    /// those of one partition are written in the order in which they were given.
    pub async fn publish(&self, message: KafkaMessage) -> Result<(), Refusal> {
        let waiting = Waiting(Some(&self.is_lost));
        let topic = Arc::clone(&message.topic);
        let published = self.write(message).await;
        waiting.end();
        if published.as_ref().is_err_and(|failure| failure.ends_connection()) {
            self.is_lost.store(true, Ordering::Relaxed);
        }
        if published.as_ref().is_err_and(|failure| failure.is_unknown_topic()) {
            self.topics.lock().await.remove(&topic);
        }
        published.map_err(|failure| failure.refusal(&topic))
    }

    async fn write(&self, message: KafkaMessage) -> Result<(), Failure> {
        let topic = self.topic(&message.topic).await?;
        let partition = partition_of(&message.key, &topic.partitions).ok_or(Failure::NoTopic)?;
        let cell = topic.clients.get(&partition).ok_or(Failure::NoTopic)?;
        let connect = || {
            let handling = UnknownTopicHandling::Error;
            self.client.partition_client(&*topic.name, partition, handling)
        };
        let client = cell.get_or_try_init(connect).await?;
        client.produce(vec![message.record], Compression::NoCompression).await?;
        Ok(())
    }

    /// Returns a topic, which is asked for once; one that is not there is never made.
    async fn topic(&self, name: &Arc<str>) -> Result<Arc<Topic>, Failure> {
        let mut topics = self.topics.lock().await;
        if let Some(topic) = topics.get(name) {
            return Ok(Arc::clone(topic));
        }
        let known = self.client.list_topics().await?;
        let found = known.into_iter().find(|topic| *topic.name == **name);
        let partitions = found.ok_or(Failure::NoTopic)?.partitions;
        let clients = partitions.iter().map(|partition| (*partition, OnceCell::new())).collect();
        let topic = Arc::new(Topic { name: Arc::clone(name), partitions, clients });
        topics.insert(Arc::clone(name), Arc::clone(&topic));
        Ok(topic)
    }
}

impl Waiting<'_> {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(is_lost) = self.0 {
            is_lost.store(true, Ordering::Relaxed);
        }
    }
}

/// Why a message was not written.
enum Failure {
    NoTopic,
    Kafka(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Kafka(error)
    }
}

impl Failure {
    const fn is_unknown_topic(&self) -> bool {
        matches!(
            self,
            Self::Kafka(Error::ServerError {
                protocol_error: ProtocolError::UnknownTopicOrPartition,
                ..
            })
        )
    }

    /// Returns whether the connection is the reason, or may be.
    const fn ends_connection(&self) -> bool {
        !matches!(self, Self::NoTopic | Self::Kafka(Error::ServerError { .. }))
    }

    fn refusal(&self, topic: &str) -> Refusal {
        let error = match self {
            Self::Kafka(Error::ServerError { protocol_error, .. }) => *protocol_error,
            Self::Kafka(error) => {
                let error = words(error);
                return Refusal::again(format!(
                    "the message could not be handed to Kafka ({error}): it is sent again"
                ));
            }
            Self::NoTopic => ProtocolError::UnknownTopicOrPartition,
        };
        match error {
            ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge => {
                Refusal::hopeless(format!(
                    "the message is too large for topic {topic:?} of Kafka: raise its \
                     max.message.bytes and redrive the event, or skip it"
                ))
            }
            ProtocolError::InvalidRecord => Refusal::hopeless(format!(
                "Kafka finds the message invalid for topic {topic:?}: look at the rules of the \
                 topic, then redrive the event, or skip it"
            )),
            ProtocolError::UnknownTopicOrPartition => Refusal::again(format!(
                "Kafka has no topic {topic:?}: create it, or change target.topic"
            )),
            ProtocolError::TopicAuthorizationFailed => Refusal::again(format!(
                "the user of outbox.kafka may not write to topic {topic:?}: give it the permission"
            )),
            ProtocolError::NotEnoughReplicas | ProtocolError::NotEnoughReplicasAfterAppend => {
                Refusal::again(format!(
                    "topic {topic:?} of Kafka has fewer replicas in sync than \
                     min.insync.replicas: bring its brokers back"
                ))
            }
            other => Refusal::again(format!(
                "Kafka refuses the message for topic {topic:?} ({other:?}): it is sent again"
            )),
        }
    }
}

fn sasl(KafkaLogin { mechanism, name, password }: &KafkaLogin) -> SaslConfig {
    let credentials = Credentials::new(name.clone(), password.clone());
    match mechanism {
        Mechanism::Plain => SaslConfig::Plain(credentials),
        Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
        Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
    }
}

/// Returns what the library says, which is at times long.
fn words(error: &Error) -> String {
    const MAX: usize = 500;
    error.to_string().chars().take(MAX).collect()
}

#[cfg(test)]
mod tests {
    use rskafka::client::error::RequestContext;

    use super::*;

    fn told(protocol_error: ProtocolError) -> (Refusal, bool) {
        let request = RequestContext::Topic("shop".to_owned());
        let (error_message, response, is_virtual) = (None, None, false);
        let error =
            Error::ServerError { protocol_error, error_message, request, response, is_virtual };
        let failure = Failure::Kafka(error);
        (failure.refusal("shop"), failure.ends_connection())
    }

    #[test]
    fn only_what_is_wrong_with_the_message_itself_is_hopeless() {
        for (error, words, is_hopeless) in [
            (ProtocolError::MessageTooLarge, "max.message.bytes", true),
            (ProtocolError::InvalidRecord, "rules of the topic", true),
            (ProtocolError::UnknownTopicOrPartition, "no topic \"shop\"", false),
            (ProtocolError::TopicAuthorizationFailed, "may not write", false),
            (ProtocolError::NotEnoughReplicas, "min.insync.replicas", false),
            (ProtocolError::RequestTimedOut, "RequestTimedOut", false),
        ] {
            let (refusal, ends_connection) = told(error);
            assert!(refusal.words.contains(words), "{}", refusal.words);
            assert_eq!((refusal.is_hopeless, ends_connection), (is_hopeless, false), "{error:?}");
        }
    }

    #[test]
    fn an_answer_that_does_not_come_in_time_ends_the_connection() {
        let is_lost = AtomicBool::new(false);
        Waiting(Some(&is_lost)).end();
        assert!(!is_lost.load(Ordering::Relaxed));
        drop(Waiting(Some(&is_lost)));
        assert!(is_lost.load(Ordering::Relaxed));
        assert!(Failure::Kafka(Error::Timeout).ends_connection());
    }
}
