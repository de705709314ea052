//! A running system with a server before it.

use headwater::api::keys::Scope;
use headwater::api::{ApiConfig, ApiLimits, ApiServer, serve};
use headwater::event::Tenant;
use headwater_outbox::OutboxConfig;
use serde_json::{Value, json};

use crate::pull::kit::{Client, Reply, key};
use crate::system::kit::World;

/// A system with a server, and a client with every scope.
pub struct Front {
    pub world: World,
    pub client: Client,
    _api: ApiServer,
}

impl Front {
    pub async fn open() -> Self {
        Self::with(|_| {}, ApiLimits::default()).await
    }

    pub async fn with(set: impl FnOnce(&mut OutboxConfig), limits: ApiLimits) -> Self {
        Self::of(World::with(set).await, limits).await
    }

    /// Puts a server before a system that runs.
    pub async fn of(world: World, limits: ApiLimits) -> Self {
        let mut config = ApiConfig { limits, workers: 1, ..ApiConfig::default() };
        config.address = "127.0.0.1:0".parse().unwrap();
        let api = serve(world.system.clone(), config).await.unwrap();
        let key = key(&world.database, Tenant::default_tenant(), &Scope::ALL).await;
        let client = Client::new(api.address(), key);
        Self { world, client, _api: api }
    }

    /// Returns a client of a tenant with some scopes.
    pub async fn client_of(&self, tenant: &str, scopes: &[Scope]) -> Client {
        let tenant = Tenant::new(tenant).unwrap();
        let key = key(&self.world.database, tenant, scopes).await;
        Client { key, ..self.client.clone() }
    }

    pub async fn get(&self, path: &str) -> Value {
        let reply = self.client.ask("GET", path, None).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.body
    }

    /// Registers a webhook.
    pub async fn register(&self, id: &str, url: &str) -> Reply {
        let target = json!({ "kind": "webhook", "url": url });
        let body = json!({ "id": id, "target": target, "start": "beginning", "retry": [100] });
        let reply = self.client.ask("POST", "/v1/endpoints", Some(body)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply
    }
}

/// Returns the field that a problem names first.
pub fn pointer_of(reply: &Reply) -> &str {
    reply.body["errors"][0]["pointer"].as_str().unwrap_or_default()
}
