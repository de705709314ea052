//! A system that is asked over HTTP.

use headwater::api::keys::{self, KeyRequest, Scope};
use headwater::api::{ApiConfig, ApiServer, serve};
use headwater::event::Tenant;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::kit::World;

/// A system with its API, and the key of an admin.
pub struct Asking {
    pub world: World,
    api: ApiServer,
    key: String,
}

impl Asking {
    pub async fn start() -> Self {
        let world = World::start().await;
        let mut config =
            ApiConfig { address: "127.0.0.1:0".parse().unwrap(), ..Default::default() };
        config.workers = 1;
        let api = serve(world.system.clone(), config).await.unwrap();
        let (tenant, scopes) = (Tenant::default_tenant(), Scope::ALL.to_vec());
        let request = KeyRequest { tenant, name: "test".into(), scopes, expires_at: None };
        let key = keys::create(&world.database, request, Timestamp::now()).await.unwrap();
        Self { world, api, key: key.text.reveal().to_owned() }
    }

    /// Sends a request about endpoints; returns the whole reply.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let (key, len) = (&self.key, body.len());
        let request = format!(
            "{method} /v1/endpoints{path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.api.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }
}
