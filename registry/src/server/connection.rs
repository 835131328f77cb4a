//! A connection that waits for its client, but not for ever.
//!
//! Two waits end a connection: for the head of a request, from its first byte until the service has it, and for a client to take what was written.
//! The time between requests is the HTTP library's, and the time of the service its own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A stream with patience.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    head_time: Duration,
    write_time: Duration,
    /// Whether the service has a request that is not answered yet.
    busy: Arc<AtomicBool>,
    /// Runs from the first byte of a request until the service has it.
    head: Option<Pin<Box<Sleep>>>,
    /// Runs while a write cannot go on.
    write: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, head_time: Duration, write_time: Duration) -> Self {
        Self { stream, head_time, write_time, busy: Arc::default(), head: None, write: None }
    }

    /// To be set when the service gets a request.
    pub(super) fn busy(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.busy)
    }

    fn answering(&mut self) {
        self.busy.store(false, Ordering::Relaxed);
        self.head = None;
    }

    /// Passes a write's result on, or the end of the patience with it.
    fn written<T>(&mut self, result: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write = None;
            return result;
        }
        poll_end(&mut self.write, self.write_time, cx)
    }
}

/// Starts a timer that is not running, and fails when it is over.
fn poll_end<T>(
    timer: &mut Option<Pin<Box<Sleep>>>,
    time: Duration,
    cx: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + time)));
    match timer.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        Poll::Pending => Poll::Pending,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        if result.is_ready() {
            if buf.filled().len() > before && this.head.is_none() {
                let end = Instant::now() + this.head_time;
                this.head = Some(Box::pin(tokio::time::sleep_until(end)));
            }
            return result;
        }
        if this.head.is_none() || this.busy.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        poll_end(&mut this.head, this.head_time, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.answering();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(result, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.answering();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        this.written(result, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.written(result, cx)
    }
}

#[cfg(test)]
mod tests;
