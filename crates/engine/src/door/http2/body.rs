//! The body of a request stream, whose window opens as it is used.

use bytes::Bytes;
use h2::RecvStream;
use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use trilithon_flow::{Fault, FaultKind, Headers, Interim, Source};

/// The body of a request stream.
pub(super) struct StreamBody {
    pub body: RecvStream,
    pub chunk: Bytes,
    pub length: Option<u64>,
    pub trailers: Option<Headers>,
    pub ended: bool,
    /// Where to say `100 Continue` once somebody wants the body.
    pub awaiting_continue: Option<Rc<Interim>>,
    pub received: Rc<Cell<u64>>,
}

impl StreamBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let broken = |error: h2::Error| {
            Fault::new(
                FaultKind::ClientGone,
                format!("the client broke its stream: {error}"),
            )
        };
        if let Some(interim) = self.awaiting_continue.take() {
            interim.push(100, Headers::new());
        }
        while self.chunk.is_empty() && !self.ended {
            match ready!(self.body.poll_data(cx)) {
                Some(chunk) => {
                    self.chunk = chunk.map_err(broken)?;
                    if self.chunk.is_empty() && self.body.is_end_stream() {
                        self.ended = true;
                    }
                }
                None => {
                    let trailers = ready!(self.body.poll_trailers(cx)).map_err(broken)?;
                    self.trailers = trailers.map(|t| trailer_list(&t));
                    self.ended = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn used(&mut self, n: usize) {
        // Fails only for a stream that is gone, which the next read reports.
        let _ = self.body.flow_control().release_capacity(n);
        self.received.set(self.received.get() + n as u64);
        if let Some(left) = &mut self.length {
            *left = left.saturating_sub(n as u64);
        }
    }
}

impl Source for StreamBody {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        ready!(self.poll_next(cx))?;
        Poll::Ready(Ok(&self.chunk))
    }
    fn consume(&mut self, n: usize) {
        bytes::Buf::advance(&mut self.chunk, n);
        self.used(n);
    }
    fn length(&self) -> Option<u64> {
        self.length
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        ready!(self.poll_next(cx))?;
        let chunk = std::mem::take(&mut self.chunk);
        self.used(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

/// Trailers that may be passed on (A18).
fn trailer_list(map: &http::HeaderMap) -> Headers {
    let fields = map.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let mut trailers: Headers = fields.collect();
    trailers.retain(|known, name, _| trilithon_wire::may_trail(known, name));
    trailers
}
