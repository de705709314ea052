//! Who may register an endpoint that publishes to a broker.

use std::net::SocketAddr;

use headwater::api::keys::{self, KeyRequest, Scope};
use headwater::api::{ApiConfig, ApiServer, serve};
use headwater::event::Tenant;
use headwater_outbox::broker::BrokerConfig;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::kit::{World, operator};

const NATS: &str = r#"{"kind":"nats","subject":"a.{type}"}"#;
const RABBITMQ: &str = r#"{"kind":"rabbitmq","exchange":"shop"}"#;
const KAFKA: &str = r#"{"kind":"kafka","topic":"shop"}"#;

/// Starts a server that knows NATS and no RabbitMQ.
async fn start() -> (World, ApiServer) {
    let nats = Some("nats://127.0.0.1:1".parse().unwrap());
    let world = World::start(BrokerConfig { nats, ..BrokerConfig::default() }).await;
    let mut config = ApiConfig { address: "127.0.0.1:0".parse().unwrap(), ..Default::default() };
    config.workers = 1;
    let api = serve(world.system.clone(), config).await.unwrap();
    (world, api)
}

async fn admin(world: &World, tenant: Tenant) -> String {
    let (name, scopes) = ("test".into(), Scope::ALL.to_vec());
    let request = KeyRequest { tenant, name, scopes, expires_at: None };
    let key = keys::create(&world.database, request, Timestamp::now()).await.unwrap();
    key.text.reveal().to_owned()
}

async fn register(address: SocketAddr, key: &str, target: &str) -> String {
    let body = format!("{{\"target\":{target}}}");
    let request = format!(
        "POST /v1/endpoints HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let (mut stream, mut reply) = (TcpStream::connect(address).await.unwrap(), String::new());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn only_the_operators_admins_register_an_endpoint_that_publishes() {
    let (world, api) = start().await;
    let guest = admin(&world, Tenant::new("guest").unwrap()).await;
    for target in [NATS, RABBITMQ, KAFKA] {
        let reply = register(api.address(), &guest, target).await;
        assert!(reply.starts_with("HTTP/1.1 403 ") && reply.contains("operator's"), "{reply}");
    }
    let own = admin(&world, operator()).await;
    let reply = register(api.address(), &own, NATS).await;
    assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
    api.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_not_set_is_refused_with_the_name_of_the_setting() {
    let (world, api) = start().await;
    let own = admin(&world, operator()).await;
    let reply = register(api.address(), &own, RABBITMQ).await;
    assert!(reply.starts_with("HTTP/1.1 4") && reply.contains("set outbox.rabbitmq"), "{reply}");
    let reply = register(api.address(), &own, KAFKA).await;
    assert!(reply.starts_with("HTTP/1.1 4") && reply.contains("set outbox.kafka"), "{reply}");
    let reply = register(api.address(), &own, r#"{"kind":"nats","subject":"a.*"}"#).await;
    assert!(reply.starts_with("HTTP/1.1 4") && reply.contains("/target/subject"), "{reply}");
    api.stop().await;
    world.stop().await;
}
