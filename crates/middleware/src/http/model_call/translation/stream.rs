//! A stream that is translated as it goes by.

use std::task::{Context, Poll, ready};
use trilithon_ai::translate;
use trilithon_flow::limits::MAX_MODEL_EVENT;
use trilithon_flow::{Body, Fault, SharedCall, Source};
use trilithon_wire::sse::Frames;

/// Bytes that are translated before they go: an event can become several.
const ENOUGH: usize = 16 * 1024;

/// The body in the client's words. It ends with the dialect's last event, or with an error event: never like a whole answer
/// that it is not.
pub fn translated(body: Body, stream: translate::Stream, call: SharedCall) -> Body {
    Body::from_source(Translated {
        body,
        cut: Frames::new(MAX_MODEL_EVENT),
        held: Vec::new(),
        read: 0,
        stream,
        out: Vec::new(),
        sent: 0,
        ended: false,
        call,
    })
}

struct Translated {
    body: Body,
    cut: Frames,
    /// Events that came; those before `read` are translated.
    held: Vec<u8>,
    read: usize,
    stream: translate::Stream,
    /// What is said to the client; `sent` of it is.
    out: Vec<u8>,
    sent: usize,
    /// Nothing more comes from the upstream.
    ended: bool,
    call: SharedCall,
}

impl Translated {
    /// Translates events that are there, until there is enough to send.
    fn translate(&mut self) {
        while self.out.len() < ENOUGH && !self.stream.is_over() {
            let rest = &self.held[self.read..];
            let frame = match self.cut.next_or_rest(rest, self.ended) {
                Ok(Some(frame)) => frame,
                Ok(None) if self.ended => {
                    let ended = self.stream.end(&mut self.out);
                    return ended.unwrap_or_else(|malformed| self.fail(malformed.0));
                }
                Ok(None) => return,
                Err(_) => return self.fail("an event is too large"),
            };
            let data = frame.data(rest);
            let told = self.stream.event(&data, &mut self.out);
            self.read += frame.len;
            if let Err(malformed) = told {
                self.fail(malformed.0);
            }
        }
        if self.stream.is_over() {
            // What follows the last event is read, so that the connection can be used again, and says nothing.
            (self.held, self.read) = (Vec::new(), 0);
        }
    }

    fn fail(&mut self, why: &str) {
        let message = super::refuse(why, &self.call);
        self.stream.fail(&message, &mut self.out);
        // Whatever else would come, nobody waits for it.
        (self.body, self.ended) = (Body::default(), true);
    }

    /// Takes what the upstream has, or notices its end.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.body.poll_fill(cx)) {
            Ok([]) => self.ended = true,
            Ok(lent) => {
                let n = lent.len();
                if !self.stream.is_over() {
                    self.held.drain(..std::mem::take(&mut self.read));
                    self.held.extend_from_slice(lent);
                }
                self.body.consume(n);
            }
            Err(_) if self.stream.is_over() => self.ended = true,
            Err(_) => self.fail("the connection broke off"),
        }
        Poll::Ready(())
    }
}

impl Source for Translated {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
            self.translate();
            while self.out.is_empty() {
                if self.ended {
                    return Poll::Ready(Ok(&[]));
                }
                ready!(self.read(cx));
                self.translate();
            }
        }
        Poll::Ready(Ok(&self.out[self.sent..]))
    }

    fn consume(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.out.len());
    }

    fn length(&self) -> Option<u64> {
        None
    }
}
