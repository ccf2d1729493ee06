//! The body of a request on its way to the server.

use super::{Why, head};
use bytes::Bytes;
use h2::{Reason, SendStream};
use std::task::{Context, Poll, ready};
use trilithon_flow::{Body, Fault, FaultKind};

/// The body of a request on its way out.
pub struct Upload {
    pub body: Body,
    pub stream: SendStream<Bytes>,
    pub chunk: Bytes,
    /// Bytes that are still to come, if that was said.
    pub left: Option<u64>,
    pub ended: bool,
    /// Waits for `100 Continue`.
    pub held: bool,
    /// A part of the body is used up.
    pub touched: bool,
}

impl Upload {
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Why>> {
        while !self.ended {
            if self.held {
                return Poll::Pending;
            }
            if self.chunk.is_empty() {
                ready!(self.poll_next(cx))?;
            } else {
                ready!(self.poll_send(cx)).map_err(Why::Error)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Why>> {
        self.chunk = ready!(self.body.poll_chunk(cx)).map_err(Why::Fault)?;
        self.touched = true;
        if let Some(left) = &mut self.left {
            match left.checked_sub(self.chunk.len() as u64) {
                Some(rest) if rest == 0 || !self.chunk.is_empty() => *left = rest,
                _ => {
                    return Poll::Ready(Err(Why::Fault(Fault::new(
                        FaultKind::ClientGone,
                        "the request body is not as long as was said",
                    ))));
                }
            }
        }
        if self.chunk.is_empty() {
            self.ended = true;
            match self.body.trailers() {
                Some(trailers) => self
                    .stream
                    .send_trailers(head::trailer_map(&trailers))
                    .map_err(Why::Error)?,
                None => self.stream.send_data(Bytes::new(), true).map_err(Why::Error)?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        self.stream.reserve_capacity(self.chunk.len());
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(Reason::CANCEL.into())),
            }
        }
        let n = self.stream.capacity().min(self.chunk.len());
        let last = n == self.chunk.len() && self.left == Some(0) && self.body.is_empty();
        self.ended = last;
        Poll::Ready(self.stream.send_data(self.chunk.split_to(n), last))
    }
}
