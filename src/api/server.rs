//! The server: starts on a thread of its own, stops when told to.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
use actix_rt::net::TcpStream;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;

use super::gate::gate;
use super::readiness::watch_over;
use super::{ApiConfig, ApiState, PageRoutes, PluginRoutes, RESERVED, route};
use crate::runtime::System;

/// A server that runs; dropping it without [`ApiServer::stop`] leaves it running.
pub struct ApiServer {
    address: SocketAddr,
    handle: ServerHandle,
    state: Arc<ApiState>,
    thread: JoinHandle<()>,
    /// The listener once more: it stays until nobody waits in its queue.
    listener: TcpListener,
}

/// Says why a server did not start. Operator acts on all of them but the last.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on. Operator: choose another or stop who has it.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The thread of the server could not be made. Operator: look at the system's bounds.
    #[error("cannot start the server's thread: {0}")]
    Thread(#[source] io::Error),
    /// The web framework did not start. Operator: the cause is in the log.
    #[error("server ended before it began: {0}")]
    Lost(String),
    /// A category or a plugin has the name of another's addresses. Developer: rename it.
    #[error("{name:?} is the first part of another address: choose a name but {}", RESERVED.join(", "))]
    Reserved {
        /// The category, or the first part of a plugin's addresses.
        name: &'static str,
    },
}

/// Starts a server for a system, on a thread of its own, from any thread.
///
/// When it returns, the address takes requests.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(system: System, config: ApiConfig) -> Result<ApiServer, ServeError> {
    check_names(&system)?;
    let state = Arc::new(ApiState::new(system, config));
    let (tell, told) = oneshot::channel();
    let own = Arc::clone(&state);
    let thread = std::thread::Builder::new().name("headwater-api".into());
    let thread = thread.spawn(move || run(&own, tell)).map_err(ServeError::Thread)?;
    let started = told.await.unwrap_or_else(|_| Err(ServeError::Lost("thread ended".into())));
    let Running { address, handle, listener } = started?;
    Ok(ApiServer { address, handle, state, thread, listener })
}

impl ApiServer {
    /// Returns the address that it listens on, with the port that the system chose.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many requests ended in a panic of a handler.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.state.panics.load(Ordering::Relaxed)
    }

    /// Says by `/v1/health/ready` that no more requests should come, while it still serves.
    pub fn drain(&self) {
        self.state.readiness.drain();
    }

    /// Stops: answers what was sent, each reply closing its connection, tells who comes anew that
    /// it stops, ends subscriptions, and stores what is known of the keys' use. All within the
    /// configured bound; what is under way then gets no reply.
    pub async fn stop(self) {
        self.drain();
        self.state.traffic.stop();
        self.state.stopping.send_replace(true);
        let bound = self.state.config.shutdown_timeout / 2;
        let is_drained = self.state.traffic.drained(&self.listener, bound).await;
        if !is_drained {
            tracing::warn!("requests were under way when the time to stop was over");
        }
        self.handle.stop(is_drained).await;
        if let Err(error) = self.state.keys.store_uses().await {
            tracing::warn!(%error, "last use of keys could not be stored");
        }
        // Joined on a thread that may block; the server has ended, so it is soon over.
        let ended = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("thread of the server panicked");
        }
    }
}

/// A server that has begun.
struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    listener: TcpListener,
}

type Started = Result<Running, ServeError>;

/// Runs the server on this thread until it is stopped.
fn run(state: &Arc<ApiState>, tell: oneshot::Sender<Started>) {
    actix_web::rt::System::new().block_on(async {
        let (address, listener, server) = match build(state) {
            Ok(built) => built,
            Err(error) => {
                // Who asked may have gone; then nobody wants to know.
                drop(tell.send(Err(error)));
                return;
            }
        };
        let watcher = actix_web::rt::spawn(watch_over(Arc::clone(state)));
        drop(tell.send(Ok(Running { address, handle: server.handle(), listener })));
        if let Err(error) = server.await {
            tracing::error!(%error, "server failed");
        }
        watcher.abort();
    });
}

fn build(state: &Arc<ApiState>) -> Result<(SocketAddr, TcpListener, Server), ServeError> {
    let (config, shared) = (&state.config, Arc::clone(state));
    let reply_timeout = config.limits.reply_timeout;
    let refused = |source| ServeError::Listen { address: config.address, source };
    let listener = listen(config.address).map_err(refused)?;
    let own = listener.try_clone().map_err(refused)?;
    let address = own.local_addr().map_err(refused)?;
    let traffic = Arc::clone(&state.traffic);
    let server = HttpServer::new(move || {
        let state = Arc::clone(&shared);
        App::new()
            .app_data(web::Data::from(Arc::clone(&shared)))
            .configure(|services| route::configure(services, &shared))
            .wrap(from_fn(move |request, next| gate(Arc::clone(&state), request, next)))
    })
    .workers(config.workers.max(1))
    .max_connections(config.limits.connections_max)
    .client_request_timeout(config.limits.head_timeout)
    .client_disconnect_timeout(Duration::from_secs(1))
    // Whoever waits for a reply or follows is noticed at once when it is gone, and what it would
    // have got goes to others.
    .h1_allow_half_closed(false)
    .keep_alive(config.limits.keep_alive)
    .shutdown_timeout((config.shutdown_timeout / 2).as_secs().max(1))
    .disable_signals()
    .on_connect(move |connection, extensions| {
        bound_reading(connection, reply_timeout);
        extensions.insert(traffic.connect());
    })
    .listen(listener)
    .map_err(refused)?;
    Ok((address, own, server.run()))
}

/// The most connections that wait to be accepted; the system may bound it further.
const BACKLOG: i32 = 2_048;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that starts again listens although connections of the last one are still ending.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Lets the system close a connection whose client takes nothing of what waits for it.
///
/// The web framework has no such bound: it asks for no more of a reply until the client has taken
/// some, and holds what it has.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bound_reading(connection: &dyn std::any::Any, bound: Duration) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(bound)) {
        tracing::debug!(%error, "bound on slow readers could not be set");
    }
}

/// Other systems have no such bound.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bound_reading(_: &dyn std::any::Any, _: Duration) {}

/// Makes sure that no two things answer under the same first part of an address.
fn check_names(system: &System) -> Result<(), ServeError> {
    let routes = system.routes::<PluginRoutes>();
    if let Some(name) = PluginRoutes::taken(routes.iter().map(AsRef::as_ref)) {
        return Err(ServeError::Reserved { name });
    }
    let pages = system.routes::<PageRoutes>();
    if let Some(name) = PageRoutes::taken(pages.iter().map(AsRef::as_ref)) {
        return Err(ServeError::Reserved { name });
    }
    let is_taken = |category: &str| {
        RESERVED.contains(&category) || routes.iter().any(|own| own.first() == category)
    };
    let commands = system.commands();
    match commands.iter().find(|info| is_taken(info.category)) {
        Some(info) => Err(ServeError::Reserved { name: info.category }),
        None => Ok(()),
    }
}
