//! A system with an outbox, and a receiver that keeps a ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater::aggregate::{Command, Decide};
use headwater::event::{NewEvent, Position, StreamId, Tenant};
use headwater::runtime::System;
use headwater::sql::{Database, SqliteConfig, Value as SqlValue};
use headwater::store::{Append, Expected, MemoryStore, SharedStore};
use headwater_outbox::endpoint::{
    Endpoint, EndpointConfig, EndpointRejection, Register, Selection, Start,
};
use headwater_outbox::schedule::RetrySchedule;
use headwater_outbox::secret::{SealKey, SecretKind, SigningSecret};
use headwater_outbox::webhook::{WebhookClient, WebhookSettings};
use headwater_outbox::{Outbox, OutboxConfig};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use crate::receiver::{Receiver, header, read_request};

/// Far more than anything here takes; past it something is stuck.
const BOUND: Duration = Duration::from_secs(60);

/// A running system over a log and a read side.
pub struct World {
    pub store: SharedStore,
    pub database: Database,
    pub system: System,
    pub seal: SealKey,
    _dir: Option<tempfile::TempDir>,
}

/// What a receiver does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Status(u16),
    /// Says nothing.
    Hang,
}

/// A message that came.
#[derive(Clone, Debug)]
pub struct Message {
    pub head: String,
    pub body: Vec<u8>,
    pub event: Value,
    pub reply: Reply,
}

type Policy = Arc<dyn Fn(&Message) -> Reply + Send + Sync>;

/// A receiver that keeps what came.
pub struct Ledger {
    pub url: String,
    messages: watch::Sender<Vec<Message>>,
    policy: Arc<Mutex<Policy>>,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts one whose outbox is set up as wanted.
    pub async fn with(set: impl FnOnce(&mut OutboxConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteConfig::at(dir.path().join("rows.db")).open().unwrap();
        let (store, seal) = (MemoryStore::shared(), SealKey::generate().unwrap());
        let mut config = config(&seal);
        set(&mut config);
        let outbox = Outbox::new(config, store.clone(), database.clone()).unwrap();
        let system = System::builder(store.clone(), database.clone()).plugin(outbox);
        let system = system.start().await.unwrap();
        Self { _dir: Some(dir), ..Self::of((store, database), system, seal) }
    }

    pub async fn over(store: SharedStore, database: Database, seal: SealKey) -> Self {
        let system = start(&store, &database, &seal).await;
        Self::of((store, database), system, seal)
    }

    /// Looks at a system that runs.
    pub fn of(data: (SharedStore, Database), system: System, seal: SealKey) -> Self {
        let (store, database) = data;
        Self { store, database, system, seal, _dir: None }
    }

    /// Stops the system in order and starts another over the same data.
    pub async fn restart(&mut self) {
        let left = self.system.shutdown(BOUND).await;
        assert_eq!(left, Default::default());
        self.restart_stopped().await;
    }

    /// Starts another system over the same data.
    pub async fn restart_stopped(&mut self) {
        self.system = start(&self.store, &self.database, &self.seal).await;
    }

    /// Appends events to a stream; returns the position of the last.
    pub async fn append(&self, stream: &str, count: u64) -> Position {
        append(&self.store, stream, count).await
    }

    /// Registers a webhook, set up as wanted, that gets everything there ever was.
    pub async fn register(&self, id: &str, ledger: &Ledger, set: impl FnOnce(&mut EndpointConfig)) {
        self.register_from(id, ledger, Start::Beginning, set).await;
    }

    pub async fn register_from(
        &self,
        id: &str,
        ledger: &Ledger,
        start: Start,
        set: impl FnOnce(&mut EndpointConfig),
    ) {
        let mut config = EndpointConfig::webhook(&ledger.url);
        config.retry = RetrySchedule::new(vec![100; 5]).unwrap();
        set(&mut config);
        self.register_as(id, config, start).await;
    }

    /// Registers an endpoint.
    pub async fn register_as(&self, id: &str, config: EndpointConfig, start: Start) {
        let secret = SigningSecret::generate(SecretKind::Symmetric).unwrap();
        let secret = self.seal.seal(&secret.reveal(), &format!("default/{id}")).unwrap();
        self.tell(id, Register { config, secret: Some(secret), start }).await.unwrap();
    }

    /// Sends a command to an endpoint.
    pub async fn tell<C: Command>(&self, id: &str, command: C) -> Result<(), EndpointRejection>
    where
        Endpoint: Decide<C>,
    {
        let handle = self.system.at::<Endpoint>(&Tenant::default_tenant(), id).unwrap();
        match handle.send(command).await {
            Ok(_) => Ok(()),
            Err(headwater::runtime::SendError::Rejected { rejection, .. }) => Err(rejection),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until a query gives what is wanted.
    pub async fn until(&self, sql: &str, wanted: i64) {
        let end = tokio::time::Instant::now() + BOUND;
        loop {
            let found = self.count(sql).await;
            if found == wanted {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{sql}: {found}, not {wanted}");
            tokio::task::yield_now().await;
        }
    }

    pub async fn count(&self, sql: &str) -> i64 {
        let rows = self.database.read(sql, Vec::new()).await.unwrap().rows;
        rows.first().and_then(|row| row.first()).and_then(SqlValue::as_int).unwrap_or_default()
    }
}

pub async fn append(store: &SharedStore, stream: &str, count: u64) -> Position {
    let id = StreamId::new("thing", stream).unwrap();
    let event = |n: u64| NewEvent::json("Done", 1, format!("{{\"n\":{n}}}")).unwrap();
    let events = (0..count).map(event).collect();
    let append = Append::to_stream(Tenant::default_tenant(), id, Expected::Any, events);
    store.append(append).await.unwrap().position
}

pub async fn start(store: &SharedStore, database: &Database, seal: &SealKey) -> System {
    let outbox = outbox(store, database, seal);
    System::builder(store.clone(), database.clone()).plugin(outbox).start().await.unwrap()
}

/// Makes an outbox that may reach this machine.
pub fn outbox(store: &SharedStore, database: &Database, seal: &SealKey) -> Outbox {
    Outbox::new(config(seal), store.clone(), database.clone()).unwrap()
}

fn config(seal: &SealKey) -> OutboxConfig {
    let allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    let settings =
        WebhookSettings { allow_http: true, allow_networks, ..WebhookSettings::default() };
    OutboxConfig {
        source: "/test".into(),
        origin: Some("events.example.com".into()),
        seal: Some(seal.clone()),
        client: WebhookClient::new(&settings).unwrap(),
        attempts_kept: 4_000,
        endpoints_max: 1_000,
        brokers: Default::default(),
    }
}

/// Selects everything.
pub fn all() -> Selection {
    Selection { all: true, ..Selection::default() }
}

impl Ledger {
    /// Starts a receiver that takes everything.
    pub async fn open() -> Self {
        let (messages, _) = watch::channel(Vec::new());
        let taking: Policy = Arc::new(|_| Reply::Status(204));
        let policy = Arc::new(Mutex::new(taking));
        let (tell, judge) = (messages.clone(), Arc::clone(&policy));
        let receiver = Receiver::doing(move |mut stream, _, _| {
            let (tell, judge) = (tell.clone(), Arc::clone(&judge));
            async move {
                while let Some((head, body)) = read_request(&mut stream).await? {
                    let event = serde_json::from_slice(&body).unwrap_or_default();
                    let mut message = Message { head, body, event, reply: Reply::Hang };
                    let policy = Arc::clone(&judge.lock());
                    message.reply = policy(&message);
                    let reply = message.reply;
                    tell.send_modify(|messages| messages.push(message));
                    let Reply::Status(status) = reply else { std::future::pending().await };
                    let answer = format!("HTTP/1.1 {status} Test\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await?;
                }
                Ok(())
            }
        })
        .await;
        Self { url: receiver.url(), messages, policy }
    }

    /// Answers as a function says from now on.
    pub fn answer(&self, policy: impl Fn(&Message) -> Reply + Send + Sync + 'static) {
        *self.policy.lock() = Arc::new(policy);
    }

    pub fn take_all(&self) {
        self.answer(|_| Reply::Status(204));
    }

    /// Waits until what came is as wanted.
    pub async fn until(&self, mut is_so: impl FnMut(&[Message]) -> bool) -> Vec<Message> {
        let mut seen = self.messages.subscribe();
        let wait = seen.wait_for(|messages| is_so(messages));
        match tokio::time::timeout(BOUND, wait).await {
            Ok(messages) => messages.unwrap().clone(),
            Err(_) => panic!("not within {BOUND:?}: {:?}", self.messages.borrow().len()),
        }
    }

    /// Waits until so many different events were taken.
    pub async fn taken(&self, count: usize) -> Vec<Message> {
        self.until(|messages| messages.len() >= count && distinct(messages) >= count).await
    }

    /// Waits until so many messages came, doubles included, and looks at none.
    pub async fn came(&self, count: usize) {
        let mut seen = self.messages.subscribe();
        let wait = seen.wait_for(|messages| messages.len() >= count);
        assert!(tokio::time::timeout(BOUND, wait).await.is_ok(), "{count} did not come");
    }

    pub fn messages(&self) -> Vec<Message> {
        self.messages.borrow().clone()
    }
}

impl Message {
    pub fn id(&self) -> &str {
        header(&self.head, "webhook-id").unwrap()
    }

    pub fn stream(&self) -> &str {
        self.event["subject"].as_str().unwrap()
    }

    pub fn revision(&self) -> u64 {
        self.event["sequence"].as_str().unwrap().parse().unwrap()
    }

    pub fn is_taken(&self) -> bool {
        matches!(self.reply, Reply::Status(200..=299))
    }
}

/// Returns how many different events were taken.
fn distinct(messages: &[Message]) -> usize {
    let taken = messages.iter().filter(|message| message.is_taken());
    taken.map(Message::id).collect::<std::collections::BTreeSet<_>>().len()
}

/// Checks that the first time each event of a stream was taken, everything before it had been.
pub fn assert_in_order(messages: &[Message]) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for message in messages.iter().filter(|message| message.is_taken()) {
        let last = last.entry(message.stream()).or_default();
        assert!(
            message.revision() <= *last + 1,
            "{} skips to {}",
            message.stream(),
            message.revision()
        );
        *last = (*last).max(message.revision());
    }
}
