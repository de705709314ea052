//! Brokers behind encrypted connections, with certificates made for the test.

use std::path::PathBuf;
use std::sync::Arc;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, stream};
use headwater_outbox::broker::BrokerConfig;
use headwater_outbox::endpoint::Target;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::kit::{BOUND, World, fresh, operator};
use super::rabbitmq_kit::{Queue, id, url};
use super::{nats_kit, rabbitmq_kit};

/// Somebody who vouches for `localhost`, with the file that says who it is.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn certificate(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Opens a door before a broker that speaks TLS; returns its port.
    async fn door(&self, broker: &str) -> u16 {
        let (certificate, key) = self.certificate();
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
        port
    }

    /// Starts a NATS that speaks TLS alone; `None` when it is not installed.
    fn nats(&self) -> Option<nats_kit::Server> {
        let (certificate, key) = self.certificate();
        let files = [("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())];
        let mut arguments = vec!["--tls".into()];
        for ((name, pem), flag) in files.into_iter().zip(["--tlscert", "--tlskey"]) {
            std::fs::write(self.file(name), pem).unwrap();
            arguments.extend([flag.into(), self.file(name).into_os_string()]);
        }
        nats_kit::Server::start_with(arguments)
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

/// Asserts that a broker is not believed, and that its endpoint is told so.
async fn assert_unbelieved(config: BrokerConfig, target: Target, words: &str) {
    let world = World::start(config).await;
    world.append("a", "Done", 0..1).await;
    world.register((&operator(), "one"), target, |_| {}).await;
    let told = "select last_error from outbox_retries";
    world.until_told(told, &[words, "cannot be reached"]).await;
    world.stop().await;
}

#[tokio::test]
async fn rabbitmq_behind_tls_is_believed_by_the_file_of_authorities_alone() {
    let Some(url) = url() else { return };
    let parsed = url::Url::parse(&url).unwrap();
    let place = (parsed.host_str().unwrap(), parsed.port().unwrap_or(5672));
    let (name, authority) = (fresh("tls"), Authority::new());
    let port = authority.door(&format!("{}:{}", place.0, place.1)).await;
    let mut encrypted = parsed.clone();
    encrypted.set_host(Some("localhost")).unwrap();
    encrypted.set_port(Some(port)).unwrap();
    let encrypted = encrypted.as_str().replacen("amqp://", "amqps://", 1);
    let mut queue = Queue::make(&url, &name).await.bind("#").await;
    let to = || rabbitmq_kit::to(&name, "x");
    let (knowing, words) = (rabbitmq_kit::knowing(&encrypted), "RabbitMQ at amqps://localhost");
    assert_unbelieved(knowing.clone(), to(), words).await;
    let ca_file = Some(authority.file("ca.pem"));
    let world = World::start(BrokerConfig { ca_file, ..knowing }).await;
    world.append("a", "Done", 0..3).await;
    world.register((&operator(), "r"), to(), |_| {}).await;
    for _ in 0..3 {
        assert_eq!(id(&queue.next().await).len(), 36);
    }
    world.until("select delivered from outbox_cursors", 3).await;
    world.stop().await;
    queue.remove().await;
}

#[tokio::test]
async fn nats_behind_tls_is_believed_by_the_file_of_authorities_alone() {
    let authority = Authority::new();
    let Some(server) = authority.nats() else { return };
    let url = format!("tls://localhost:{}", server.port());
    let file = authority.file("ca.pem");
    let end = Instant::now() + BOUND;
    let client = loop {
        let options = ConnectOptions::new().add_root_certificates(file.clone());
        match options.connect(&url).await {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
    };
    let subjects = vec!["shop.>".to_owned()];
    let config = stream::Config { name: "shop".into(), subjects, ..Default::default() };
    jetstream::new(client).get_or_create_stream(config).await.unwrap();
    let (knowing, to) = (nats_kit::knowing(&url), || nats_kit::to("shop.x"));
    assert_unbelieved(knowing.clone(), to(), "NATS at tls://localhost").await;
    let world = World::start(BrokerConfig { ca_file: Some(file), ..knowing }).await;
    world.append("a", "Done", 0..3).await;
    world.register((&operator(), "n"), to(), |_| {}).await;
    world.until("select delivered from outbox_cursors", 3).await;
    world.stop().await;
}
