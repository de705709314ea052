//! What stands before a broker and can be shut: connections break, new ones are refused.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub struct Gate {
    address: SocketAddr,
    broker: String,
    open: Option<JoinHandle<()>>,
}

impl Gate {
    /// Opens a gate before a broker, `host:port`.
    pub async fn before(broker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Some(tokio::spawn(pass(listener, broker.to_owned())));
        Self { address, broker: broker.to_owned(), open }
    }

    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks every connection, and refuses new ones.
    pub async fn shut(&mut self) {
        let Some(open) = self.open.take() else { return };
        open.abort();
        // Until it has ended, the port is still taken.
        let _ = open.await;
    }

    pub async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.open = Some(tokio::spawn(pass(listener, self.broker.clone())));
    }
}

/// Ends, with every connection, when it is aborted.
async fn pass(listener: TcpListener, broker: String) {
    let mut connections = JoinSet::new();
    while let Ok((mut here, _)) = listener.accept().await {
        let broker = broker.clone();
        connections.spawn(async move {
            if let Ok(mut there) = TcpStream::connect(broker).await {
                // How a connection ends is its user's affair.
                let _ = copy_bidirectional(&mut here, &mut there).await;
            }
        });
    }
}
