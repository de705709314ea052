//! Bounds what one answer may bring, whatever it consists of: interim answers, headers, chunks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// How many bytes may come after a request was written until the next one is.
pub(super) const ANSWER_MAX: u64 = 128 << 10;

/// Says that an answer brings too much. The endpoint's owner acts.
#[derive(Debug, thiserror::Error)]
#[error("the answer has more than {} KiB with its headers and interim answers", ANSWER_MAX >> 10)]
pub(super) struct TooMuch;

/// What came over one connection, shared with those who send over it.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// How many bytes came since something was written.
    answered: AtomicU64,
    /// How many times something was written after an answer.
    turns: AtomicU64,
}

impl Meter {
    /// Returns whether an earlier request was answered on the connection, and nothing came in
    /// answer to the last one: its server closed it before it saw the request, or beside it.
    pub fn died_unused(&self) -> bool {
        self.0.turns.load(Ordering::Relaxed) > 0 && self.0.answered.load(Ordering::Relaxed) == 0
    }

    fn wrote(&self) {
        if self.0.answered.swap(0, Ordering::Relaxed) > 0 {
            self.0.turns.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn came(&self, len: usize) -> io::Result<()> {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        let before = self.0.answered.fetch_add(len, Ordering::Relaxed);
        match before.saturating_add(len) > ANSWER_MAX {
            true => Err(io::Error::other(TooMuch)),
            false => Ok(()),
        }
    }
}

/// A connection whose answers are bounded.
pub(super) struct Metered<C> {
    connection: C,
    meter: Meter,
}

impl<C> Metered<C> {
    /// Bounds the answers of a connection.
    pub fn new(connection: C) -> Self {
        Self { connection, meter: Meter::default() }
    }
}

impl<C: Connection> Connection for Metered<C> {
    fn connected(&self) -> Connected {
        self.connection.connected().extra(self.meter.clone())
    }
}

impl<C: Read + Unpin> Read for Metered<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 8 << 10];
        let room = into.remaining().min(bytes.len());
        let mut read = hyper::rt::ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut self.connection).poll_read(context, read.unfilled()))?;
        self.meter.came(read.filled().len())?;
        into.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<C: Write + Unpin> Write for Metered<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.meter.wrote();
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.meter.wrote();
        Pin::new(&mut self.connection).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}
