//! A body of frames that are there already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use hyper::body::Frame;

/// Yields its frames, the last one first.
pub(crate) struct Frames(Vec<Result<Frame<Bytes>, io::Error>>);

impl Frames {
    pub(crate) fn last_first(frames: Vec<Frame<Bytes>>) -> Self {
        Self(frames.into_iter().map(Ok).collect())
    }

    /// This data, and then the body breaks off.
    pub(crate) fn broken_after(data: Bytes) -> Self {
        Self(vec![Err(io::ErrorKind::ConnectionReset.into()), Ok(Frame::data(data))])
    }
}

impl Stream for Frames {
    type Item = Result<Frame<Bytes>, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop())
    }
}
