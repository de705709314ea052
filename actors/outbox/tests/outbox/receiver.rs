//! Receivers written by hand, because they have to misbehave in ways that no server would.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The answer of a receiver that took the delivery.
pub const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A receiver on a port of its own.
pub struct Receiver {
    pub address: SocketAddr,
    /// The requests, each when it was read whole; connections of [`Receiver::doing`] send what
    /// they like.
    pub seen: UnboundedReceiver<Request>,
}

/// A request as it came over the wire.
#[derive(Debug)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
    /// Which connection it came by, from 1.
    pub connection: usize,
}

impl Receiver {
    /// Answers every request with the same bytes and keeps connections open, unless the answer
    /// says that it closes them.
    pub async fn answering(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        Self::doing(move |mut stream, seen, connection| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some((head, body)) = read_request(&mut stream).await? {
                    let _ = seen.send(Request { head, body, connection });
                    stream.write_all(answer.as_bytes()).await?;
                    if answer.contains("connection: close") {
                        break;
                    }
                }
                stream.shutdown().await
            }
        })
        .await
    }

    /// Does as it is told with each connection.
    pub async fn doing<F, Done>(act: F) -> Self
    where
        F: Fn(TcpStream, UnboundedSender<Request>, usize) -> Done + Send + 'static,
        Done: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), act)
    }

    /// Does as it is told with each connection to a listener.
    pub fn on<F, Done>(listener: TcpListener, act: F) -> Self
    where
        F: Fn(TcpStream, UnboundedSender<Request>, usize) -> Done + Send + 'static,
        Done: Future<Output = io::Result<()>> + Send + 'static,
    {
        let (sender, seen) = unbounded_channel();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                connection += 1;
                // A receiver that fails is what some tests are about.
                tokio::spawn(act(stream, sender.clone(), connection));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Returns how many requests came that nobody has looked at.
    pub fn unseen(&mut self) -> usize {
        std::iter::from_fn(|| self.seen.try_recv().ok()).count()
    }
}

/// Reads one request; `None` at the end of the connection.
pub async fn read_request(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let len = header(&head, "content-length").map_or(0, |len| len.parse().unwrap());
            if bytes.len() >= at + 4 + len {
                return Ok(Some((head, bytes[at + 4..].to_vec())));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// Returns the value of a header.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
