//! Encrypted connections to a real server, with certificates made for the test.

use std::path::{Path, PathBuf};
use std::process::Command;

use headwater::postgres::{Address, connect};
use headwater::store::{EventStore, Expected};
use headwater::test::{ScratchSchema, ScratchServer};
use tempfile::TempDir;

use super::kit::{append, node, opening, whole_log};

/// A server that lets nobody in without encryption, for the name localhost.
struct Encrypted {
    server: ScratchServer,
    /// The file of the authority that vouches for it, and of one that does not.
    authority: PathBuf,
    stranger: PathBuf,
    _folder: TempDir,
}

/// Runs openssl in a folder.
fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split(' '));
    let output = command.output().expect("install openssl (Debian: apt install openssl)");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Encrypted {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for name in ["authority", "stranger"] {
            let files = format!("-keyout {name}.key -out {name}.pem -subj /CN={name}");
            openssl(path, &format!("req -x509 -days 2 {key} {files}"));
        }
        openssl(path, &format!("req {key} -keyout server.key -out request -subj /CN=server"));
        std::fs::write(path.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
        let sign = "x509 -req -in request -CA authority.pem -CAkey authority.key -CAcreateserial";
        openssl(path, &format!("{sign} -days 2 -extfile names -out server.crt"));
        let server = ScratchServer::start(&["fsync=off"]).unwrap();
        for name in ["server.key", "server.crt"] {
            server.put(name, &std::fs::read_to_string(path.join(name)).unwrap()).unwrap();
        }
        let doors = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
        server.put("pg_hba.conf", doors).unwrap();
        server.set(&["ssl=on"]).unwrap();
        server.stop();
        server.start_again().unwrap();
        let file = |name: &str| path.join(name);
        let (authority, stranger) = (file("authority.pem"), file("stranger.pem"));
        Self { server, authority, stranger, _folder: folder }
    }

    fn address(&self, host: &str, parameters: &str) -> Address {
        let port = self.server.port();
        let url = format!("postgres://postgres:scratch@{host}:{port}/postgres?{parameters}");
        url.parse().unwrap()
    }

    fn verified(&self, host: &str, root: &Path) -> Address {
        self.address(host, &format!("sslmode=verify-full&sslrootcert={}", root.display()))
    }
}

#[tokio::test]
async fn the_log_is_kept_over_encrypted_connections() {
    let encrypted = Encrypted::start();
    let verified = encrypted.verified("localhost", &encrypted.authority);
    let unverified = encrypted.address("127.0.0.1", "sslmode=require");
    let scratch = ScratchSchema::on(&verified).unwrap();
    scratch.make_log().unwrap();
    for (number, address) in [(1, verified), (2, unverified)] {
        let address = address.with_schema(scratch.address().schema()).unwrap();
        let store = node(&address);
        store.append(append("a", Expected::Any, 1)).await.unwrap();
        assert_eq!(whole_log(&store).await.len(), number);
        let client = connect(&address).await.unwrap();
        let ask = "select version from pg_stat_ssl where pid = pg_backend_pid() and ssl";
        let version: String = client.query_one(ask, &[]).await.unwrap().get(0);
        assert_eq!(version, "TLSv1.3");
    }
}

#[test]
fn a_server_that_is_not_who_it_should_be_is_refused_with_the_reason() {
    let encrypted = Encrypted::start();
    let missing = Path::new("no-such-file.pem");
    let cases = [
        (encrypted.verified("localhost", &encrypted.stranger), "certificate as sslrootcert"),
        (encrypted.verified("127.0.0.1", &encrypted.authority), "as its certificate does"),
        (encrypted.verified("localhost", missing), "no-such-file.pem"),
        (encrypted.address("localhost", "sslmode=verify-full"), "certificate as sslrootcert"),
        (encrypted.address("127.0.0.1", "sslmode=disable"), "no encryption"),
    ];
    for (address, part) in cases {
        let said = opening(&address).to_string();
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_server_that_does_not_encrypt_is_refused_where_encryption_is_required() {
    let server = ScratchServer::start(&["fsync=off"]).unwrap();
    let url = format!("{}?sslmode=require", server.url("postgres", "scratch"));
    let said = opening(&url.parse().unwrap()).to_string();
    assert!(said.contains("no encrypted connection") && said.contains("ssl = on"), "{said}");
}
