//! The bounds and switches of the HTTP server.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::event::Tenant;

/// Says where the server listens and what it bounds; every default is fit for production.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// The address to listen on, 127.0.0.1:4600 by default; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Threads that serve requests; at least 1.
    pub workers: usize,
    /// The tenant whose admins operate the program: they alone pause, resume and rebuild
    /// projections, which serve every tenant.
    pub operator: Tenant,
    /// The bounds.
    pub limits: ApiLimits,
    /// How long a stop waits for requests under way.
    pub shutdown_timeout: Duration,
    /// Whether `POST /v1/noop` exists, against which benches measure.
    pub bench_routes: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 4600)),
            workers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            operator: Tenant::default_tenant(),
            limits: ApiLimits::default(),
            shutdown_timeout: Duration::from_secs(30),
            bench_routes: false,
        }
    }
}

/// What requests are held to (G9); past a bound the caller gets a problem document.
#[derive(Clone, Debug)]
pub struct ApiLimits {
    /// The most bytes of a command's body.
    pub command_bytes_max: usize,
    /// The most bytes of an append's body.
    pub append_bytes_max: usize,
    /// How deep JSON in a body may nest.
    pub json_depth_max: usize,
    /// The most items in a page.
    pub page_max: usize,
    /// The items of a page when the caller does not say.
    pub page_default: usize,
    /// How long a client may take to send the head of the first request of a connection.
    pub head_timeout: Duration,
    /// How long a client may take to send a whole body.
    pub body_timeout: Duration,
    /// How long a request may take until its reply begins.
    pub request_timeout: Duration,
    /// How long a connection may idle between requests.
    pub keep_alive: Duration,
    /// How long `at_least` waits for a projection.
    pub at_least_timeout: Duration,
    /// The most connections of one worker.
    pub connections_max: usize,
    /// The most subscribers to server-sent events, over all workers; polls that wait and pages
    /// that are followed are among them.
    pub subscribers_max: usize,
    /// The most of them with one key.
    pub subscribers_per_key_max: usize,
    /// The most of them of one tenant.
    pub subscribers_per_tenant_max: usize,
    /// Of all, those kept for pages of admins of the operator's tenant; at most a quarter.
    pub subscribers_reserved: usize,
    /// The most bytes that bodies, replies and pages under way hold in memory, about; a tenant
    /// may have half.
    pub memory_bytes_max: usize,
    /// How long a client may take nothing of a reply that waits for it before its connection is
    /// closed; on Linux.
    pub reply_timeout: Duration,
    /// How often a silent subscription says that it is alive.
    pub heartbeat: Duration,
    /// The most requests a second of one key, on average; `None` means without bound.
    pub rate_per_second: Option<NonZeroU32>,
    /// The most requests of one key at once, before the average counts.
    pub rate_burst: NonZeroU32,
    /// The most keys held in memory.
    pub keys_cached_max: usize,
    /// How long a key is trusted before it is looked up again: the longest time for which a
    /// key that another process revoked still works.
    pub keys_cached_for: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            command_bytes_max: 1 << 20,
            append_bytes_max: 16 << 20,
            json_depth_max: 64,
            page_max: 1_000,
            page_default: 100,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            at_least_timeout: Duration::from_secs(5),
            connections_max: 10_000,
            subscribers_max: 256,
            subscribers_per_key_max: 128,
            subscribers_per_tenant_max: 192,
            subscribers_reserved: 16,
            memory_bytes_max: 256 << 20,
            reply_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            rate_per_second: NonZeroU32::new(2_000),
            rate_burst: NonZeroU32::new(4_000).unwrap_or(NonZeroU32::MIN),
            keys_cached_max: 10_000,
            keys_cached_for: Duration::from_secs(30),
        }
    }
}
