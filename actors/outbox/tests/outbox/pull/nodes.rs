//! Consumers before several nodes: each endpoint is with one of them.

use std::net::TcpListener;
use std::time::Duration;

use headwater::api::ApiServer;
use headwater::api::keys::Scope;
use headwater::event::Tenant;
use headwater::nodes::NodeConfig;
use headwater::runtime::System;
use headwater::sql::{Database, PostgresConfig};
use headwater::store::{MemoryStore, SharedStore};
use headwater::test::ScratchSchema;
use headwater_outbox::endpoint::{EndpointConfig, Start};
use headwater_outbox::secret::SealKey;
use serde_json::json;

use super::kit::{Client, Reply, event_of, key, serve_at};
use crate::system::kit::{World, append, outbox};

/// A node with a server at the address that the others know.
struct Node {
    world: World,
    api: ApiServer,
    client: Client,
}

impl Node {
    async fn start(store: &SharedStore, database: Database, seal: &SealKey) -> Self {
        // Free a moment ago, and known before the server starts.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let node = NodeConfig { address: Some(address.to_string()), ..NodeConfig::default() };
        let plugin = outbox(store, &database, seal);
        let system = System::builder(store.clone(), database.clone()).node(node).plugin(plugin);
        let system = system.start().await.unwrap();
        let api = serve_at(&system, address).await;
        let key = key(&database, Tenant::default_tenant(), &Scope::ALL).await;
        let world = World::of((store.clone(), database), system, seal.clone());
        Self { world, api, client: Client::new(address, key) }
    }

    async fn stop(self) {
        self.api.stop().await;
        self.world.system.shutdown(Duration::from_secs(30)).await;
    }
}

/// Asks a node for the events of an endpoint, and where it says for them if it does.
async fn take(client: &Client, id: usize) -> (Reply, bool) {
    let path = format!("/v1/endpoints/e{id}/events?max=1&wait_s=20");
    let mut at = client.clone();
    loop {
        let Ok(reply) = at.try_ask("GET", &path, None).await else {
            // It has stopped since, which others see at their next heartbeat.
            at = client.clone();
            continue;
        };
        match reply.status {
            // The node hands the endpoint over, or takes it.
            503 => {}
            307 => at = elsewhere(&reply, client, &path),
            _ => return (reply, at.address != client.address),
        }
    }
}

fn elsewhere(reply: &Reply, client: &Client, path: &str) -> Client {
    let place = reply.head.lines().find_map(|line| line.strip_prefix("location: http://"));
    let address = place.unwrap().strip_suffix(path).unwrap().parse().unwrap();
    Client { address, ..client.clone() }
}

#[tokio::test]
async fn a_node_that_does_not_work_for_an_endpoint_names_the_one_that_does() {
    let scratch = ScratchSchema::new().unwrap();
    let open = || PostgresConfig::at(scratch.address().clone()).open().unwrap();
    let (store, seal): (SharedStore, _) = (MemoryStore::shared(), SealKey::generate().unwrap());
    let one = Node::start(&store, open(), &seal).await;
    let two = Node::start(&store, open(), &seal).await;
    append(&store, "a", 1).await;
    for id in 0..8 {
        one.world.register_as(&format!("e{id}"), EndpointConfig::pull(), Start::Beginning).await;
    }
    let id = two.world.system.membership().id().to_owned();
    let has_shards = |roster: &headwater::nodes::Roster| {
        let shards = roster.held_by(&id).filter(|lease| lease.name.starts_with("outbox shard"));
        shards.count() >= 4
    };
    one.world.system.membership().until(has_shards).await;
    let mut were_elsewhere = 0;
    for id in 0..8 {
        let (reply, was_elsewhere) = take(&one.client, id).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        were_elsewhere += usize::from(was_elsewhere);
        let acks = json!({ "acks": [reply.body["deliveries"][0]["delivery"]] });
        let path = format!("/v1/endpoints/e{id}/acks");
        let said = one.client.ask("POST", &path, Some(acks.clone())).await;
        let said = match said.status {
            307 => elsewhere(&said, &one.client, &path).ask("POST", &path, Some(acks)).await,
            _ => said,
        };
        assert_eq!(said.body["results"][0]["outcome"], "ok", "{said:?}");
    }
    assert!((1..8).contains(&were_elsewhere), "{were_elsewhere}");
    one.stop().await;
    // What the other worked for is taken over.
    append(&store, "a", 1).await;
    for id in 0..8 {
        let (reply, _) = take(&two.client, id).await;
        assert_eq!(event_of(&reply.body["deliveries"][0]).1, 2, "{reply:?}");
    }
    two.stop().await;
}
