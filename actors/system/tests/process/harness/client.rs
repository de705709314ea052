//! A client of a running server.

use std::time::Duration;

use serde_json::Value;
use ureq::http::Request;
use ureq::http::request::Builder;

/// A server's address and a key to it; cheap to clone.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    key: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Client {
    pub fn new(address: &str, key: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.into(), base: format!("http://{address}"), key: key.to_owned() }
    }

    /// Returns the same client with another key; without one if it is empty.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// Gets a document, which must be there.
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path).body_of(200)
    }

    /// Sends a request without body.
    pub fn ask(&self, method: &str, path: &str) -> Reply {
        self.send(self.request(method, path), "").unwrap()
    }

    /// Sends a request without body; an error when no reply came.
    pub fn try_ask(&self, method: &str, path: &str) -> Result<Reply, ureq::Error> {
        self.send(self.request(method, path), "")
    }

    /// Sends a command under an idempotency key; an error when no reply came.
    pub fn command(&self, path: &str, key: &str, body: &Value) -> Result<Reply, ureq::Error> {
        self.command_of(path, key, &body.to_string())
    }

    /// Sends a command whose body is this text, byte for byte, under an idempotency key.
    pub fn command_of(&self, path: &str, key: &str, body: &str) -> Result<Reply, ureq::Error> {
        let request = self.request("POST", path).header("idempotency-key", key);
        self.send(request.header("content-type", "application/json"), body)
    }

    /// Sends a request with a body as it is.
    pub fn send_json(&self, method: &str, path: &str, body: &str) -> Reply {
        let request = self.request(method, path).header("content-type", "application/json");
        self.send(request, body).unwrap()
    }

    /// Sends a command without an idempotency key; an error when no reply came.
    pub fn post(&self, path: &str, body: &Value) -> Result<Reply, ureq::Error> {
        let request = self.request("POST", path).header("content-type", "application/json");
        self.send(request, &body.to_string())
    }

    fn request(&self, method: &str, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        match self.key.as_str() {
            "" => request,
            key => request.header("authorization", format!("Bearer {key}")),
        }
    }

    fn send(&self, request: Builder, body: &str) -> Result<Reply, ureq::Error> {
        let mut response = self.agent.run(request.body(body.to_owned()).unwrap())?;
        let text = response.body_mut().read_to_string()?;
        // Some addresses send other text than JSON.
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Reply { status: response.status().as_u16(), body })
    }
}

impl Reply {
    /// Returns the body if the status is this one.
    pub fn body_of(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}
