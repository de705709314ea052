//! A server with everything real: log in memory, read side on disk, runtime, port of its own.

use std::any::Any;
use std::sync::Arc;

use headwater::api::keys::{self, KeyRequest, NewKey, Scope};
use headwater::api::{ApiConfig, ApiServer, serve};
use headwater::event::{Category, EventType, NewEvent, StreamId, Tenant};
use headwater::runtime::{AggregateSpec, System};
use headwater::sql::{Database, PostgresConfig, SqliteConfig};
use headwater::store::{Append, Expected, MemoryStore};
use headwater::test::ScratchSchema;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::client::Request;
use crate::domain::{Pay, Till, Tills};
use crate::plugin::Greeter;
use crate::visitor::Visitors;

/// A running server and the first key of tenant `default`.
pub struct Server {
    pub runtime: Runtime,
    pub system: System,
    pub database: Database,
    pub admin: NewKey,
    pub document: Arc<Value>,
    pub api: Option<ApiServer>,
    agent: ureq::Agent,
    /// Where the read side lies, removed at the end.
    _place: Box<dyn Any + Send>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Starts a server with its read side on SQLite, then one on PostgreSQL.
    pub fn start_on_each_engine() -> impl Iterator<Item = Self> {
        [Self::start, Self::start_on_postgres].into_iter().map(|start| start())
    }

    fn start_on_postgres() -> Self {
        let scratch = ScratchSchema::new().unwrap();
        let database = PostgresConfig::at(scratch.address().clone()).open().unwrap();
        Self::start_over(database, Box::new(scratch), |_| {})
    }

    /// Starts a server whose configuration a test has changed.
    pub fn start_with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        let folder = TempDir::new().unwrap();
        let database = SqliteConfig::at(folder.path().join("read.sqlite")).open().unwrap();
        Self::start_over(database, Box::new(folder), change)
    }

    fn start_over(
        database: Database,
        place: Box<dyn Any + Send>,
        change: impl FnOnce(&mut ApiConfig),
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut config =
            ApiConfig { address: "127.0.0.1:0".parse().unwrap(), ..ApiConfig::default() };
        config.workers = 2;
        change(&mut config);
        let (system, database, admin, api) = runtime.block_on(async {
            let system = start(database.clone()).await;
            let tenant = Tenant::default_tenant();
            let first = keys::create_first(&database, tenant, Timestamp::now()).await.unwrap();
            let api = serve(system.clone(), config).await.unwrap();
            (system, database, first.unwrap(), api)
        });
        let document = Arc::new(headwater::api::openapi(&system.commands()));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent = agent.build().into();
        Self { runtime, system, database, admin, document, api: Some(api), agent, _place: place }
    }

    /// Begins a request with the admin's key, which has every scope.
    pub fn ask(&self, method: &str, path: &str) -> Request<'_> {
        let key = self.admin.text.reveal();
        self.ask_anonymously(method, path).header("authorization", &format!("Bearer {key}"))
    }

    pub fn get(&self, path: &str) -> Request<'_> {
        self.ask("GET", path)
    }

    pub fn post(&self, path: &str, body: &str) -> Request<'_> {
        self.ask("POST", path).json(body)
    }

    pub fn ask_anonymously(&self, method: &str, path: &str) -> Request<'_> {
        Request::new(&self.agent, &self.document, method, &self.url(path))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api.as_ref().unwrap().address())
    }

    pub fn key(&self, tenant: &str, scopes: &[Scope]) -> NewKey {
        let request = KeyRequest {
            tenant: Tenant::new(tenant).unwrap(),
            name: "test".into(),
            scopes: scopes.to_vec(),
            expires_at: None,
        };
        let made = keys::create(&self.database, request, Timestamp::now());
        self.runtime.block_on(made).unwrap()
    }

    /// Appends events `{"n":1}`, `{"n":2}` … of type `Noted` past the API.
    pub fn note(&self, tenant: &str, stream: &str, count: usize) {
        let events = (1..=count).map(|n| {
            NewEvent::json(EventType::new("Noted").unwrap(), 1, format!("{{\"n\":{n}}}")).unwrap()
        });
        let stream = StreamId::of(Category::new("note").unwrap(), stream).unwrap();
        let tenant = Tenant::new(tenant).unwrap();
        let append = Append::to_stream(tenant, stream, Expected::Any, events.collect());
        self.runtime.block_on(self.system.store().append(append)).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(api) = self.api.take() {
            self.runtime.block_on(api.stop());
        }
    }
}

async fn start(database: Database) -> System {
    System::builder(MemoryStore::shared(), database)
        .aggregate(AggregateSpec::<Till>::new().command::<Pay>())
        .plugin(Greeter("greeting"))
        .plugin(Visitors("visitors"))
        .rows(Tills)
        .start()
        .await
        .unwrap()
}
