//! The tables of the settings file, one type each, and how they are read.

use std::path::PathBuf;
use std::time::Duration;

use headwater::telemetry::LogFormat;
use headwater_outbox::broker::{KafkaAddress, NatsAddress, RabbitmqAddress};
use headwater_outbox::secret::SealKey;
use headwater_outbox::webhook::IpNet;

use super::reader::Reader;

/// What leaves the system.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxSettings {
    /// The source of CloudEvents.
    pub source: String,
    /// The name by which webhooks are asked whether they want deliveries; `None` asks nobody.
    pub origin: Option<String>,
    /// What secrets are sealed with; `None` is the key in the data folder.
    pub key: Option<SealKey>,
    /// Whether nothing is sent for now.
    pub hold: bool,
    /// Whether webhooks may go without encryption.
    pub allow_http: bool,
    /// Networks that webhooks may go to although they are not public.
    pub allow_networks: Vec<IpNet>,
    /// Certificates of authorities to believe besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// About how many attempts are kept.
    pub attempts_kept: u64,
    /// The most endpoints of a tenant.
    pub endpoints_max: usize,
    /// Where NATS is; `None` when there is none.
    pub nats: Option<NatsAddress>,
    /// Where RabbitMQ is; `None` when there is none.
    pub rabbitmq: Option<RabbitmqAddress>,
    /// Where Kafka is; `None` when there is none.
    pub kafka: Option<KafkaAddress>,
}

/// A program among those that share a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// What people call it; `None` means the machine's name.
    pub name: Option<String>,
    /// Where others reach its API; `None` means the address it listens on.
    pub address: Option<String>,
    /// How long after its last heartbeat its work is taken over.
    pub silence: Duration,
}

/// How records of the program are written.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetrySettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// Which records: a level, or modules with levels.
    pub filter: String,
}

/// The embedded log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Bytes after which a segment file is closed and the next begun.
    pub segment_bytes: u64,
    /// The most bytes by which a file is filled ahead of the tail.
    pub ahead_bytes: u64,
    /// The most bytes of one group commit.
    pub batch_bytes_max: usize,
    /// The most appends that wait for the writer.
    pub waiting_appends_max: usize,
    /// Threads for reads that must wait for the device.
    pub reader_threads: usize,
}

/// What callers are held to; past a bound they get a clear refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// The most bytes of an event's data.
    pub event_bytes_max: usize,
    /// The most events of one append.
    pub append_events_max: usize,
    /// The most bytes of an append.
    pub append_bytes_max: usize,
    /// The most bytes of a command.
    pub command_bytes_max: usize,
    /// The most items in a page.
    pub page_max: usize,
    /// The items of a page when the caller does not say.
    pub page_default: usize,
    /// The most requests a second of one key on average; 0 means without bound.
    pub rate_per_second: u32,
    /// The most requests of one key at once, before the average counts.
    pub rate_burst: u32,
    /// The most connections of one server thread.
    pub connections_max: usize,
    /// The most subscribers to server-sent events.
    pub subscribers_max: usize,
    /// The most of them with one key.
    pub subscribers_per_key_max: usize,
    /// The most of them of one tenant.
    pub subscribers_per_tenant_max: usize,
    /// Those kept for pages of admins of the operator's tenant.
    pub subscribers_reserved: usize,
    /// The most bytes that bodies, replies and pages under way hold in memory, about.
    pub memory_bytes_max: usize,
    /// How long a client may take nothing of a reply that waits for it.
    pub reply_timeout: Duration,
    /// The most items of a query.
    pub query_items_max: usize,
    /// The most categories, types and tags of a query.
    pub query_names_max: usize,
    /// The most events that are looked at for one append condition.
    pub condition_scan_max: usize,
    /// How long a request may take until its reply begins.
    pub request_timeout: Duration,
    /// How long a client may take to send a whole body.
    pub body_timeout: Duration,
    /// How long `at_least` waits for a projection.
    pub at_least_timeout: Duration,
}

/// The actors and their threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Threads that run aggregates; 0 means one for every two cores.
    pub arbiters: usize,
    /// Threads that run projections; 0 means one for each core.
    pub worker_threads: usize,
    /// Threads that serve requests; 0 means one for each core.
    pub http_threads: usize,
    /// The most aggregates kept in memory.
    pub live_aggregates_max: usize,
    /// How long an aggregate without commands stays in memory; zero lets it go at once.
    pub idle_timeout: Duration,
    /// The most aggregates that are being loaded at the same time.
    pub recoveries_max: usize,
    /// The most commands that have been sent and not answered yet.
    pub waiting_commands_max: usize,
    /// The most commands that wait for one aggregate.
    pub waiting_per_aggregate_max: usize,
    /// How long a command may take.
    pub command_timeout: Duration,
    /// How often a command is decided before a conflict is reported.
    pub attempts_max: u32,
    /// The most outcomes of keyed commands without events kept for a tenant in 24 h.
    pub outcomes_per_day_max: u32,
}

impl NodeSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            name: reader.name("node.name"),
            address: reader.name("node.address"),
            silence: reader.duration("node.silence"),
        }
    }
}

impl TelemetrySettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            format: reader.log_format("telemetry.format"),
            filter: reader.log_filter("telemetry.filter"),
        }
    }
}

impl LogSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            segment_bytes: reader.number("log.segment_bytes"),
            ahead_bytes: reader.number("log.ahead_bytes"),
            batch_bytes_max: reader.number("log.batch_bytes_max"),
            waiting_appends_max: reader.number("log.waiting_appends_max"),
            reader_threads: reader.number("log.reader_threads"),
        }
    }
}

impl LimitSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            event_bytes_max: reader.number("limits.event_bytes_max"),
            append_events_max: reader.number("limits.append_events_max"),
            append_bytes_max: reader.number("limits.append_bytes_max"),
            command_bytes_max: reader.number("limits.command_bytes_max"),
            page_max: reader.number("limits.page_max"),
            page_default: reader.number("limits.page_default"),
            rate_per_second: reader.number("limits.rate_per_second"),
            rate_burst: reader.number("limits.rate_burst"),
            connections_max: reader.number("limits.connections_max"),
            subscribers_max: reader.number("limits.subscribers_max"),
            subscribers_per_key_max: reader.number("limits.subscribers_per_key_max"),
            subscribers_per_tenant_max: reader.number("limits.subscribers_per_tenant_max"),
            subscribers_reserved: reader.number("limits.subscribers_reserved"),
            memory_bytes_max: reader.number("limits.memory_bytes_max"),
            reply_timeout: reader.duration("limits.reply_timeout"),
            query_items_max: reader.number("limits.query_items_max"),
            query_names_max: reader.number("limits.query_names_max"),
            condition_scan_max: reader.number("limits.condition_scan_max"),
            request_timeout: reader.duration("limits.request_timeout"),
            body_timeout: reader.duration("limits.body_timeout"),
            at_least_timeout: reader.duration("limits.at_least_timeout"),
        }
    }
}

impl OutboxSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            source: reader.source("outbox.source"),
            origin: reader.origin("outbox.origin"),
            key: reader.seal_key("outbox.key"),
            hold: reader.switch("outbox.hold"),
            allow_http: reader.switch("outbox.allow_http"),
            allow_networks: reader.networks("outbox.allow_networks"),
            ca_file: reader.file("outbox.ca_file"),
            attempts_kept: reader.number("outbox.attempts_kept"),
            endpoints_max: reader.number("outbox.endpoints_max"),
            nats: reader.nats("outbox.nats"),
            rabbitmq: reader.rabbitmq("outbox.rabbitmq"),
            kafka: reader.kafka("outbox.kafka"),
        }
    }
}

impl RuntimeSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            arbiters: reader.number("runtime.arbiters"),
            worker_threads: reader.number("runtime.worker_threads"),
            http_threads: reader.number("runtime.http_threads"),
            live_aggregates_max: reader.number("runtime.live_aggregates_max"),
            idle_timeout: reader.duration("runtime.idle_timeout"),
            recoveries_max: reader.number("runtime.recoveries_max"),
            waiting_commands_max: reader.number("runtime.waiting_commands_max"),
            waiting_per_aggregate_max: reader.number("runtime.waiting_per_aggregate_max"),
            command_timeout: reader.duration("runtime.command_timeout"),
            attempts_max: reader.number("runtime.attempts_max"),
            outcomes_per_day_max: reader.number("runtime.outcomes_per_day_max"),
        }
    }
}
