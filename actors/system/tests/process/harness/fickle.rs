//! A receiver of webhooks that fails until it is told to be well.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::receiver::next_body;

/// Answers 500 with a hostile text, and 204 once it is well.
pub struct Fickle {
    pub url: String,
    is_well: Arc<AtomicBool>,
}

impl Fickle {
    /// What it answers while it is not well: text that must never become part of a page.
    pub const ANSWER: &str = "<script>document.title='owned'</script><img src=x onerror=alert(1)>";

    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook/secret-path", listener.local_addr().unwrap());
        let is_well = Arc::<AtomicBool>::default();
        let own = Arc::clone(&is_well);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, is_well) = (stream.unwrap(), Arc::clone(&own));
                // Whoever sends may break connections off.
                thread::spawn(move || drop(answer(&stream, &is_well)));
            }
        });
        Self { url, is_well }
    }

    pub fn recover(&self) {
        self.is_well.store(true, Ordering::SeqCst);
    }
}

fn answer(stream: &TcpStream, is_well: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while next_body(&mut reader)?.is_some() {
        match is_well.load(Ordering::SeqCst) {
            true => (&*stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?,
            false => {
                let (len, text) = (Fickle::ANSWER.len(), Fickle::ANSWER);
                let head = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/html";
                write!(&*stream, "{head}\r\ncontent-length: {len}\r\n\r\n{text}")?;
            }
        }
    }
    Ok(())
}
