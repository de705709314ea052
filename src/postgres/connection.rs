//! Connections and pools of them.

use std::pin::{Pin, pin};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::future::{Either, select};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Connection, GenericClient, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Address, Fault, FaultKind};

/// The half of a connection that moves bytes: whoever dials polls it, and hears notifications.
pub type Wire = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// How long logging in may take, and how long a caller waits for a connection of a pool.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects; the caller polls the [`Wire`], or nothing happens.
///
/// # Errors
/// [`Fault`] naming the server and what to do, never the password.
pub async fn dial(address: &Address) -> Result<(Client, Wire), Fault> {
    let connector = connector(address)?;
    let config = address.config();
    let connected = async {
        let fault = |error| Fault::of(&error, address);
        let (client, mut wire) = config.connect(connector).await.map_err(fault)?;
        if let Some(setup) = address.setup() {
            set_up(&client, &mut wire, &setup).await.map_err(fault)?;
        }
        Ok((client, wire))
    };
    match tokio::time::timeout(PATIENCE, connected).await {
        Ok(connected) => connected,
        Err(_) => Err(Fault::unreachable(address, "it does not answer")),
    }
}

/// Runs a statement while the connection is driven; one that ends fails the statement.
async fn set_up(
    client: &Client,
    wire: &mut Wire,
    setup: &str,
) -> Result<(), tokio_postgres::Error> {
    let done = pin!(client.batch_execute(setup));
    match select(done, Pin::new(wire)).await {
        Either::Left((done, _)) => done,
        Either::Right((_, done)) => done.await,
    }
}

/// Connects, and polls the connection on the runtime that this is called from.
///
/// # Errors
/// As [`dial`].
pub async fn connect(address: &Address) -> Result<Client, Fault> {
    let (client, wire) = dial(address).await?;
    tokio::spawn(async move {
        // Whoever uses the client is told; a client that is dropped ends the wire in peace.
        let _ = wire.await;
    });
    Ok(client)
}

/// Makes a pool of at most `size` connections (at least 1), each opened when it is first needed.
///
/// A connection that has closed is not given out again. Give the runtime's threads no more than
/// `size` transactions at once, or they wait for each other, at most 15 s.
///
/// # Errors
/// [`Fault`] when the certificates of the address cannot be read.
pub fn pool(address: &Address, size: usize) -> Result<Pool, Fault> {
    let connector = connector(address)?;
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(address.config(), connector, recycling);
    let mut pool = Pool::builder(manager);
    if let Some(setup) = address.setup() {
        pool = pool.post_create(Hook::async_fn(move |client, _| {
            let setup = setup.clone();
            Box::pin(async move { client.batch_execute(&setup).await.map_err(HookError::Backend) })
        }));
    }
    let pool = pool
        .max_size(size.max(1))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build();
    pool.map_err(|error| Fault::new(FaultKind::Misconfigured, error.to_string()))
}

/// Makes the address's schema if it is not there; several may do so at once.
///
/// # Errors
/// [`Fault`], such as a missing right to make it.
pub async fn make_schema(
    client: &(impl GenericClient + Sync),
    address: &Address,
) -> Result<(), Fault> {
    let fault = |error| Fault::of(&error, address);
    let schema = address.schema();
    let there = "select 1 from pg_catalog.pg_namespace where nspname = $1::text";
    let found = client.query_typed(there, &[(&schema, Type::TEXT)]).await.map_err(fault)?;
    if !found.is_empty() {
        return Ok(());
    }
    // Checked again by the statement; of two that make it at once one may still collide.
    let make = format!("create schema if not exists \"{schema}\"");
    match client.batch_execute(&make).await.map_err(fault) {
        Err(fault) if matches!(fault.code(), Some("23505" | "42P06")) => Ok(()),
        done => done,
    }
}

fn connector(address: &Address) -> Result<MakeRustlsConnect, Fault> {
    let connector = address.trust().connector();
    connector.map_err(|problem| Fault::new(FaultKind::Misconfigured, problem))
}
