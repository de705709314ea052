//! Brokers behind encrypted connections, with certificates made for the test.

use std::path::PathBuf;
use std::sync::Arc;

use headwater_outbox::broker::BrokerConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::kit::{World, fresh, operator};
use super::rabbitmq_kit::{Queue, id, knowing, to, url};

/// Stands before RabbitMQ and speaks TLS, as `localhost`.
struct Door {
    port: u16,
    folder: TempDir,
}

impl Door {
    async fn before(broker: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(pass(listener, TlsAcceptor::from(Arc::new(config)), broker.to_owned()));
        Self { port, folder }
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn config(&self, url: &str, ca_file: Option<PathBuf>) -> BrokerConfig {
        let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
        let user = user.map(|(user, _)| format!("{user}@")).unwrap_or_default();
        let encrypted = format!("amqps://{user}localhost:{}", self.port);
        BrokerConfig { ca_file, ..knowing(&encrypted) }
    }
}

async fn pass(listener: TcpListener, acceptor: TlsAcceptor, broker: String) {
    while let Ok((here, _)) = listener.accept().await {
        let (acceptor, broker) = (acceptor.clone(), broker.clone());
        tokio::spawn(async move {
            // Who does not believe the certificate goes away here.
            let Ok(mut here) = acceptor.accept(here).await else { return };
            if let Ok(mut there) = TcpStream::connect(broker).await {
                let _ = copy_bidirectional(&mut here, &mut there).await;
            }
        });
    }
}

/// Returns `host:port` of an address.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}

#[tokio::test]
async fn rabbitmq_behind_tls_is_believed_by_the_file_of_authorities_alone() {
    let Some(url) = url() else { return };
    let (name, door) = (fresh("tls"), Door::before(&place(&url)).await);
    let mut queue = Queue::make(&url, &name).await.bind("#").await;
    let stranger = World::start(door.config(&url, None)).await;
    stranger.append("a", "Done", 0..1).await;
    stranger.register((&operator(), "r"), to(&name, "x"), |_| {}).await;
    let told = "select last_error from outbox_retries";
    stranger.until_told(told, &["RabbitMQ at amqps://localhost", "cannot be reached"]).await;
    stranger.stop().await;
    let world = World::start(door.config(&url, Some(door.ca_file()))).await;
    world.append("a", "Done", 0..3).await;
    world.register((&operator(), "r"), to(&name, "x"), |_| {}).await;
    for _ in 0..3 {
        assert_eq!(id(&queue.next().await).len(), 36);
    }
    world.until("select delivered from outbox_cursors", 3).await;
    world.stop().await;
    queue.remove().await;
}
