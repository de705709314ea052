//! How a node is called and how fast its death is noticed.

use std::time::Duration;

use crate::sql::machine_name;

/// How a node presents itself, and its patience.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// What people call it; the machine's name unless said. Several nodes may share a name.
    pub name: String,
    /// The version of its program, as people write it.
    pub program_version: String,
    /// Where its API answers; `None` when it has none.
    pub address: Option<String>,
    /// How often it says that it lives, at least every 10 ms.
    pub heartbeat: Duration,
    /// How long after its last heartbeat the others take what it holds; at least three
    /// heartbeats. What a killed node did goes on after at most this and one heartbeat.
    pub silence: Duration,
    /// Whether it takes no share of the work: it is there for a moment, for what it is asked.
    pub is_visitor: bool,
}

const HEARTBEAT_MIN: Duration = Duration::from_millis(10);
/// A file belongs to one program, so nobody waits for its death.
const HEARTBEAT_ALONE: Duration = Duration::from_secs(5);

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            name: machine_name().unwrap_or_else(|| "unnamed".to_owned()),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            address: None,
            heartbeat: Duration::from_millis(500),
            silence: Duration::from_millis(2_500),
            is_visitor: false,
        }
    }
}

impl NodeConfig {
    /// Keeps times within their bounds.
    pub(super) fn bounded(mut self, is_alone: bool) -> Self {
        let least = if is_alone { HEARTBEAT_ALONE } else { HEARTBEAT_MIN };
        self.heartbeat = self.heartbeat.max(least);
        self.silence = self.silence.max(self.heartbeat * 3);
        self
    }
}
