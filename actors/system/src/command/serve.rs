//! `headwater serve`: serves until it is told to stop.

use std::net::SocketAddr;

use headwater::api::keys::{self, NewKey};
use headwater::api::{ApiServer, serve};
use headwater::event::Tenant;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::command::output::say;
use crate::config::Config;
use crate::error::Failure;
use crate::node::Node;

/// Serves the data folder.
pub async fn run(args: ServeArgs) -> Result<(), Failure> {
    let config = super::settings(&args.shared)?;
    let node = Node::serve(config.clone()).await?;
    let first = first_key(&node, &args.shared.tenant).await?;
    let server = start(&node, &config).await?;
    let stop = StopSignals::listen()?;
    say!("headwater serves {} on http://{}", config.place(), server.address());
    if let Some(key) = &first {
        say!("first key, of an admin, shown this once: {}", key.text.reveal());
    }
    say!("pages on http://{}/ui", server.address());
    say!("documentation on http://{}/v1/docs; stop with Ctrl-C", server.address());
    until_stopped(stop, node, server).await
}

/// Starts the server over a node.
pub async fn start(node: &Node, config: &Config) -> Result<ApiServer, Failure> {
    Ok(serve(node.system.clone(), config.api_config()).await?)
}

/// Makes the first key of a data folder; `None` when there is one already.
pub async fn first_key(node: &Node, tenant: &Tenant) -> Result<Option<NewKey>, Failure> {
    Ok(keys::create_first(&node.database, tenant.clone(), Timestamp::now()).await?)
}

/// Ctrl-C and the request to end.
///
/// Listened for before anything says that the server runs: whoever reads that may ask it to end
/// at once, and it must still end in order.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Takes the signals over; until now they end the process.
    pub fn listen() -> Result<Self, Failure> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }
}

/// Waits for Ctrl-C or a request to end, then stops in order.
pub async fn until_stopped(
    mut stop: StopSignals,
    node: Node,
    server: ApiServer,
) -> Result<(), Failure> {
    tokio::select! {
        _ = stop.interrupt.recv() => {}
        _ = stop.terminate.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    node.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Writes three requests that work when they are pasted.
pub fn curl_lines(address: SocketAddr, key: &str) -> [String; 3] {
    let curl = format!("curl -s -H 'Authorization: Bearer {key}' 'http://{address}");
    [
        format!("{curl}/v1/read/revenue?limit=3'"),
        format!("{curl}/v1/events?category=order&limit=2'"),
        format!(
            "{curl}/v1/product/MY-MUG/add' -H 'Content-Type: application/json' \
             -d '{{\"description\":\"A MUG OF MY OWN\"}}'"
        ),
    ]
}
