//! What lasts as long as an answer: until the end of its body, or of the connection that it became. However an answer
//! ends, what is held is dropped: with the last byte, a broken upstream, a client that left, or the end of the worker.

use crate::{Body, Fault, Headers, Io, Response, Source};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Something that lasts as long as an answer.
pub trait Held: Unpin + 'static {
    /// Is told of the bytes that go to the client.
    fn passed(&mut self, bytes: usize) {
        let _ = bytes;
    }
}

/// Ties `held` to what of the answer takes time; if nothing does, it is dropped here.
pub fn hold(held: impl Held, mut res: Response) -> Response {
    if let Some(upgraded) = &mut res.upgraded {
        let mut held = held;
        held.passed(upgraded.early.len());
        let io = std::mem::replace(&mut upgraded.io, Box::new(tokio::io::empty()));
        upgraded.io = Box::new(HeldIo { io, held });
    } else if !res.body.is_empty() {
        res.body = Body::from_source(HeldBody {
            body: res.body.take(),
            held: Some(held),
        });
    }
    res
}

/// A body that drops what it holds at its end.
struct HeldBody<H> {
    body: Body,
    held: Option<H>,
}

impl<H: Held> HeldBody<H> {
    fn passed(&mut self, bytes: usize) {
        if let Some(held) = &mut self.held {
            held.passed(bytes);
        }
    }
}

impl<H: Held> Source for HeldBody<H> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        let filled = self.body.poll_fill(cx);
        if matches!(filled, Poll::Ready(Ok([]) | Err(_))) {
            self.held = None;
        }
        filled
    }

    fn consume(&mut self, n: usize) {
        self.body.consume(n);
        self.passed(n);
    }

    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = ready!(self.body.poll_chunk(cx));
        match &chunk {
            Ok(chunk) if !chunk.is_empty() => self.passed(chunk.len()),
            _ => self.held = None,
        }
        Poll::Ready(chunk)
    }
}

/// A connection that left HTTP.
struct HeldIo<H> {
    io: Box<dyn Io>,
    held: H,
}

impl<H: Held> AsyncRead for HeldIo<H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.held.passed(buf.filled().len() - before);
        read
    }
}

impl<H: Held> AsyncWrite for HeldIo<H> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
