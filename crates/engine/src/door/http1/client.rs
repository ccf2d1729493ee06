//! The client's side of an HTTP/1 connection, shared by the exchange that answers and the request body that still reads.

use crate::stream::Stream;
use crate::timer::Deadline;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use trilithon_wire::Buffer;
use trilithon_wire::body::BodyDecoder;

/// Bytes of a pipelined request that are read while the one before is being answered.
const PIPELINE_BYTES: usize = 64 * 1024;

/// One client connection.
pub struct Client {
    pub stream: RefCell<Stream>,
    /// Bytes read and not used yet.
    pub buffer: RefCell<Buffer>,
    /// Bounds the head and the body of the request, or the pause between two.
    pub deadline: Deadline,
    /// Longest time without progress in a write.
    pub write_timeout: Duration,
    body: RefCell<BodyState>,
    /// Body bytes of the current request that were used.
    received: Cell<u64>,
    /// Why the current request's body is refused, until somebody says so.
    refused: Cell<Option<&'static str>>,
}

/// Where the current request's body is.
pub enum BodyState {
    /// Nothing is to come.
    Done,
    /// Lent to whoever reads it.
    Out,
    /// Given back before its end.
    Unread {
        decoder: BodyDecoder,
        awaiting_continue: bool,
    },
}

/// What became of a request's body by the time its answer was sent.
pub enum Rest {
    /// The next request follows.
    Done,
    /// Some of it is still to be read.
    Unread(BodyDecoder),
    /// The connection is of no further use.
    Lost,
}

impl Client {
    pub fn new(stream: Stream, buffer: Buffer, deadline: Deadline, write_timeout: Duration) -> Rc<Client> {
        Rc::new(Client {
            stream: RefCell::new(stream),
            buffer: RefCell::new(buffer),
            deadline,
            write_timeout,
            body: RefCell::new(BodyState::Done),
            received: Cell::new(0),
            refused: Cell::new(None),
        })
    }

    /// Reads on; 0 is the end. An idle connection gives its buffer back while it waits.
    #[inline]
    pub fn poll_read(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = self.buffer.borrow_mut();
        let polled = self.stream.borrow_mut().poll_read_buffer(cx, &mut buffer);
        if polled.is_pending() {
            buffer.release();
        }
        polled
    }

    /// Ready when the client has gone: closed, or broken. What it sends ahead is kept, up to a bound.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(*self.body.borrow(), BodyState::Done)
            || self.buffer.borrow().filled().len() >= PIPELINE_BYTES
        {
            return Poll::Pending;
        }
        loop {
            match ready!(self.poll_read(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) if self.buffer.borrow().filled().len() >= PIPELINE_BYTES => return Poll::Pending,
                Ok(_) => {}
            }
        }
    }

    /// Somebody has taken the body, and the buffer with it.
    pub fn begin_body(&self) {
        *self.body.borrow_mut() = BodyState::Out;
        self.received.set(0);
    }

    /// The buffer is back, and what is left of the body.
    pub fn end_body(&self, state: BodyState, buffer: Buffer) {
        *self.body.borrow_mut() = state;
        *self.buffer.borrow_mut() = buffer;
    }

    /// Counts bytes of the body that were used.
    pub fn count_body(&self, n: usize) {
        self.received.set(self.received.get() + n as u64);
    }

    /// Notes why the body is refused.
    pub fn refuse(&self, reason: &'static str) {
        self.refused.set(Some(reason));
    }

    /// Body bytes of the current request that were used.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Why the body that was read is refused: once.
    pub fn refused(&self) -> Option<&'static str> {
        self.refused.take()
    }

    /// What is left of the body, once the exchange is over.
    pub fn rest_of_body(&self) -> Rest {
        match std::mem::replace(&mut *self.body.borrow_mut(), BodyState::Done) {
            BodyState::Done => Rest::Done,
            BodyState::Unread {
                decoder,
                awaiting_continue: false,
            } => Rest::Unread(decoder),
            // Whether the client still sends it cannot be known.
            BodyState::Unread { .. } | BodyState::Out => Rest::Lost,
        }
    }

    /// Writes all of `out` and empties it.
    pub async fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut written = 0;
        poll_fn(|cx| self.poll_write_all(cx, out, &mut written)).await?;
        out.clear();
        Ok(())
    }

    /// Writes what follows the first `written` bytes of `out`, counting there.
    fn poll_write_all(&self, cx: &mut Context<'_>, out: &[u8], written: &mut usize) -> Poll<io::Result<()>> {
        while *written < out.len() {
            if *written == 0 {
                self.deadline.set(self.write_timeout);
            }
            *written += ready!(self.poll_write(cx, &[IoSlice::new(&out[*written..])]))?;
        }
        Poll::Ready(Ok(()))
    }

    /// The same, and sends what TLS still holds back.
    pub fn poll_send(&self, cx: &mut Context<'_>, out: &[u8], written: &mut usize) -> Poll<io::Result<()>> {
        ready!(self.poll_write_all(cx, out, written))?;
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }

    /// Writes some of `pieces`; no progress within the write time-out is an error.
    pub fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        let written = match pieces {
            [one] => Pin::new(&mut *stream).poll_write(cx, one),
            many => Pin::new(&mut *stream).poll_write_vectored(cx, many),
        };
        match written {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(n)) => {
                self.deadline.set(self.write_timeout);
                Poll::Ready(Ok(n))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => self
                .deadline
                .poll(cx)
                .map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Sends what TLS still holds back.
    pub async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)).await
    }
}
