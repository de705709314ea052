//! A server with an endpoint that is pulled, and clients written by hand.

use std::net::SocketAddr;
use std::time::Duration;

use headwater::api::keys::{self, KeyRequest, Scope};
use headwater::api::{ApiConfig, ApiServer, serve};
use headwater::event::Tenant;
use headwater::runtime::System;
use headwater::sql::Database;
use headwater_outbox::endpoint::{EndpointConfig, Start, Target};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::system::kit::World;

/// Far more than anything here takes; past it something is stuck.
pub const BOUND: Duration = Duration::from_secs(60);

/// A server over a world.
pub struct Desk {
    pub world: World,
    pub api: Option<ApiServer>,
    pub client: Client,
}

/// A way to a server with a key; cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub key: String,
    /// More lines of the head, each with its end.
    pub lines: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Desk {
    /// Starts a server with an endpoint `one` that gets everything, set up as wanted.
    pub async fn open(set: impl FnOnce(&mut EndpointConfig)) -> Self {
        let world = World::start().await;
        let mut config = EndpointConfig::pull();
        config.retry = vec![100; 5].try_into().unwrap();
        set(&mut config);
        world.register_as("one", config, Start::Beginning).await;
        let key = key(&world.database, Tenant::default_tenant(), &Scope::ALL).await;
        let api = serve_at(&world.system, "127.0.0.1:0".parse().unwrap()).await;
        let client = Client::new(api.address(), key);
        Self { world, api: Some(api), client }
    }

    /// Stops in order and starts again over the same data.
    pub async fn restart(&mut self) {
        self.stop_server().await;
        self.world.restart().await;
        let api = serve_at(&self.world.system, "127.0.0.1:0".parse().unwrap()).await;
        self.client.address = api.address();
        self.api = Some(api);
    }

    pub async fn stop_server(&mut self) {
        if let Some(api) = self.api.take() {
            api.stop().await;
        }
    }
}

/// Sets how long a consumer may take.
pub fn ack_timeout_ms(config: &mut EndpointConfig, ack_timeout_ms: u32) {
    config.target = Target::Pull { ack_timeout_ms };
}

pub async fn serve_at(system: &System, address: SocketAddr) -> ApiServer {
    let config = ApiConfig { address, workers: 1, ..ApiConfig::default() };
    serve(system.clone(), config).await.unwrap()
}

pub async fn key(database: &Database, tenant: Tenant, scopes: &[Scope]) -> String {
    let (name, scopes) = ("test".into(), scopes.to_vec());
    let request = KeyRequest { tenant, name, scopes, expires_at: None };
    let made = keys::create(database, request, Timestamp::now()).await.unwrap();
    made.text.reveal().to_owned()
}

impl Client {
    pub const fn new(address: SocketAddr, key: String) -> Self {
        Self { address, key, lines: String::new() }
    }

    /// Reads a page for people; returns the whole reply.
    pub async fn page_of(&self, path: &str) -> String {
        let Reply { head, text, .. } = self.ask("GET", path, None).await;
        format!("{head}\r\n\r\n{text}")
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.try_ask(method, path, body).await.unwrap()
    }

    /// Sends a form of a page.
    pub async fn form(&self, path: &str, fields: &str) -> Reply {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\norigin: http://test\r\n\
             authorization: Bearer {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{fields}",
            self.key,
            fields.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Asked(stream).reply().await.unwrap()
    }

    /// Asks a server that may be gone.
    pub async fn try_ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> std::io::Result<Reply> {
        self.send(method, path, body).await?.reply().await
    }

    /// Sends a request without waiting for the reply.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> std::io::Result<Asked> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{}\r\n{body}",
            self.key,
            body.len(),
            self.lines
        );
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        Ok(Asked(stream))
    }

    /// Polls the endpoint; the answer must be one.
    pub async fn page(&self, query: &str) -> Value {
        let reply = self.ask("GET", &format!("/v1/endpoints/one/events?{query}"), None).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    }

    /// Takes events of the endpoint.
    pub async fn take(&self, query: &str) -> Vec<Value> {
        self.page(query).await["deliveries"].as_array().unwrap().clone()
    }

    /// Takes the one event that there is or comes.
    pub async fn take_one(&self) -> Value {
        let taken = self.take("max=1&wait_s=20").await;
        taken.into_iter().next().unwrap()
    }

    /// Says what became of deliveries; returns what was made of each.
    pub async fn say(&self, body: Value) -> Vec<String> {
        let reply = self.ask("POST", "/v1/endpoints/one/acks", Some(body)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let results = reply.body["results"].as_array().unwrap().clone();
        results.iter().map(|own| own["outcome"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn acknowledge(&self, taken: &[Value]) -> Vec<String> {
        let names: Vec<&Value> = taken.iter().map(|own| &own["delivery"]).collect();
        self.say(json!({ "acks": names })).await
    }

    /// Follows the endpoint by server-sent events.
    pub async fn follow(&self, query: &str) -> Follower {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // By HTTP/1.0 the messages come as they are, not in chunks.
        let request = format!(
            "GET /v1/endpoints/one/events?{query} HTTP/1.0\r\nauthorization: Bearer {}\r\n\
             accept: text/event-stream\r\n\r\n",
            self.key
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Follower(BufReader::new(stream))
    }
}

/// A request whose reply has not been read.
pub struct Asked(TcpStream);

impl Asked {
    pub async fn reply(mut self) -> std::io::Result<Reply> {
        let mut text = String::new();
        timeout(BOUND, self.0.read_to_string(&mut text)).await.unwrap()?;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head[9..12].parse().unwrap();
        let text = body.to_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply { status, head: head.into(), body, text })
    }
}

/// A connection that is sent events; dropping it breaks it.
pub struct Follower(BufReader<TcpStream>);

impl Follower {
    /// Reads on until a line begins so, and returns its rest; `None` at the end.
    pub async fn line(&mut self, begin: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            let read = timeout(BOUND, self.0.read_line(&mut line)).await.unwrap();
            if !matches!(read, Ok(1..)) {
                return None;
            }
            if let Some(rest) = line.strip_prefix(begin) {
                return Some(rest.trim_end().to_owned());
            }
        }
    }

    /// Returns the next delivery.
    pub async fn next(&mut self) -> Value {
        self.line("event: delivery").await.unwrap();
        let id = self.line("id: ").await.unwrap();
        let data: Value = serde_json::from_str(&self.line("data: ").await.unwrap()).unwrap();
        assert_eq!(data["delivery"], id.as_str());
        data
    }
}

/// Returns which event it is: stream and revision.
pub fn event_of(delivery: &Value) -> (String, u64) {
    let text = |name: &str| delivery["event"][name].as_str().unwrap().to_owned();
    (text("subject"), text("sequence").parse().unwrap())
}
