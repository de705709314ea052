//! Hands the settings to the parts of the program in their own terms.

use std::num::{NonZeroU32, NonZeroUsize};

use headwater::api::{ApiConfig, ApiLimits};
use headwater::nodes::NodeConfig;
use headwater::runtime::RuntimeConfig;
use headwater::store::StoreLimits;

use super::{Config, LimitSettings, LogSettings, RuntimeSettings};

/// How many heartbeats may be lost before a node is taken for dead.
const HEARTBEATS_IN_SILENCE: u32 = 5;

impl Config {
    /// Names where the log lies, for the person at the terminal; never a password.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.store {
            Some(address) => address.to_string(),
            None => self.data_dir.display().to_string(),
        }
    }

    /// Returns how this program presents itself to others that share its database.
    #[must_use]
    pub fn node_config(&self) -> NodeConfig {
        let own = NodeConfig::default();
        let listen = (self.listen.port() != 0).then(|| self.listen.to_string());
        NodeConfig {
            name: self.node.name.clone().unwrap_or(own.name),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            address: self.node.address.clone().or(listen),
            heartbeat: self.node.silence / HEARTBEATS_IN_SILENCE,
            silence: self.node.silence,
            is_visitor: false,
        }
    }

    /// Returns where the HTTP server listens and what it bounds.
    #[must_use]
    pub fn api_config(&self) -> ApiConfig {
        ApiConfig {
            address: self.listen,
            workers: threads(self.runtime.http_threads),
            limits: self.limits.api_limits(),
            shutdown_timeout: self.shutdown_timeout,
            ..ApiConfig::default()
        }
    }
}

impl RuntimeSettings {
    /// Returns the bounds of the runtime.
    #[must_use]
    pub fn runtime_config(&self) -> RuntimeConfig {
        let own = RuntimeConfig::default();
        let arbiters = if self.arbiters == 0 { own.arbiters } else { self.arbiters };
        RuntimeConfig {
            arbiters,
            shards: arbiters,
            worker_threads: threads(self.worker_threads),
            live_aggregates_max: self.live_aggregates_max,
            idle_timeout: self.idle_timeout,
            recoveries_max: self.recoveries_max,
            waiting_commands_max: self.waiting_commands_max,
            waiting_per_aggregate_max: self.waiting_per_aggregate_max,
            command_timeout: self.command_timeout,
            attempts_max: self.attempts_max,
            outcomes_per_day_max: self.outcomes_per_day_max,
            ..own
        }
    }
}

impl LimitSettings {
    /// Returns the bounds of the HTTP server.
    #[must_use]
    pub fn api_limits(&self) -> ApiLimits {
        ApiLimits {
            command_bytes_max: self.command_bytes_max,
            append_bytes_max: self.append_bytes_max,
            page_max: self.page_max,
            page_default: self.page_default,
            body_timeout: self.body_timeout,
            request_timeout: self.request_timeout,
            at_least_timeout: self.at_least_timeout,
            connections_max: self.connections_max,
            subscribers_max: self.subscribers_max,
            subscribers_per_key_max: self.subscribers_per_key_max,
            subscribers_per_tenant_max: self.subscribers_per_tenant_max,
            subscribers_reserved: self.subscribers_reserved,
            memory_bytes_max: self.memory_bytes_max,
            reply_timeout: self.reply_timeout,
            rate_per_second: NonZeroU32::new(self.rate_per_second),
            // The table's bounds leave no zero; `MIN` is there for the compiler.
            rate_burst: NonZeroU32::new(self.rate_burst).unwrap_or(NonZeroU32::MIN),
            ..ApiLimits::default()
        }
    }

    /// Returns the bounds of the log.
    #[must_use]
    pub fn store_limits(&self, log: &LogSettings) -> StoreLimits {
        StoreLimits {
            data_bytes_max: self.event_bytes_max,
            append_events_max: self.append_events_max,
            append_bytes_max: self.append_bytes_max,
            waiting_appends_max: log.waiting_appends_max,
            query_items_max: self.query_items_max,
            query_names_max: self.query_names_max,
            condition_scan_max: self.condition_scan_max,
            ..StoreLimits::default()
        }
    }
}

/// Returns a number of threads; 0 means one for each core.
fn threads(count: usize) -> usize {
    match count {
        0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        count => count,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ConfigArgs;
    use super::*;

    fn defaults() -> Config {
        let file = tempfile::NamedTempFile::new().unwrap();
        let args = ConfigArgs { file: Some(file.path().to_owned()), values: Vec::new() };
        Config::load::<String, String>(&args, []).unwrap()
    }

    #[test]
    fn the_settings_have_the_defaults_of_the_parts() {
        let config = defaults();
        let runtime = config.runtime.runtime_config();
        assert_eq!(format!("{runtime:?}"), format!("{:?}", RuntimeConfig::default()));
        let api = config.limits.api_limits();
        assert_eq!(format!("{api:?}"), format!("{:?}", ApiLimits::default()));
        let limits = config.limits.store_limits(&config.log);
        assert_eq!(format!("{limits:?}"), format!("{:?}", StoreLimits::default()));
    }

    #[test]
    fn no_threads_means_one_for_each_core() {
        let mut config = defaults();
        assert!(config.api_config().workers >= 1);
        config.runtime.http_threads = 3;
        assert_eq!(config.api_config().workers, 3);
    }

    #[test]
    fn a_rate_of_zero_is_no_bound() {
        let mut limits = defaults().limits;
        assert_eq!(limits.api_limits().rate_per_second.map(NonZeroU32::get), Some(2_000));
        limits.rate_per_second = 0;
        assert_eq!(limits.api_limits().rate_per_second, None);
    }
}
