//! Taking out of a stream the event that only the gateway asked for.

use bytes::Bytes;
use std::task::{Context, Poll, ready};
use trilithon_ai::dialect::{Dialect, EventKind};
use trilithon_flow::limits::MAX_MODEL_EVENT;
use trilithon_flow::{Body, Fault, Headers, Known, Response, Source};
use trilithon_wire::sse::{Frame, Frames};

/// Takes the events that tell the usage and nothing else out of a stream.
pub fn usage_events(dialect: Dialect, mut res: Response) -> Response {
    res.headers.remove_known(Known::ContentLength);
    res.body = Body::from_source(Stripped {
        body: res.body.take(),
        dialect,
        cut: Some(Frames::new(MAX_MODEL_EVENT)),
        held: Vec::new(),
        sent: 0,
        ready: 0,
        ended: false,
    });
    res
}

struct Stripped {
    body: Body,
    dialect: Dialect,
    /// `None` after an event that was too large: what follows passes as it is.
    cut: Option<Frames>,
    /// Events that may be sent, then the beginning of one.
    held: Vec<u8>,
    sent: usize,
    ready: usize,
    ended: bool,
}

impl Stripped {
    fn is_usage(&self, frame: &Frame) -> bool {
        let raw = &self.held[self.ready..self.ready + frame.len];
        // Most events have no usage, and nearly all of those do not name it.
        raw.windows(7).any(|w| w == b"\"usage\"")
            && matches!(self.dialect.event(&frame.data(raw)), Ok(event) if event.kind == EventKind::Usage)
    }

    /// Sorts what is held into what may be sent and what is taken out.
    fn sort(&mut self) {
        loop {
            let Some(cut) = &mut self.cut else {
                self.ready = self.held.len();
                return;
            };
            let unsorted = &self.held[self.ready..];
            let next = if self.ended {
                cut.next(unsorted)
                    .and_then(|f| f.map_or_else(|| cut.rest(unsorted), |f| Ok(Some(f))))
            } else {
                cut.next(unsorted)
            };
            match next {
                Ok(Some(frame)) if self.is_usage(&frame) => {
                    self.held.drain(self.ready..self.ready + frame.len);
                }
                Ok(Some(frame)) => self.ready += frame.len,
                Ok(None) => return,
                Err(_) => self.cut = None,
            }
        }
    }
}

impl Source for Stripped {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.sent == self.ready {
            self.held.drain(..self.sent);
            (self.sent, self.ready) = (0, 0);
            if self.ended {
                return Poll::Ready(Ok(&[]));
            }
            let lent = ready!(self.body.poll_fill(cx))?;
            let n = lent.len();
            self.held.extend_from_slice(lent);
            self.body.consume(n);
            self.ended = n == 0;
            self.sort();
        }
        Poll::Ready(Ok(&self.held[self.sent..self.ready]))
    }

    fn consume(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.ready);
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = Bytes::copy_from_slice(ready!(self.poll_fill(cx))?);
        self.consume(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kit::{Act, Script};
    use super::super::super::testing::block_on;
    use super::*;

    fn check(stream: &'static str, want: &str) {
        for at in 0..=stream.len() {
            let (first, rest) = stream.as_bytes().split_at(at);
            let pieces = [first, rest].into_iter().filter(|p| !p.is_empty());
            let mut res = Response::new(200);
            res.body = Script::new(pieces.map(Act::Data)).body();
            let mut res = usage_events(Dialect::Chat, res);
            let got = block_on(res.body.collect(1 << 20)).unwrap();
            assert_eq!(String::from_utf8_lossy(&got), want, "cut at {at}");
        }
    }

    #[test]
    fn only_usage_alone_is_taken_out() {
        check(
            "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}],\"usage\":null}\n\ndata: [DONE]\n\n",
        );
        check("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", "");
        check(": ping\r\n\r\ndata: x", ": ping\r\n\r\ndata: x");
        check("", "");
    }
}
