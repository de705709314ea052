//! The table of all settings.

use std::time::Duration;

use super::quantity::{show_duration, show_size};

/// One setting: where it can be given, what it may be, what it is for.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the file; a `.` parts the table from the name.
    pub key: &'static str,
    /// What it is when nobody says.
    pub default: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is for, as a sentence without full stop.
    pub about: &'static str,
}

/// What a setting may be; bounds are inclusive.
#[derive(Debug)]
pub enum Kind {
    /// A path of a folder.
    Folder,
    /// `embedded`, or an address of PostgreSQL. May hold a password, so it is never shown.
    Place,
    /// An address and a port.
    Address,
    /// A number of bytes.
    Size(u64, u64),
    /// A whole number.
    Count(u64, u64),
    /// A span of time.
    Span(Duration, Duration),
    /// A few words, or nothing.
    Name,
    /// `true` or `false`.
    Switch,
    /// A URI reference.
    Source,
    /// A DNS name, or nothing.
    Origin,
    /// A key that seals secrets, or nothing. Never shown.
    SealKey,
    /// Networks, parted by commas, or nothing.
    Networks,
    /// A path of a file, or nothing.
    File,
    /// Addresses of NATS servers, or nothing. May hold a password, so they are never shown.
    Nats,
    /// An address of RabbitMQ, or nothing. May hold a password, so it is never shown.
    Rabbitmq,
    /// Addresses of Kafka's brokers, or nothing. May hold a password, so they are never shown.
    Kafka,
    /// `pretty` or `json`.
    LogFormat,
    /// A filter of log records.
    LogFilter,
}

impl Kind {
    /// Returns whether a value may hold a secret, so that no message shows it.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Place | Self::SealKey | Self::Nats | Self::Rabbitmq | Self::Kafka)
    }

    /// Says what to write, as the end of "write …".
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Folder => "a path of a folder".to_owned(),
            Self::Place => {
                "embedded, or an address such as postgres://user:password@host/database".to_owned()
            }
            Self::Address => "an address and a port, such as 127.0.0.1:4600".to_owned(),
            Self::Size(min, max) => {
                format!("a size from {} to {}", show_size(*min), show_size(*max))
            }
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::Span(min, max) => {
                format!("a time from {} to {}", show_duration(*min), show_duration(*max))
            }
            Self::Name => format!("at most {NAME_MAX} visible characters"),
            Self::Switch => "true or false".to_owned(),
            Self::Source => "a URI reference, such as https://events.example.com".to_owned(),
            Self::Origin => "a DNS name, such as events.example.com".to_owned(),
            Self::SealKey => {
                "32 bytes as base64, as `head -c 32 /dev/urandom | base64` makes".to_owned()
            }
            Self::Networks => "networks parted by commas, such as 10.1.0.0/16,fd00::/8".to_owned(),
            Self::File => "a path of a file".to_owned(),
            Self::Nats => {
                "addresses such as nats://user:password@host:4222, parted by commas, all with the \
                 same user"
                    .to_owned()
            }
            Self::Rabbitmq => "an address such as amqp://user:password@host:5672/vhost".to_owned(),
            Self::Kafka => {
                "brokers such as kafka://user:password@host:9092,host:9092, or kafkas:// with \
                 encryption"
                    .to_owned()
            }
            Self::LogFormat => "pretty or json".to_owned(),
            Self::LogFilter => "a level, or modules with levels".to_owned(),
        }
    }
}

impl Setting {
    const fn new(
        key: &'static str,
        default: &'static str,
        kind: Kind,
        about: &'static str,
    ) -> Self {
        Self { key, default, kind, about }
    }

    /// Returns the variable of the environment that sets it: `HEADWATER_LOG_SEGMENT_BYTES`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.replace('.', "_").to_uppercase())
    }

    /// Returns the flag that sets it, without the dashes before it: `log-segment-bytes`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }
}

/// How every variable of the program begins.
pub(super) const VARIABLE_PREFIX: &str = "HEADWATER_";

/// Variables with the program's prefix that are no settings: the commands' own, and those of
/// the tests, which start the program.
pub const ELSEWHERE: [&str; 11] = [
    "HEADWATER_CONFIG",
    "HEADWATER_KEY",
    "HEADWATER_URL",
    "HEADWATER_SEEDS",
    "HEADWATER_SEED",
    "HEADWATER_COMMANDS",
    "HEADWATER_DELIVERIES",
    "HEADWATER_EVENTS",
    "HEADWATER_KILLS",
    "HEADWATER_HOLD_S",
    "HEADWATER_RETAIL_CSV",
];

/// Says that an engine keeps its data in the data folder.
pub(super) const EMBEDDED: &str = "embedded";

/// The most characters of a name.
pub(super) const NAME_MAX: usize = 100;

/// Where data lies when nobody says.
pub const DEFAULT_DATA_DIR: &str = "./headwater-data";

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MILLION: u64 = 1_000_000;

const fn span(min_ms: u64, max_s: u64) -> Kind {
    Kind::Span(Duration::from_millis(min_ms), Duration::from_secs(max_s))
}

/// Every setting of the program, in the order of the reference page.
#[rustfmt::skip]
pub const SETTINGS: [Setting; 59] = [
    Setting::new("data_dir", DEFAULT_DATA_DIR, Kind::Folder, "Where the log and the read models lie; made when missing"),
    Setting::new("store", EMBEDDED, Kind::Place, "The engine of the log: files in the data folder, or PostgreSQL"),
    Setting::new("read", EMBEDDED, Kind::Place, "The engine of the read models: a SQLite file in the data folder, or PostgreSQL"),
    Setting::new("listen", "127.0.0.1:4600", Kind::Address, "Address of the HTTP server; port 0 lets the system choose"),
    Setting::new("node.name", "", Kind::Name, "What people call this node among those that share a database; empty means the machine's name"),
    Setting::new("node.address", "", Kind::Name, "Where others reach this node's API: shown to operators, and what consumers are sent to; empty means `listen`"),
    Setting::new("node.silence", "2500ms", span(300, 60), "How long after its last heartbeat a node's work is taken over; a heartbeat comes five times as often"),
    Setting::new("shutdown_timeout", "30s", span(0, 600), "How long a stop waits for work under way"),
    Setting::new("telemetry.format", "pretty", Kind::LogFormat, "How log records are written: for people or for machines"),
    Setting::new("telemetry.filter", "info,actix_server=warn,rskafka=warn", Kind::LogFilter, "Which log records: a level, or modules with levels"),
    Setting::new("log.segment_bytes", "64MiB", Kind::Size(64 * KIB, GIB), "Size after which a segment file is closed"),
    Setting::new("log.ahead_bytes", "8MiB", Kind::Size(64 * KIB, GIB), "The most by which a file is filled ahead of the tail"),
    Setting::new("log.batch_bytes_max", "4MiB", Kind::Size(64 * KIB, 64 * MIB), "The most bytes of one group commit"),
    Setting::new("log.waiting_appends_max", "16384", Kind::Count(1, MILLION), "The most appends that wait for the writer"),
    Setting::new("log.reader_threads", "2", Kind::Count(1, 64), "Threads for reads that must wait for the device"),
    Setting::new("limits.event_bytes_max", "1MiB", Kind::Size(KIB, 16 * MIB), "The most bytes of an event's data"),
    Setting::new("limits.append_events_max", "10000", Kind::Count(1, MILLION), "The most events of one append"),
    Setting::new("limits.append_bytes_max", "16MiB", Kind::Size(KIB, 64 * MIB), "The most bytes of an append"),
    Setting::new("limits.command_bytes_max", "1MiB", Kind::Size(KIB, 16 * MIB), "The most bytes of a command"),
    Setting::new("limits.page_max", "1000", Kind::Count(1, 10_000), "The most items in a page"),
    Setting::new("limits.page_default", "100", Kind::Count(1, 10_000), "Items of a page when the caller does not say"),
    Setting::new("limits.rate_per_second", "2000", Kind::Count(0, MILLION), "Requests a second of one key, on average; 0 means without bound"),
    Setting::new("limits.rate_burst", "4000", Kind::Count(1, MILLION), "Requests of one key at once, before the average counts"),
    Setting::new("limits.connections_max", "10000", Kind::Count(1, MILLION), "The most connections of one server thread"),
    Setting::new("limits.subscribers_max", "256", Kind::Count(1, 100_000), "The most subscribers to server-sent events, polls that wait and browsers that follow a page included"),
    Setting::new("limits.subscribers_per_key_max", "128", Kind::Count(1, 100_000), "The most of them with one key"),
    Setting::new("limits.subscribers_per_tenant_max", "192", Kind::Count(1, 100_000), "The most of them of one tenant"),
    Setting::new("limits.subscribers_reserved", "16", Kind::Count(0, 100_000), "Of all subscribers, those kept for pages of admins of the operator's tenant; at most a quarter"),
    Setting::new("limits.memory_bytes_max", "256MiB", Kind::Size(MIB, 64 * GIB), "About how many bytes the bodies, replies and pages under way may hold in memory, a tenant half of them"),
    Setting::new("limits.reply_timeout", "30s", span(100, 3_600), "How long a client may take nothing of a reply that waits for it before its connection is closed (Linux)"),
    Setting::new("limits.query_items_max", "100", Kind::Count(1, 10_000), "The most items of a query, of a read or of an append condition"),
    Setting::new("limits.query_names_max", "1000", Kind::Count(1, 100_000), "The most categories, types and tags of a query, over all its items"),
    Setting::new("limits.condition_scan_max", "1000000", Kind::Count(1, 1_000 * MILLION), "The most events that are looked at for one append condition"),
    Setting::new("limits.request_timeout", "30s", span(100, 3_600), "How long a request may take until its reply begins"),
    Setting::new("limits.body_timeout", "15s", span(100, 3_600), "How long a client may take to send a whole body"),
    Setting::new("limits.at_least_timeout", "5s", span(0, 600), "How long `at_least` waits for a projection"),
    Setting::new("outbox.source", "/headwater", Kind::Source, "The source of CloudEvents, which names this system to receivers"),
    Setting::new("outbox.origin", "", Kind::Origin, "The name of this system, told to webhooks that are asked whether they want deliveries (`handshake`); nobody is asked when empty"),
    Setting::new("outbox.key", "", Kind::SealKey, "What endpoints' secrets are sealed with, the same on all nodes; empty means `outbox.key` in the data folder, made when missing, or none with log and read models on PostgreSQL"),
    Setting::new("outbox.hold", "false", Kind::Switch, "Whether this program sends nothing to endpoints for now; they can be looked at, paused, changed and tested"),
    Setting::new("outbox.allow_http", "false", Kind::Switch, "Whether webhooks may go to http:// addresses, without encryption"),
    Setting::new("outbox.allow_networks", "", Kind::Networks, "Networks that webhooks may go to although they are not public"),
    Setting::new("outbox.ca_file", "", Kind::File, "Certificates, PEM, of authorities to believe besides the machine's"),
    Setting::new("outbox.attempts_kept", "200000", Kind::Count(1_000, 10 * MILLION), "About how many attempts of deliveries are kept"),
    Setting::new("outbox.endpoints_max", "1000", Kind::Count(1, 100_000), "The most endpoints of a tenant; past it one more is refused"),
    Setting::new("outbox.nats", "", Kind::Nats, "Servers of NATS whose streams endpoints of the operator's tenant may publish to; none when empty"),
    Setting::new("outbox.rabbitmq", "", Kind::Rabbitmq, "RabbitMQ with the virtual host whose exchanges endpoints of the operator's tenant may publish to; none when empty"),
    Setting::new("outbox.kafka", "", Kind::Kafka, "Kafka, to whose topics endpoints of the operator's tenant may publish, in a program built with the feature `kafka`; none when empty"),
    Setting::new("runtime.arbiters", "0", Kind::Count(0, 1_024), "Threads that run aggregates; 0 means one for every two cores"),
    Setting::new("runtime.worker_threads", "0", Kind::Count(0, 1_024), "Threads that run projections; 0 means one for each core"),
    Setting::new("runtime.http_threads", "0", Kind::Count(0, 1_024), "Threads that serve requests; 0 means one for each core"),
    Setting::new("runtime.live_aggregates_max", "10000", Kind::Count(1, 10 * MILLION), "The most aggregates kept in memory"),
    Setting::new("runtime.idle_timeout", "2m", span(0, 86_400), "How long an aggregate without commands stays in memory"),
    Setting::new("runtime.recoveries_max", "50", Kind::Count(1, 10_000), "The most aggregates loaded at the same time"),
    Setting::new("runtime.waiting_commands_max", "16384", Kind::Count(1, MILLION), "The most commands sent and not answered yet"),
    Setting::new("runtime.waiting_per_aggregate_max", "4096", Kind::Count(1, MILLION), "The most commands that wait for one aggregate"),
    Setting::new("runtime.command_timeout", "30s", span(100, 3_600), "How long a command may take"),
    Setting::new("runtime.attempts_max", "5", Kind::Count(1, 100), "How often a command is decided before a conflict is reported"),
    Setting::new("runtime.outcomes_per_day_max", "100000", Kind::Count(1, 100_000_000), "The most keyed commands without events whose outcomes a node keeps for a tenant in 24 h; past it they are refused"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_one_name_in_three_spellings() {
        let setting = SETTINGS.iter().find(|own| own.key == "log.segment_bytes").unwrap();
        assert_eq!(setting.variable(), "HEADWATER_LOG_SEGMENT_BYTES");
        assert_eq!(setting.flag(), "log-segment-bytes");
    }

    #[test]
    fn no_two_settings_share_a_variable() {
        let mut names: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        names.extend(ELSEWHERE.map(str::to_owned));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
