//! A stream of server-sent events of which single ones are changed or left out. All others go on as they came.

use bytes::Bytes;
use std::task::{Context, Poll, ready};
use trilithon_flow::{Body, Fault, Headers, Source};
use trilithon_wire::sse::{Frame, Frames};

/// What becomes of events.
pub trait Sieve: 'static {
    /// Bytes of the largest event that is read.
    const MAX_EVENT: usize;

    /// Writes what goes on of one event; `raw` is all of it.
    fn event(&mut self, raw: &[u8], frame: &Frame, out: &mut Vec<u8>);

    /// One is larger: it and all that follows goes on unread.
    ///
    /// # Errors
    /// What cannot be read may not go on.
    fn too_large(&mut self) -> Result<(), Fault>;
}

/// The stream as `sieve` lets it through.
pub fn body<S: Sieve>(body: Body, sieve: S) -> Body {
    Body::from_source(Sieved {
        body,
        sieve,
        cut: Some(Frames::new(S::MAX_EVENT)),
        held: Vec::new(),
        ready: Vec::new(),
        sent: 0,
        ended: false,
    })
}

struct Sieved<S> {
    body: Body,
    sieve: S,
    /// `None` once nothing is read any more.
    cut: Option<Frames>,
    /// What came and is not cut into events yet.
    held: Vec<u8>,
    /// What may be sent, from `sent` on.
    ready: Vec<u8>,
    sent: usize,
    ended: bool,
}

impl<S: Sieve> Sieved<S> {
    /// Moves whole events from what is held to what may be sent.
    fn sort(&mut self) -> Result<(), Fault> {
        let mut used = 0;
        while let Some(cut) = &mut self.cut {
            let rest = &self.held[used..];
            match cut.next_or_rest(rest, self.ended) {
                Ok(Some(frame)) => {
                    self.sieve.event(&rest[..frame.len], &frame, &mut self.ready);
                    used += frame.len;
                }
                Ok(None) => break,
                Err(_) => {
                    self.sieve.too_large()?;
                    self.cut = None;
                }
            }
        }
        if self.cut.is_none() {
            self.ready.extend_from_slice(&self.held[used..]);
            used = self.held.len();
        }
        self.held.drain(..used);
        Ok(())
    }
}

impl<S: Sieve> Source for Sieved<S> {
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

#[cfg(test)]
mod tests {
    use super::super::kit::{Act, Script};
    use super::super::testing::block_on;
    use super::*;
    use trilithon_flow::FaultKind;

    /// Takes out what says `no`.
    struct Sift {
        is_strict: bool,
    }

    impl Sieve for Sift {
        const MAX_EVENT: usize = 20;

        fn event(&mut self, raw: &[u8], frame: &Frame, out: &mut Vec<u8>) {
            if frame.data(raw).as_ref() != b"no" {
                out.extend_from_slice(raw);
            }
        }

        fn too_large(&mut self) -> Result<(), Fault> {
            match self.is_strict {
                true => Err(Fault::new(FaultKind::TooLarge, "too large")),
                false => Ok(()),
            }
        }
    }

    fn check(stream: &'static str, is_strict: bool, want: Result<&str, FaultKind>) {
        for at in 0..=stream.len() {
            let (first, rest) = stream.as_bytes().split_at(at);
            let pieces = [first, rest].into_iter().filter(|p| !p.is_empty());
            let mut sieved = body(Script::new(pieces.map(Act::Data)).body(), Sift { is_strict });
            let got = block_on(sieved.collect(1 << 20));
            let got = got.map(|b| String::from_utf8_lossy(&b).into_owned());
            assert_eq!(got.map_err(|f| f.kind), want.map(str::to_owned), "cut at {at}");
        }
    }

    #[test]
    fn events_go_on_whole_or_not_at_all() {
        check("", false, Ok(""));
        check(
            "data: a\n\ndata: no\n\n: b\r\n\r\n",
            false,
            Ok("data: a\n\n: b\r\n\r\n"),
        );
        check("data: a\n\ndata: no", true, Ok("data: a\n\n"));
    }

    #[test]
    fn what_is_too_large_goes_on_unread_or_ends_the_stream() {
        let stream = "data: no\n\ndata: much too large for it\n\ndata: no\n\n";
        check(stream, false, Ok("data: much too large for it\n\ndata: no\n\n"));
        check(stream, true, Err(FaultKind::TooLarge));
    }
}
