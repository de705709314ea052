//! Hands the settings to the parts of the program in their own terms.

use std::num::NonZeroUsize;

use headwater::runtime::RuntimeConfig;
use headwater::store::StoreLimits;

use super::{LimitSettings, LogSettings, RuntimeSettings};

impl RuntimeSettings {
    /// Returns the bounds of the runtime.
    #[must_use]
    pub fn runtime_config(&self) -> RuntimeConfig {
        RuntimeConfig {
            arbiters: threads(self.arbiters),
            shards: threads(self.arbiters),
            worker_threads: threads(self.worker_threads),
            live_aggregates_max: self.live_aggregates_max,
            idle_timeout: self.idle_timeout,
            recoveries_max: self.recoveries_max,
            waiting_commands_max: self.waiting_commands_max,
            waiting_per_aggregate_max: self.waiting_per_aggregate_max,
            command_timeout: self.command_timeout,
            attempts_max: self.attempts_max,
            ..RuntimeConfig::default()
        }
    }

    /// Returns how many threads serve requests, at least 1.
    #[must_use]
    pub fn http_threads(&self) -> usize {
        threads(self.http_threads)
    }
}

impl LimitSettings {
    /// Returns the bounds of the log.
    #[must_use]
    pub fn store_limits(&self, log: &LogSettings) -> StoreLimits {
        StoreLimits {
            data_bytes_max: self.event_bytes_max,
            append_events_max: self.append_events_max,
            append_bytes_max: self.append_bytes_max,
            waiting_appends_max: log.waiting_appends_max,
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
    use super::super::{Config, ConfigArgs};
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
        let limits = config.limits.store_limits(&config.log);
        assert_eq!(format!("{limits:?}"), format!("{:?}", StoreLimits::default()));
    }

    #[test]
    fn no_threads_means_one_for_each_core() {
        let mut config = defaults();
        assert!(config.runtime.http_threads() >= 1);
        config.runtime.http_threads = 3;
        assert_eq!(config.runtime.http_threads(), 3);
    }
}
