//! A client of a running server: what the command line asks when the data folder is in use.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::Value;

use crate::config::veil;
use crate::error::Failure;

/// A server and the key to it.
pub struct Remote {
    agent: ureq::Agent,
    base: String,
    key: String,
}

impl Remote {
    /// Points at the server at `base`, for example `http://127.0.0.1:4600`.
    pub fn new(base: String, key: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .build();
        Self { agent: config.into(), base, key }
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// A [`Failure`] in the words of the server's problem document.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.get(self.address(path)).header("authorization", self.bearer());
        document(request.call().map_err(|error| self.unreachable(&error))?)
    }

    /// Posts without a body and returns the JSON reply.
    ///
    /// # Errors
    /// A [`Failure`] in the words of the server's problem document.
    pub fn post(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.post(self.address(path)).header("authorization", self.bearer());
        document(request.send_empty().map_err(|error| self.unreachable(&error))?)
    }

    /// Follows a stream of server-sent events and hands out the data of each.
    ///
    /// # Errors
    /// A [`Failure`] when the server refuses or the stream breaks.
    pub fn follow(
        &self,
        path: &str,
        mut on_data: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let request = self.agent.get(self.address(path)).header("authorization", self.bearer());
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return document(response).map(|_| ());
        }
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let line = line?;
            if let Some(data) = line.strip_prefix("data:").map(str::trim)
                && data.starts_with('{')
            {
                on_data(serde_json::from_str(data)?)?;
            }
        }
        Err(Failure::new("the server ended the stream"))
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let words = format!("no server answers at {}: {error}", self.base);
        // The address may have a login in it.
        Failure::new(veil(&words, [self.base.as_str()]))
    }
}

fn document(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, Failure> {
    let status = response.status();
    let text = response.body_mut().read_to_string().map_err(|e| Failure::new(e.to_string()))?;
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(value);
    }
    let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Err(Failure::new(format!("{} {}: {}", status.as_u16(), word("title"), word("detail"))))
}
