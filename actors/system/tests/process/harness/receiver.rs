//! A receiver of webhooks that keeps a ledger, and outlives the servers that send.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::Ledger;

/// Takes every webhook, at the latest when it comes again.
pub struct Receiver {
    pub url: String,
    pub ledger: Ledger,
}

impl Receiver {
    pub fn start() -> Self {
        Self::refusing(u64::MAX)
    }

    /// Refuses one webhook in so many.
    pub fn refusing(one_in: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let ledger = Ledger::default();
        let (own, count) = (ledger.clone(), Arc::<AtomicU64>::default());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, ledger, count) = (stream.unwrap(), own.clone(), Arc::clone(&count));
                let takes = move || (count.fetch_add(1, Ordering::SeqCst) + 1) % one_in != 0;
                // A sender that is killed breaks its connections off.
                thread::spawn(move || drop(take(&stream, &ledger, takes)));
            }
        });
        Self { url, ledger }
    }
}

fn take(stream: &TcpStream, ledger: &Ledger, takes: impl Fn() -> bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(body) = next_body(&mut reader)? {
        if takes() {
            ledger.add(&serde_json::from_slice(&body).unwrap());
            (&*stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
        } else {
            (&*stream).write_all(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
    Ok(())
}

/// Reads the next request and returns its body; `None` when the sender is gone.
pub(super) fn next_body(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut len = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
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
    Ok(Some(body))
}
