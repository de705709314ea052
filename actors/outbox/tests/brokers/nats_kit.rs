//! Streams of NATS, and a server of a test's own.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use headwater::test::skip;
use headwater_outbox::broker::BrokerConfig;
use headwater_outbox::endpoint::Target;

use super::kit::{BOUND, broker};

/// What lies in a stream.
pub struct Message {
    pub subject: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// One stream for one test, that takes everything below its own name.
pub struct Stream {
    pub name: String,
    context: jetstream::Context,
}

impl Stream {
    pub async fn make(url: &str, name: &str) -> Self {
        let end = tokio::time::Instant::now() + BOUND;
        loop {
            // A server that was just started knows no JetStream for a moment.
            if let Ok(context) = Self::try_make(url, name).await {
                return Self { name: name.to_owned(), context };
            }
            assert!(tokio::time::Instant::now() < end, "no stream can be made");
            tokio::task::yield_now().await;
        }
    }

    async fn try_make(url: &str, name: &str) -> Result<jetstream::Context, async_nats::Error> {
        let context = jetstream::new(async_nats::connect(url).await?);
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![format!("{name}.>")],
            ..stream::Config::default()
        };
        context.get_or_create_stream(config).await?;
        Ok(context)
    }

    pub async fn len(&self) -> u64 {
        self.context.get_stream(&self.name).await.unwrap().cached_info().state.messages
    }

    /// Waits until so many messages lie there, and returns them in order.
    pub async fn messages(&self, count: u64) -> Vec<Message> {
        let end = tokio::time::Instant::now() + BOUND;
        while self.len().await < count {
            assert!(tokio::time::Instant::now() < end, "{} of {count}", self.len().await);
        }
        let stream = self.context.get_stream(&self.name).await.unwrap();
        let mut messages = Vec::new();
        for sequence in 1..=stream.cached_info().state.last_sequence {
            let own = stream.get_raw_message(sequence).await.unwrap();
            let (subject, body) = (own.subject.to_string(), own.payload.to_vec());
            messages.push(Message { subject, headers: own.headers, body });
        }
        messages
    }

    pub async fn remove(self) {
        self.context.delete_stream(&self.name).await.unwrap();
    }
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.as_str())
    }
}

/// Returns where NATS is; `None` when there is none.
pub fn url() -> Option<String> {
    broker("NATS_URL", (4222, "nats://127.0.0.1:4222"))
}

pub fn knowing(url: &str) -> BrokerConfig {
    BrokerConfig { nats: Some(url.parse().unwrap()), ..BrokerConfig::default() }
}

pub fn to(subject: impl Into<String>) -> Target {
    Target::Nats { subject: subject.into(), stream: None }
}

/// A server that may be stopped. Its data and its port stay.
pub struct Server {
    program: PathBuf,
    port: u16,
    folder: tempfile::TempDir,
    arguments: Vec<OsString>,
    running: Option<Child>,
}

impl Server {
    /// Starts one; `None` when NATS is not installed.
    pub fn start() -> Option<Self> {
        Self::start_with(Vec::new())
    }

    /// Starts one with further arguments.
    pub fn start_with(arguments: Vec<OsString>) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
        let program = folders.map(|own| own.join("nats-server")).find(|own| own.exists());
        if program.is_none() {
            skip("nats-server is not installed (Debian: apt install nats-server)");
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { program: program?, port, folder, arguments, running: None };
        server.start_again();
        Some(server)
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn start_again(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"]);
        command
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(command.spawn().unwrap());
    }

    /// Stops it in order, so that it writes what it has acknowledged.
    pub fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let id = running.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        running.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.kill();
            let _ = running.wait();
        }
    }
}
