//! A system with an outbox that knows brokers.

use std::net::TcpStream;
use std::time::Duration;

use headwater::event::{EventId, NewEvent, StreamId, Tenant};
use headwater::runtime::System;
use headwater::sql::{Database, SqliteConfig, Value};
use headwater::store::{Append, Expected, MemoryStore, SharedStore};
use headwater::test::skip;
use headwater_outbox::broker::BrokerConfig;
use headwater_outbox::endpoint::{Endpoint, EndpointConfig, Register, Start, Target};
use headwater_outbox::schedule::RetrySchedule;
use headwater_outbox::webhook::{WebhookClient, WebhookSettings};
use headwater_outbox::{Outbox, OutboxConfig};

/// Far more than anything here takes; past it something is stuck.
pub const BOUND: Duration = Duration::from_secs(90);

pub struct World {
    pub store: SharedStore,
    pub database: Database,
    pub system: System,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn start(brokers: BrokerConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteConfig::at(dir.path().join("rows.db")).open().unwrap();
        let store = MemoryStore::shared();
        let config = OutboxConfig {
            source: "/test".into(),
            origin: None,
            seal: None,
            client: WebhookClient::new(&WebhookSettings::default()).unwrap(),
            attempts_kept: 4_000,
            endpoints_max: 1_000,
            brokers,
        };
        let outbox = Outbox::new(config, store.clone(), database.clone()).unwrap();
        let builder = System::builder(store.clone(), database.clone());
        let system = builder.plugin(outbox).start().await.unwrap();
        Self { store, database, system, _dir: dir }
    }

    /// Appends `{"n": …}` of a type to a stream.
    pub async fn append(&self, stream: &str, event_type: &str, numbers: std::ops::Range<u64>) {
        let event = |n: u64| NewEvent::json(event_type, 1, format!("{{\"n\":{n}}}")).unwrap();
        self.append_events(stream, numbers.map(event).collect()).await;
    }

    pub async fn append_events(&self, stream: &str, events: Vec<NewEvent>) {
        let id = StreamId::new("thing", stream).unwrap();
        let append = Append::to_stream(Tenant::default_tenant(), id, Expected::Any, events);
        self.store.append(append).await.unwrap();
    }

    /// Registers an endpoint of a tenant that gets everything there ever was.
    pub async fn register(
        &self,
        (tenant, id): (&Tenant, &str),
        target: Target,
        set: impl FnOnce(&mut EndpointConfig),
    ) {
        let mut config = EndpointConfig::new(target);
        config.retry = RetrySchedule::new(vec![100; 50]).unwrap();
        config.concurrency = 64;
        set(&mut config);
        let handle = self.system.at::<Endpoint>(tenant, id).unwrap();
        handle.send(Register { config, secret: None, start: Start::Beginning }).await.unwrap();
    }

    /// Waits until a query gives a number.
    pub async fn until(&self, sql: &str, wanted: i64) {
        let is_so = |found: &Value| found.as_int() == Some(wanted);
        self.until_value(sql, &format!("not {wanted}"), is_so).await;
    }

    /// Waits until a query gives a text with these words in it.
    pub async fn until_told(&self, sql: &str, words: &[&str]) {
        let is_so = |found: &Value| {
            let text = format!("{found:?}");
            words.iter().all(|word| text.contains(word))
        };
        self.until_value(sql, &format!("not {words:?}"), is_so).await;
    }

    async fn until_value(&self, sql: &str, wanted: &str, is_so: impl Fn(&Value) -> bool) {
        let end = tokio::time::Instant::now() + BOUND;
        // Tables tell nobody that they have changed.
        let mut again = tokio::time::interval(Duration::from_millis(20));
        loop {
            let rows = self.database.read(sql, Vec::new()).await.unwrap().rows;
            let found = rows.first().and_then(|row| row.first());
            if found.is_some_and(&is_so) {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{sql}: {found:?}, {wanted}");
            again.tick().await;
        }
    }

    pub async fn stop(self) {
        self.system.shutdown(BOUND).await;
    }
}

/// The first tenant there is, which is the operator's.
pub fn operator() -> Tenant {
    Tenant::default_tenant()
}

/// A name that nothing else has.
pub fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", EventId::fresh())
}

/// Returns where a broker is: what a variable says, or an address if somebody listens there.
pub fn broker(variable: &str, (port, address): (u16, &str)) -> Option<String> {
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let found = std::env::var(variable).ok().filter(|url| !url.is_empty());
    let found = found.or_else(|| listens().then(|| address.to_owned()));
    if found.is_none() {
        skip(&format!("no broker: set {variable}, or run this through tests/with-brokers"));
    }
    found
}
