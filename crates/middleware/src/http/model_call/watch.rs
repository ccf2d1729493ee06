//! Looking at an answer that goes by, event by event or as a whole. No byte waits for it, and none is changed.

use super::Tap;
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use trilithon_flow::limits::MAX_MODEL_ANSWER;
use trilithon_flow::{Body, Fault, Headers, Source};

/// Whoever looks.
pub trait Look: 'static {
    /// The data of one event of a stream.
    fn event(&mut self, data: &[u8]);
    /// A whole answer.
    fn whole(&mut self, body: &[u8]);
}

/// The same body, looked at. An answer that is whole already is shown at once; one that is too large is not shown.
pub fn body(body: Body, is_stream: bool, mut look: impl Look) -> Body {
    let reading = if is_stream {
        Reading::Events(Tap::default())
    } else if let Some(bytes) = body.bytes() {
        look.whole(bytes);
        return body;
    } else {
        Reading::Whole(Vec::new())
    };
    Body::from_source(Watched {
        body,
        seen: 0,
        look,
        reading,
    })
}

struct Watched<L> {
    body: Body,
    /// Of the bytes that are lent: those that were looked at.
    seen: usize,
    look: L,
    reading: Reading,
}

enum Reading {
    Events(Tap),
    Whole(Vec<u8>),
    /// It has ended, or is too large.
    Done,
}

impl Reading {
    fn see(&mut self, new: &[u8], look: &mut impl Look) {
        match self {
            Reading::Events(tap) => tap.see(new, |raw, frame| look.event(&frame.data(raw))),
            Reading::Whole(all) if all.len() + new.len() <= MAX_MODEL_ANSWER => all.extend_from_slice(new),
            Reading::Whole(_) => *self = Reading::Done,
            Reading::Done => {}
        }
    }

    fn end(&mut self, look: &mut impl Look) {
        match std::mem::replace(self, Reading::Done) {
            Reading::Events(mut tap) => tap.end(|raw, frame| look.event(&frame.data(raw))),
            Reading::Whole(all) => look.whole(&all),
            Reading::Done => {}
        }
    }
}

impl<L: Look> Source for Watched<L> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        let lent = ready!(self.body.poll_fill(cx))?;
        if lent.is_empty() {
            self.reading.end(&mut self.look);
        } else if let Some(new) = lent.get(self.seen..).filter(|new| !new.is_empty()) {
            self.reading.see(new, &mut self.look);
            self.seen = lent.len();
        }
        Poll::Ready(Ok(lent))
    }

    fn consume(&mut self, n: usize) {
        self.body.consume(n);
        self.seen = self.seen.saturating_sub(n);
    }

    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = ready!(self.body.poll_chunk(cx))?;
        if chunk.is_empty() {
            self.reading.end(&mut self.look);
        } else {
            let seen = std::mem::take(&mut self.seen);
            self.reading
                .see(chunk.get(seen..).unwrap_or_default(), &mut self.look);
        }
        Poll::Ready(Ok(chunk))
    }
}
