//! Judging a stream of events: each is one message, which waits until it is judged; the next is read then. What is refused gets an
//! error in its place. Where a server asks the client for something, an error can only end the call that it asks for.

use super::{Judged, Judges, Refusal};
use bytes::{Bytes, BytesMut};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Fault, FaultKind, Headers, Source};
use trilithon_mcp::answer::{Place, place};
use trilithon_mcp::texts::{Sender, texts};
use trilithon_wire::sse::{Frame, Frames};

/// The stream as its judges let it through.
pub fn body(body: Body, judges: Judges) -> Body {
    Body::from_source(Guarded {
        body,
        judges: Rc::new(judges),
        cut: Some(Frames::new(MAX_MCP_ANSWER)),
        rest: BytesMut::new(),
        judging: None,
        out: Bytes::new(),
        ended: false,
    })
}

/// What goes on of an event.
enum Passed {
    On(Bytes),
    /// It, and nothing more.
    Last(Bytes),
}

struct Guarded {
    body: Body,
    judges: Rc<Judges>,
    /// `None` once nothing is read any more.
    cut: Option<Frames>,
    /// What came and is not cut into events yet.
    rest: BytesMut,
    /// The event that is being judged.
    judging: Option<Pin<Box<dyn Future<Output = Passed>>>>,
    /// What the client is given next.
    out: Bytes,
    ended: bool,
}

impl Guarded {
    /// Takes the next event off what was read; true if there was one.
    fn take(&mut self) -> Result<bool, Fault> {
        let Some(cut) = &mut self.cut else {
            self.out = self.rest.split().freeze();
            return Ok(!self.out.is_empty());
        };
        match cut.next_or_rest(&self.rest, self.ended) {
            Ok(Some(frame)) => {
                let raw = self.rest.split_to(frame.len).freeze();
                self.judging = Some(Box::pin(event(self.judges.clone(), raw, frame)));
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(_) if self.judges.closed("an event is too large").is_some() => Err(Fault::new(
                FaultKind::TooLarge,
                "an event of the server is too large to be judged",
            )),
            Err(_) => {
                self.cut = None;
                Ok(true)
            }
        }
    }
}

/// Judges one event.
async fn event(judges: Rc<Judges>, raw: Bytes, frame: Frame) -> Passed {
    // Clients take messages from events of this name only.
    let is_message = frame.has_data() && frame.event(&raw).is_none_or(|event| event == b"message");
    let data = frame.data(&raw);
    if !is_message || data.is_empty() {
        return Passed::On(raw);
    }
    let doc = Bytes::copy_from_slice(&data);
    let Ok(found) = texts(&doc, Sender::Server) else {
        return match judges.closed("an event is no JSON") {
            Some(refusal) => refused(&judges, &refusal, &raw, &frame, &doc),
            None => Passed::On(raw),
        };
    };
    match judges.judge(&doc, &found).await.0 {
        Judged::Same => Passed::On(raw),
        Judged::Changed(doc) => Passed::On(frame.with_data(&raw, &doc).into()),
        Judged::Refused(refusal) => refused(&judges, &refusal, &raw, &frame, &doc),
    }
}

/// What stands in the place of an event that does not pass.
fn refused(judges: &Judges, refusal: &Refusal, raw: &[u8], frame: &Frame, doc: &[u8]) -> Passed {
    let call = judges.call.borrow();
    let instead = |doc: Vec<u8>| Bytes::from(frame.with_data(raw, &doc));
    match place(doc, |id| refusal.instead(&call, id)) {
        Place::Answer(doc) => Passed::On(instead(doc)),
        Place::Told => Passed::On(Bytes::new()),
        Place::Question => match &call.answering.id {
            Some(id) => Passed::Last(instead(refusal.instead(&call, id))),
            // Nobody who listens waits for an answer.
            None => Passed::On(Bytes::new()),
        },
    }
}

impl Source for Guarded {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.out.is_empty() {
            if let Some(judging) = &mut self.judging {
                let passed = ready!(judging.as_mut().poll(cx));
                self.judging = None;
                self.out = match passed {
                    Passed::On(out) => out,
                    Passed::Last(out) => {
                        self.body = Body::empty();
                        self.rest.clear();
                        self.cut = None;
                        out
                    }
                };
            } else if !self.take()? {
                if self.ended {
                    break;
                }
                let chunk = ready!(self.body.poll_chunk(cx))?;
                self.ended = chunk.is_empty();
                self.rest.extend_from_slice(&chunk);
            }
        }
        Poll::Ready(Ok(&self.out))
    }

    fn consume(&mut self, n: usize) {
        bytes::Buf::advance(&mut self.out, n);
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        if let Err(fault) = ready!(self.poll_fill(cx)) {
            return Poll::Ready(Err(fault));
        }
        Poll::Ready(Ok(std::mem::take(&mut self.out)))
    }
}
