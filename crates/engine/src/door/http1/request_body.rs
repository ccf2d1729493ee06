//! The body of a request, read off the client's connection as it is needed, and the buffer that goes back with it.

use super::client::{BodyState, Client};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use trilithon_flow::{Fault, FaultKind, Headers, Source};
use trilithon_wire::body::{BodyDecoder, Step};
use trilithon_wire::{Buffer, Framing};

/// The body of a request, read off the client's connection as it is needed.
pub struct RequestBody {
    client: Rc<Client>,
    buffer: Buffer,
    decoder: BodyDecoder,
    lent: usize,
    awaiting_continue: bool,
    broken: bool,
}

impl RequestBody {
    /// The body that follows a head, out of the buffer that the head was taken off.
    pub fn new(client: Rc<Client>, framing: Framing, awaiting_continue: bool) -> RequestBody {
        client.begin_body();
        let buffer = std::mem::take(&mut *client.buffer.borrow_mut());
        RequestBody {
            client,
            buffer,
            decoder: BodyDecoder::new(framing),
            lent: 0,
            awaiting_continue,
            broken: false,
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let polled = self
            .client
            .stream
            .borrow_mut()
            .poll_read_buffer(cx, &mut self.buffer);
        match polled {
            Poll::Ready(Ok(n)) if n > 0 => Poll::Ready(Ok(())),
            Poll::Ready(_) => self.fail(
                FaultKind::ClientGone,
                "the client closed before the end of its body",
            ),
            Poll::Pending => {
                self.buffer.release();
                ready!(self.client.deadline.poll(cx));
                self.client.refuse("slow-body");
                self.fail(FaultKind::ClientTimeout, "the client was too slow with its body")
            }
        }
    }

    fn fail(&mut self, kind: FaultKind, why: &'static str) -> Poll<Result<(), Fault>> {
        self.broken = true;
        Poll::Ready(Err(Fault::new(kind, why)))
    }

    /// Tells the client to go on (RFC 9110 §10.1.1): somebody wants the body.
    fn say_continue(&mut self) -> Result<(), Fault> {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut stream = self.client.stream.borrow_mut();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // Twenty-five bytes on a connection that has sent nothing for this request: they fit, or the client is gone.
        let sent = Pin::new(&mut *stream).poll_write(&mut cx, CONTINUE);
        let _ = Pin::new(&mut *stream).poll_flush(&mut cx);
        match sent {
            Poll::Ready(Ok(n)) if n == CONTINUE.len() => Ok(()),
            _ => Err(Fault::new(
                FaultKind::ClientGone,
                "the client takes no `100 Continue`",
            )),
        }
    }
}

impl Source for RequestBody {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        // Said also where the body came along at once: clients that count answers see the same each time.
        if std::mem::take(&mut self.awaiting_continue) {
            self.say_continue()?;
        }
        while self.lent == 0 {
            match self.decoder.step(self.buffer.filled()) {
                Ok(Step::Data { skip, len }) => {
                    self.buffer.consume(skip);
                    self.lent = len;
                }
                Ok(Step::Skip(n)) => self.buffer.consume(n),
                Ok(Step::End { skip }) => {
                    self.buffer.consume(skip);
                    return Poll::Ready(Ok(&[]));
                }
                Ok(Step::More) => ready!(self.poll_more(cx))?,
                Err(reject) => {
                    self.broken = true;
                    self.client.refuse(reject.reason());
                    return Poll::Ready(Err(Fault::new(FaultKind::ClientMalformed, reject.reason())));
                }
            }
        }
        Poll::Ready(Ok(&self.buffer.filled()[..self.lent]))
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.lent);
        self.buffer.consume(n);
        self.decoder.consumed(n);
        self.lent -= n;
        self.client.count_body(n);
    }

    fn length(&self) -> Option<u64> {
        self.decoder.remaining()
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.decoder.take_trailers()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // A body whose last byte was used is over, though nobody has asked for its end. What a step skips counts as
        // skipped, so it is dropped here whatever stands behind it.
        loop {
            let (skip, more) = match self.decoder.step(self.buffer.filled()) {
                Ok(Step::Skip(n)) => (n, true),
                Ok(Step::End { skip } | Step::Data { skip, .. }) => (skip, false),
                Ok(Step::More) | Err(_) => (0, false),
            };
            self.buffer.consume(skip);
            if !more {
                break;
            }
        }
        let decoder = std::mem::replace(&mut self.decoder, BodyDecoder::new(Framing::None));
        let state = match (self.broken, decoder.is_done()) {
            (true, _) => BodyState::Out,
            (false, true) => BodyState::Done,
            (false, false) => BodyState::Unread {
                decoder,
                awaiting_continue: self.awaiting_continue,
            },
        };
        self.client.end_body(state, std::mem::take(&mut self.buffer));
    }
}
