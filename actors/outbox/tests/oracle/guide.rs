//! The receiver of the guide for receivers, as it is written there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headwater::clock::{Clock, SystemClock};
use headwater_outbox::secret::{SecretKind, SigningSecret, signature_header};

use super::oracle::Oracle;

const GUIDE: &str = include_str!("../../../../docs/guides/webhooks.md");
const ID: &str = "0190b8a0-0000-7000-8000-000000000001";
const BODY: &str =
    r#"{"subject":"order/1","sequence":"00000000000000000001","type":"order.Placed"}"#;

/// Ends the program with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the guide's first program in Python, with a secret and a port of its own.
fn program(secret: &SigningSecret, port: u16) -> String {
    let (_, rest) = GUIDE.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    let own = program.replace("whsec_…", &secret.reveal()).replace("8900", &port.to_string());
    assert!(own.contains(&port.to_string()) && own.contains(&secret.reveal()), "{own}");
    own
}

/// Connects as soon as somebody listens.
fn connect(port: u16) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "nobody listens: {error}"),
        }
        std::thread::yield_now();
    }
}

fn post(port: u16, signature: &str, timestamp_s: i64) -> String {
    let mut stream = connect(port);
    let len = BODY.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {len}\r\nwebhook-id: \
         {ID}\r\nwebhook-timestamp: {timestamp_s}\r\nwebhook-signature: {signature}\r\n\r\n{BODY}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_receiver_of_the_guide_takes_what_is_signed_and_nothing_else() {
    let Some(python) = Oracle::Python.program_of_its_own() else { return };
    let secret = SigningSecret::generate(SecretKind::Symmetric).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(python);
    command.arg("-c").arg(program(&secret, port));
    let mut running =
        Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let now = SystemClock.now().as_second();
    let forged = post(port, "v1,AAAA", now);
    assert!(!forged.contains("204"), "{forged}");
    let answer = post(port, &signature_header(&[&secret], ID, now, BODY.as_bytes()), now);
    assert!(answer.contains("204"), "{answer}");
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "order/1 00000000000000000001 order.Placed");
}
