//! What the outbox brings to a system.

use std::sync::{Arc, OnceLock};

use headwater::clock::{SharedClock, SystemClock};
use headwater::plugin::Plugin;
use headwater::runtime::{AggregateSpec, Contribution};
use headwater::sql::Database;
use headwater::store::SharedStore;
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::broker::{BrokerConfig, Brokers};
use crate::dispatch::{Directory, Paces, SHARDS, check_dispatcher, shard_actor};
use crate::endpoint::Endpoint;
use crate::metric::OutboxMetrics;
use crate::pull::Groups;
use crate::read_model::Endpoints;
use crate::secret::SealKey;
use crate::table::{AttemptLog, MIGRATIONS};
use crate::webhook::WebhookClient;

/// What the outbox is held to.
#[derive(Clone, Debug)]
pub struct OutboxConfig {
    /// The source of CloudEvents: a URI reference that names this system.
    pub source: String,
    /// The DNS name of this system, for endpoints that are asked whether they want deliveries;
    /// `None` asks nobody.
    pub origin: Option<String>,
    /// What secrets are sealed with; the same on all nodes; `None` lets nobody register
    /// endpoints.
    pub seal: Option<SealKey>,
    /// Makes webhook requests.
    pub client: WebhookClient,
    /// About how many attempts are kept.
    pub attempts_kept: u64,
    /// The most endpoints of a tenant, without those that were removed.
    pub endpoints_max: usize,
    /// The brokers that events may be published to.
    pub brokers: BrokerConfig,
}

/// The outbox as a capability: endpoints, dispatcher, routes.
pub struct Outbox {
    /// `None` sends nothing.
    dispatcher: Option<Dispatcher>,
}

/// What sends is made from.
struct Dispatcher {
    config: OutboxConfig,
    store: SharedStore,
    database: Database,
    metrics: OutboxMetrics,
    is_held: bool,
}

/// What the health check says of an outbox that an operator holds back.
const HELD: &str = "nothing is sent by this node: outbox.hold is set, start it without";

/// What all parts of the outbox on a node share.
pub(crate) struct Shared {
    pub source: String,
    pub origin: Option<String>,
    seal: Option<SealKey>,
    pub client: WebhookClient,
    pub brokers: Brokers,
    /// The most endpoints of a tenant.
    pub endpoints_max: usize,
    /// Held while an endpoint is counted and registered, so that no two take the last room.
    pub registering: Mutex<()>,
    pub clock: SharedClock,
    pub attempt_log: AttemptLog,
    pub directory: Directory,
    pub metrics: OutboxMetrics,
    pub paces: Paces,
    /// Since when this node looks whether anybody works for the shards; set by the first look.
    pub watched_since: OnceLock<Timestamp>,
    /// The consumers of endpoints that this node works for.
    pub groups: Groups,
    store: SharedStore,
    database: Database,
}

/// Says why there is no outbox. Developer: names of metrics clash.
#[derive(Debug, thiserror::Error)]
#[error("the outbox's metrics cannot be made: {0}")]
pub struct OutboxError(#[from] prometheus::Error);

/// Says that secrets cannot be sealed. Operator: give the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no key to seal secrets with: set outbox.key, the same on all nodes of the database"
)]
pub(crate) struct NoKey;

impl Shared {
    /// Returns what secrets are sealed with.
    pub fn seal(&self) -> Result<&SealKey, NoKey> {
        self.seal.as_ref().ok_or(NoKey)
    }

    pub fn store(&self) -> SharedStore {
        Arc::clone(&self.store)
    }

    pub fn database(&self) -> Database {
        self.database.clone()
    }
}

impl Outbox {
    /// Makes an outbox over a log and a read side, those of the system that it is added to.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn new(
        config: OutboxConfig,
        store: SharedStore,
        database: Database,
    ) -> Result<Self, OutboxError> {
        let metrics = OutboxMetrics::new()?;
        Ok(Self {
            dispatcher: Some(Dispatcher { config, store, database, metrics, is_held: false }),
        })
    }

    /// Sets whether it sends nothing for now: endpoints can be looked at, paused, changed and
    /// tested, but nobody works for them. The health check says so.
    #[must_use]
    pub fn held(mut self, is_held: bool) -> Self {
        self.dispatcher.iter_mut().for_each(|dispatcher| dispatcher.is_held = is_held);
        self
    }

    /// Makes one that sends nothing, for a system that is there for a moment: tables, commands
    /// and read model of the endpoints, without actors, routes, pages and health check. What
    /// its system appends is sent by the next one that has a dispatcher.
    #[must_use]
    pub const fn without_dispatcher() -> Self {
        Self { dispatcher: None }
    }
}

impl Plugin for Outbox {
    fn name(&self) -> &'static str {
        "outbox"
    }

    fn contribute(self, parts: Contribution) -> Contribution {
        let parts = parts
            .migrations(MIGRATIONS)
            .aggregate(AggregateSpec::<Endpoint>::new().reserved())
            .rows(Endpoints);
        match self.dispatcher {
            Some(dispatcher) => dispatcher.contribute(parts),
            None => parts,
        }
    }
}

impl Dispatcher {
    fn contribute(self, parts: Contribution) -> Contribution {
        let (metrics, is_held) = (self.metrics.clone(), self.is_held);
        let shared = Arc::new(self.share());
        let watched = Arc::clone(&shared);
        let check = move || {
            let shared = Arc::clone(&watched);
            async move {
                // Asked either way: who watches the metric must hear of it too.
                let checked = check_dispatcher(&shared).await;
                if is_held { Err(HELD.to_owned()) } else { checked }
            }
        };
        let parts = parts
            .actor(shared.directory.actor())
            .metrics(metrics.registry())
            .routes(crate::api::routes(Arc::clone(&shared)))
            .routes(crate::page::pages(Arc::clone(&shared)))
            .health("outbox dispatcher", check);
        let shards = if is_held { 0..0 } else { 0..SHARDS };
        shards.fold(parts, |parts, number| parts.actor(shard_actor(number, Arc::clone(&shared))))
    }

    fn share(self) -> Shared {
        let Self { config, store, database, metrics, .. } = self;
        Shared {
            source: config.source,
            origin: config.origin,
            seal: config.seal,
            client: config.client,
            brokers: Brokers::new(config.brokers),
            endpoints_max: config.endpoints_max,
            registering: Mutex::new(()),
            clock: SystemClock::shared(),
            attempt_log: AttemptLog::new(config.attempts_kept),
            directory: Directory::new(),
            metrics,
            paces: Paces::default(),
            watched_since: OnceLock::new(),
            groups: Groups::default(),
            store,
            database,
        }
    }
}
