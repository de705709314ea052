//! Encrypted endpoints, with certificates made for the test.

use std::path::PathBuf;
use std::sync::Arc;

use headwater_outbox::webhook::{Attempted, Verdict, WebhookSettings};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::names::Names;
use super::sending::{client_of, local, send, words};
use crate::receiver::{Receiver, Request, TAKEN, read_request};

/// Somebody who vouches for endpoints, with the file that says who it is.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Starts an endpoint with a certificate for a name, valid until the end of a year.
    async fn endpoint(&self, name: &str, until: i32) -> Receiver {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Receiver::doing(move |stream, seen, connection| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await?;
                let (head, body) = read_request(&mut stream).await?.unwrap_or_default();
                let _ = seen.send(Request { head, body, connection });
                stream.write_all(TAKEN.as_bytes()).await
            }
        })
        .await
    }
}

/// Starts an endpoint that takes the beginning of a handshake for a request that it cannot read.
async fn plain() -> Receiver {
    Receiver::doing(|mut stream, _, _| async move {
        stream.read_buf(&mut Vec::new()).await?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
    })
    .await
}

/// Delivers to a receiver by the name `hook.test`, believing an authority.
async fn deliver(receiver: &Receiver, believed: &Authority) -> Attempted {
    let settings = WebhookSettings { ca_file: Some(believed.file()), allow_http: false, ..local() };
    let client = client_of(&settings, Names::new(&[&["127.0.0.1"]]));
    send(&client, &format!("https://hook.test:{}", receiver.address.port())).await
}

#[tokio::test]
async fn an_endpoint_that_an_authority_vouches_for_gets_its_delivery() {
    let authority = Authority::new("authority");
    let mut receiver = authority.endpoint("hook.test", 2999).await;
    let attempted = deliver(&receiver, &authority).await;
    assert_eq!(attempted.verdict, Verdict::Delivered, "{}", words(&attempted));
    assert_eq!(receiver.seen.recv().await.unwrap().body, b"{}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_who_it_should_be_gets_nothing_and_the_reason_is_told() {
    let [authority, stranger, impostor] =
        ["authority", "stranger", "authority"].map(Authority::new);
    let cases = [
        (stranger.endpoint("hook.test", 2999).await, "is not trusted"),
        (impostor.endpoint("hook.test", 2999).await, "is not trusted"),
        (authority.endpoint("other.test", 2999).await, "is for another name"),
        (authority.endpoint("hook.test", 2020).await, "has expired"),
        (plain().await, "does not speak TLS"),
    ];
    for (mut receiver, part) in cases {
        let attempted = deliver(&receiver, &authority).await;
        assert_eq!((attempted.verdict, attempted.status), (Verdict::Failed, None));
        let said = words(&attempted);
        assert!(said.starts_with("TLS: ") && said.contains(part), "{part}: {said}");
        assert_eq!(receiver.unseen(), 0);
    }
}
