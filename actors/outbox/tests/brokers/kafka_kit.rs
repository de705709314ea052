//! Topics of Kafka, and what lies in them.

use std::collections::BTreeMap;

use headwater_outbox::broker::BrokerConfig;
use headwater_outbox::endpoint::Target;
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use tokio::time::{Instant, timeout};

use super::kit::{BOUND, broker};

/// A topic with all its partitions.
pub struct Topic {
    partitions: Vec<PartitionClient>,
}

/// A record and where it lies.
pub struct Message {
    pub partition: i32,
    pub record: Record,
}

/// Returns where Kafka is; `None` when there is none.
pub fn url() -> Option<String> {
    broker("KAFKA_URL", (9092, "kafka://127.0.0.1:9092"))
}

pub fn knowing(url: &str) -> BrokerConfig {
    BrokerConfig { kafka: Some(url.parse().unwrap()), ..BrokerConfig::default() }
}

pub fn to(topic: &str) -> Target {
    Target::Kafka { topic: topic.to_owned() }
}

impl Topic {
    /// Makes a topic with four partitions, or as many as the broker gives one that is asked for.
    pub async fn make(url: &str, name: &str) -> Self {
        let brokers = url.trim_start_matches("kafka://").split(',').map(str::to_owned).collect();
        let client = ClientBuilder::new(brokers).build().await.unwrap();
        // A broker of librdkafka's makes topics when they are asked for, and only so.
        let _ = client.controller_client().unwrap().create_topic(name, 4, 1, 5_000).await;
        let mut partitions = Vec::new();
        for partition in Self::partitions(&client, name).await {
            let handling = UnknownTopicHandling::Retry;
            let opening = client.partition_client(name, partition, handling);
            partitions.push(timeout(BOUND, opening).await.unwrap().unwrap());
        }
        Self { partitions }
    }

    async fn partitions(client: &Client, name: &str) -> Vec<i32> {
        let asked = client.partition_client(name, 0, UnknownTopicHandling::Retry);
        timeout(BOUND, asked).await.unwrap().unwrap();
        let topics = client.list_topics().await.unwrap();
        let own = topics.into_iter().find(|topic| topic.name == name).unwrap();
        own.partitions.into_iter().collect()
    }

    /// Waits until there are so many records, and returns them, those of a partition in order.
    pub async fn messages(&self, count: usize) -> Vec<Message> {
        let end = Instant::now() + BOUND;
        loop {
            let mut messages = Vec::new();
            for client in &self.partitions {
                let records = read(client).await.into_iter();
                let partition = client.partition();
                messages.extend(records.map(|record| Message { partition, record }));
            }
            if messages.len() >= count {
                return messages;
            }
            assert!(Instant::now() < end, "{} of {count} messages came", messages.len());
        }
    }
}

async fn read(client: &PartitionClient) -> Vec<Record> {
    let (mut records, end) = (Vec::new(), client.get_offset(OffsetAt::Latest).await.unwrap());
    let mut at = client.get_offset(OffsetAt::Earliest).await.unwrap();
    while at < end {
        let (page, _) = client.fetch_records(at, 1..1_000_000, 1_000).await.unwrap();
        at = page.last().map_or(at, |own| own.offset + 1);
        records.extend(page.into_iter().map(|own| own.record));
    }
    records
}

impl Message {
    /// Returns a header's text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.record.headers.get(name).map(Vec::as_slice).unwrap_or_default();
        std::str::from_utf8(value).unwrap()
    }

    pub fn key(&self) -> &str {
        std::str::from_utf8(self.record.key.as_deref().unwrap()).unwrap()
    }

    pub fn value(&self) -> serde_json::Value {
        serde_json::from_slice(self.record.value.as_deref().unwrap()).unwrap()
    }
}

/// Returns the partitions and sequences of each stream.
pub fn streams(messages: &[Message]) -> BTreeMap<&str, (Vec<i32>, Vec<&str>)> {
    let mut streams: BTreeMap<&str, (Vec<i32>, Vec<&str>)> = BTreeMap::new();
    for message in messages {
        let (partitions, sequences) = streams.entry(message.header("ce_subject")).or_default();
        partitions.push(message.partition);
        sequences.push(message.header("ce_sequence"));
    }
    streams
}
