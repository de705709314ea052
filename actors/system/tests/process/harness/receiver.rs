//! A receiver of webhooks that keeps a ledger, and outlives the servers that send.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::Ledger;

/// Takes every webhook.
pub struct Receiver {
    pub url: String,
    pub ledger: Ledger,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let ledger = Ledger::default();
        let own = ledger.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, ledger) = (stream.unwrap(), own.clone());
                // A sender that is killed breaks its connections off.
                thread::spawn(move || drop(take(&stream, &ledger)));
            }
        });
        Self { url, ledger }
    }
}

fn take(stream: &TcpStream, ledger: &Ledger) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut len = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; len];
        reader.read_exact(&mut body)?;
        ledger.add(&serde_json::from_slice(&body).unwrap());
        (&*stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
