//! `headwater serve`: serves until it is told to stop.

use std::net::{SocketAddr, TcpListener};

use headwater::api::keys::{self, NewKey};
use headwater::api::{ApiServer, serve};
use headwater::event::Tenant;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::RunArgs;
use crate::command::output::{deliver, tell};
use crate::config::Config;
use crate::error::Failure;
use crate::node::Node;
use crate::read_side::Lost;

/// Serves the data folder.
pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let config = super::settings(&args.shared)?;
    expect_free(config.listen)?;
    let lost = if args.new_read_side { Lost::MakeAnew } else { Lost::Refuse };
    let node = Node::serve(config.clone(), lost).await?;
    let server = start(&node, &config).await?;
    let stop = StopSignals::listen()?;
    match say_hello(&node, &config, &args.shared.tenant, server.address()).await {
        Ok(()) => until_stopped(stop, node, server).await,
        Err(failure) => {
            server.stop().await;
            node.close().await?;
            Err(failure)
        }
    }
}

/// Says where the server is and, once, its first key: made when the server has its address, so
/// that no start makes a key and ends without showing it.
async fn say_hello(
    node: &Node,
    config: &Config,
    tenant: &Tenant,
    address: SocketAddr,
) -> Result<(), Failure> {
    tell(format_args!("headwater serves {} on http://{address}", config.place()))?;
    if let Some(key) = first_key(node, tenant).await? {
        let shown = "first key, of an admin, shown this once:";
        deliver(format_args!("{shown} {}", key.text.reveal())).map_err(|failure| {
            Failure::new(format!(
                "{failure}; nobody has seen the first key: make another with headwater keys \
                 create NAME --scope admin, then headwater keys revoke {}",
                key.info.id
            ))
        })?;
    }
    tell(format_args!("pages on http://{address}/ui"))?;
    tell(format_args!("documentation on http://{address}/v1/docs; stop with Ctrl-C"))
}

/// Makes sure that the address can be listened on, before anything is opened or made.
///
/// # Errors
/// A [`Failure`] naming the address and the fix.
pub fn expect_free(address: SocketAddr) -> Result<(), Failure> {
    TcpListener::bind(address).map(drop).map_err(|error| {
        Failure::new(format!(
            "cannot listen on {address}: {error}: stop the program that has it, or name another \
             address with --listen"
        ))
    })
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
