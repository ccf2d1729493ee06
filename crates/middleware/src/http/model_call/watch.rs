//! Looking at an answer that goes by, event by event or as a whole.

use super::relay;
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use trilithon_flow::limits::MAX_MODEL_ANSWER;
use trilithon_flow::{Body, Fault, Headers, Source};

/// Whoever looks.
pub trait Look: 'static {
    /// The data of one event of a stream.
    fn event(&mut self, data: &[u8]);
    /// A whole answer.
    fn whole(&mut self, body: &[u8]);
    /// How long a stream may be silent before it is taken for broken off; zero: as long as it likes.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
    /// A stream has ended, or broke off. What it gives ends the stream; nothing, if all was said.
    ///
    /// # Errors
    /// The stream is to break off for the client too.
    fn end(&mut self, broke: Option<Fault>) -> Result<Bytes, Fault> {
        broke.map_or(Ok(Bytes::new()), Err)
    }
}

/// The same body, looked at. A whole answer is not changed, and no byte of it waits; one that is at hand is shown at once, and
/// one that is too large is not shown.
pub fn body(body: Body, is_stream: bool, mut look: impl Look) -> Body {
    if is_stream {
        return relay::body(body, look);
    }
    if let Some(bytes) = body.bytes() {
        look.whole(bytes);
        return body;
    }
    Body::from_source(Watched {
        body,
        seen: 0,
        look,
        all: Some(Vec::new()),
    })
}

struct Watched<L> {
    body: Body,
    /// Of the bytes that are lent: those that were looked at.
    seen: usize,
    look: L,
    /// What came so far; `None` after the end, or when it is too large.
    all: Option<Vec<u8>>,
}

/// Shows what was kept, once.
fn show(kept: &mut Option<Vec<u8>>, look: &mut impl Look) {
    if let Some(all) = kept.take() {
        look.whole(&all);
    }
}

/// Adds to what is kept, unless that becomes too large.
fn keep(kept: &mut Option<Vec<u8>>, new: &[u8]) {
    match kept {
        Some(all) if all.len() + new.len() <= MAX_MODEL_ANSWER => all.extend_from_slice(new),
        _ => *kept = None,
    }
}

impl<L: Look> Source for Watched<L> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        let lent = ready!(self.body.poll_fill(cx))?;
        if lent.is_empty() {
            show(&mut self.all, &mut self.look);
        } else if let Some(new) = lent.get(self.seen..).filter(|new| !new.is_empty()) {
            keep(&mut self.all, new);
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
            show(&mut self.all, &mut self.look);
        } else {
            let seen = std::mem::take(&mut self.seen);
            keep(&mut self.all, chunk.get(seen..).unwrap_or_default());
        }
        Poll::Ready(Ok(chunk))
    }
}
