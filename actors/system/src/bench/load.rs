//! A load generator: keep-alive connections that each send one request after the other.
//!
//! It speaks just enough HTTP/1.1 to drive the server of this program, so that it costs little
//! beside it on the same cores. The same generator drives the subject and the limit.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::case::{Measure, times_us};
use crate::error::Failure;

/// What a load run saw.
pub struct Load {
    /// Requests answered, and in what time.
    pub measure: Measure,
    /// Latencies in microseconds.
    pub latency: Histogram<u64>,
}

/// Sends requests over `connections` connections until `within` is over.
///
/// `request` writes the whole request number `n` into the buffer.
///
/// # Errors
/// A [`Failure`] when a connection breaks or a reply is not a success.
pub async fn drive(
    address: SocketAddr,
    connections: u64,
    within: Duration,
    request: impl Fn(u64, &mut Vec<u8>) + Clone + Send + 'static,
) -> Result<Load, Failure> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|lane| tokio::spawn(lane_loop(address, lane, start + within, request.clone())))
        .collect();
    let mut latency = times_us()?;
    for task in tasks {
        let lane = task.await.map_err(|error| Failure::new(error.to_string()))??;
        latency.add(lane).map_err(|error| Failure::new(error.to_string()))?;
    }
    let measure = Measure { count: latency.len(), elapsed: start.elapsed() };
    Ok(Load { measure, latency })
}

async fn lane_loop(
    address: SocketAddr,
    lane: u64,
    end: Instant,
    request: impl Fn(u64, &mut Vec<u8>),
) -> Result<Histogram<u64>, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latency = times_us()?;
    let (mut out, mut reply) = (Vec::new(), Vec::new());
    let mut number = lane << 40;
    while Instant::now() < end {
        out.clear();
        request(number, &mut out);
        number += 1;
        let sent = Instant::now();
        stream.write_all(&out).await?;
        read_reply(&mut stream, &mut reply).await?;
        let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        latency.saturating_record(micros.max(1));
    }
    Ok(latency)
}

async fn read_reply(stream: &mut TcpStream, reply: &mut Vec<u8>) -> Result<(), Failure> {
    reply.clear();
    loop {
        if let Some(head) = find(reply, b"\r\n\r\n") {
            let length = content_length(reply.get(..head).unwrap_or_default());
            if reply.len() >= head + 4 + length {
                return check_status(reply);
            }
        }
        if stream.read_buf(reply).await? == 0 {
            return Err(Failure::new("the server closed a connection under load"));
        }
    }
}

fn check_status(reply: &[u8]) -> Result<(), Failure> {
    match reply.get(9..12) {
        Some(b"200" | b"201" | b"204") => Ok(()),
        _ => Err(Failure::new(format!("unexpected reply: {}", String::from_utf8_lossy(reply)))),
    }
}

fn content_length(head: &[u8]) -> usize {
    let text = std::str::from_utf8(head).unwrap_or_default();
    let mut headers = text.lines().filter_map(|line| line.split_once(':'));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
