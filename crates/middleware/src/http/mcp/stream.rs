//! Lists in a stream of events: each event is passed on as it came, but for one that holds a list with something hidden in it.

use super::listing::Listing;
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Fault, FaultKind, Headers, Source};
use trilithon_wire::sse::{Frame, Frames};

/// A stream without what is hidden.
pub struct Shortened {
    body: Body,
    listing: Listing,
    cut: Frames,
    /// What came and is not cut into events yet.
    held: Vec<u8>,
    /// What may be sent, from `sent` on.
    ready: Vec<u8>,
    sent: usize,
    ended: bool,
}

impl Shortened {
    pub fn new(body: Body, listing: Listing) -> Shortened {
        Shortened {
            body,
            listing,
            cut: Frames::new(MAX_MCP_ANSWER),
            held: Vec::new(),
            ready: Vec::new(),
            sent: 0,
            ended: false,
        }
    }

    /// Moves whole events from what is held to what may be sent.
    fn sort(&mut self) -> Result<(), Fault> {
        let mut used = 0;
        loop {
            let rest = &self.held[used..];
            let next = match self.cut.next(rest) {
                Ok(None) if self.ended => self.cut.rest(rest),
                next => next,
            };
            let too_long = |_| {
                Fault::new(
                    FaultKind::TooLarge,
                    "an event of the server's stream is too large to be read",
                )
            };
            let Some(frame) = next.map_err(too_long)? else {
                break;
            };
            let raw = &rest[..frame.len];
            pass(&self.listing, raw, &frame, &mut self.ready);
            used += frame.len;
        }
        self.held.drain(..used);
        Ok(())
    }
}

/// Writes an event as it may be sent.
fn pass(listing: &Listing, raw: &[u8], frame: &Frame, out: &mut Vec<u8>) {
    // Clients take messages from events of this name only.
    let is_message = frame.has_data() && frame.event(raw).is_none_or(|event| event == b"message");
    if !is_message || !may_list(raw) {
        return out.extend_from_slice(raw);
    }
    match listing.without(&frame.data(raw)) {
        Ok(None) => out.extend_from_slice(raw),
        Ok(Some(shorter)) => out.extend_from_slice(&frame.with_data(raw, &shorter)),
        Err(why) if listing.is_strict() => {
            tracing::warn!(%why, "an event of an MCP server may hold a list and cannot be read; it is left out");
        }
        Err(_) => out.extend_from_slice(raw),
    }
}

/// Whether an event may hold a list: it names one, or could name it in escapes.
fn may_list(raw: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] = [
        b"\"tools\"",
        b"\"prompts\"",
        b"\"resources\"",
        b"\"resourceTemplates\"",
        b"\\u",
    ];
    let has = |name: &[u8]| raw.windows(name.len()).any(|w| w.eq_ignore_ascii_case(name));
    !raw.is_ascii() || NAMES.iter().any(|name| has(name))
}

impl Source for Shortened {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.sent == self.ready.len() {
            self.ready.clear();
            self.sent = 0;
            if self.ended {
                return Poll::Ready(Ok(&[]));
            }
            let lent = ready!(self.body.poll_fill(cx))?;
            let n = lent.len();
            self.held.extend_from_slice(lent);
            self.body.consume(n);
            self.ended = n == 0;
            self.sort()?;
        }
        Poll::Ready(Ok(&self.ready[self.sent..]))
    }

    fn consume(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.ready.len());
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
