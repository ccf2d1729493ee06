//! A stream of events on its way from the model: each is looked at and goes on whole, and a stream that breaks off ends with
//! what whoever looks at it says.
//!
//! Bytes of an event wait for its end: a client could do nothing with them before, and could not be told of an error after
//! half of one.

use super::silence::Silence;
use super::watch::Look;
use bytes::{Buf, Bytes, BytesMut};
use std::task::{Context, Poll, ready};
use trilithon_flow::limits::MAX_MODEL_EVENT;
use trilithon_flow::{Body, Fault, Headers, Source};
use trilithon_wire::sse::Frames;

/// The same stream, looked at.
pub fn body(mut body: Body, mut look: impl Look) -> Body {
    // One that is at hand is the gateway's own, or as good: it cannot break off any more.
    if let Some(bytes) = body.bytes() {
        Cut::default().see(bytes, true, &mut look);
        return match look.end(None) {
            Ok(more) if more.is_empty() => body,
            Ok(more) => {
                let bytes = body.take().bytes().cloned().unwrap_or_default();
                Body::from(Bytes::from([&bytes[..], &more].concat()))
            }
            Err(_) => body,
        };
    }
    let silence = Silence::new(look.patience());
    Body::from_source(Relay {
        body,
        look,
        silence,
        cut: Cut::default(),
        passing: 0,
        rest: BytesMut::new(),
        own: Bytes::new(),
        is_over: false,
    })
}

/// Cuts a stream into events and shows them. After one that is too large nothing is shown any more, and nothing waits.
struct Cut(Option<Frames>);

impl Default for Cut {
    fn default() -> Cut {
        Cut(Some(Frames::new(MAX_MODEL_EVENT)))
    }
}

impl Cut {
    /// Shows the whole events at the beginning of `bytes`, and once the stream has `ended` what is left behind them; how many
    /// bytes may go on.
    fn see(&mut self, bytes: &[u8], ended: bool, look: &mut impl Look) -> usize {
        let mut used = 0;
        while let Some(frames) = &mut self.0 {
            let raw = &bytes[used..];
            match frames.next_or_rest(raw, ended) {
                Ok(Some(frame)) => {
                    look.event(&frame.data(raw));
                    used += frame.len;
                }
                Ok(None) => return used,
                Err(_) => self.0 = None,
            }
        }
        bytes.len()
    }
}

struct Relay<L> {
    body: Body,
    look: L,
    silence: Silence,
    cut: Cut,
    /// Of the bytes that the body lends: those that go on.
    passing: usize,
    /// The beginning of an event whose end has not come.
    rest: BytesMut,
    /// What goes on and is not the body's any more.
    own: Bytes,
    is_over: bool,
}

impl<L: Look> Relay<L> {
    /// Goes on until something may be passed on, or the stream is over.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while self.passing == 0 && self.own.is_empty() && !self.is_over {
            let lent = match ready!(self.silence.heard(self.body.poll_fill(cx), cx)) {
                Ok([]) => {
                    self.end(None)?;
                    break;
                }
                Ok(lent) => lent,
                Err(fault) => {
                    self.end(Some(fault))?;
                    break;
                }
            };
            if self.rest.is_empty() {
                self.passing = self.cut.see(lent, false, &mut self.look);
                if self.passing > 0 {
                    break;
                }
            }
            self.rest.extend_from_slice(lent);
            let n = lent.len();
            self.body.consume(n);
            let whole = self.cut.see(&self.rest, false, &mut self.look);
            self.own = self.rest.split_to(whole).freeze();
        }
        Poll::Ready(Ok(()))
    }

    /// The stream has ended, or broke off. Half an event goes on only where nothing is said behind it.
    fn end(&mut self, broke: Option<Fault>) -> Result<(), Fault> {
        self.is_over = true;
        let rest = self.rest.split().freeze();
        if self.cut.0.is_none() {
            return broke.map_or(Ok(()), Err);
        }
        if broke.is_none() {
            self.cut.see(&rest, true, &mut self.look);
        }
        self.own = self.look.end(broke)?;
        if self.own.is_empty() {
            self.own = rest;
        }
        Ok(())
    }
}

impl<L: Look> Source for Relay<L> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        ready!(self.step(cx))?;
        if self.passing == 0 {
            return Poll::Ready(Ok(&self.own));
        }
        let lent = ready!(self.body.poll_fill(cx))?;
        Poll::Ready(Ok(&lent[..self.passing.min(lent.len())]))
    }

    fn consume(&mut self, n: usize) {
        if self.passing == 0 {
            self.own.advance(n);
        } else {
            self.body.consume(n);
            self.passing -= n;
        }
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        ready!(self.step(cx))?;
        if self.passing == 0 {
            return Poll::Ready(Ok(std::mem::take(&mut self.own)));
        }
        let mut chunk = ready!(self.body.poll_chunk(cx))?;
        let rest = chunk.split_off(self.passing.min(chunk.len()));
        self.rest.extend_from_slice(&rest);
        self.passing = 0;
        Poll::Ready(Ok(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kit::{Act, Script};
    use super::super::super::testing::block_on;
    use super::*;
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::rc::Rc;
    use trilithon_flow::FaultKind;

    /// Remembers what it was shown; a stream is whole once `z` came.
    struct Seeing(Rc<RefCell<Vec<String>>>);

    impl Look for Seeing {
        fn event(&mut self, data: &[u8]) {
            self.0
                .borrow_mut()
                .push(String::from_utf8_lossy(data).into_owned());
        }
        fn whole(&mut self, _: &[u8]) {}
        fn end(&mut self, _: Option<Fault>) -> Result<Bytes, Fault> {
            let is_whole = self.0.borrow().iter().any(|data| data == "z");
            Ok(if is_whole { Bytes::new() } else { "END".into() })
        }
    }

    fn check(acts: Vec<Act>, want: &str, shown: &str) {
        let script = || {
            acts.iter().map(|act| match act {
                Act::Data(data) => Act::Data(data),
                Act::Fail(fault) => Act::Fail(fault.clone()),
                Act::Pause => Act::Pause,
                Act::End => Act::End,
            })
        };
        for chunks in [false, true] {
            let seen = Rc::default();
            let mut body = super::body(Script::new(script()).body(), Seeing(Rc::clone(&seen)));
            let mut got = Vec::new();
            block_on(async {
                loop {
                    let piece = poll_fn(|cx| {
                        if chunks {
                            return body.poll_chunk(cx).map(|c| c.unwrap().to_vec());
                        }
                        // A byte at a time: what was lent is lent again.
                        let piece = body.poll_fill(cx).map(|lent| lent.unwrap()[..].to_vec());
                        piece.map(|p| p[..p.len().min(1)].to_vec())
                    })
                    .await;
                    if !chunks {
                        body.consume(piece.len());
                    }
                    if piece.is_empty() {
                        return;
                    }
                    got.extend(piece);
                }
            });
            assert_eq!(String::from_utf8_lossy(&got), want, "{chunks}");
            assert_eq!(seen.borrow().join(","), shown, "{chunks}");
        }
    }

    fn cut() -> Act {
        Act::Fail(Fault::new(FaultKind::Broken, "cut"))
    }

    #[test]
    fn events_go_on_whole() {
        let stream: &[u8] = b"data: a\n\n: c\r\n\r\nevent: x\ndata: z\n\n";
        for at in 0..=stream.len() {
            let (first, rest) = stream.split_at(at);
            let pieces = [first, rest].into_iter().filter(|p| !p.is_empty());
            let acts = pieces.flat_map(|p| [Act::Data(p), Act::Pause]).collect();
            check(acts, std::str::from_utf8(stream).unwrap(), "a,,z");
        }
    }

    #[test]
    fn what_breaks_off_is_ended() {
        check(vec![Act::Data(b"data: a\n\n"), cut()], "data: a\n\nEND", "a");
        check(
            vec![Act::Data(b"data: a\n\ndata: b"), cut()],
            "data: a\n\nEND",
            "a",
        );
        check(vec![Act::Data(b"data: a\n\n")], "data: a\n\nEND", "a");
        check(vec![cut()], "END", "");
        check(vec![], "END", "");
        check(vec![Act::Data(b"data: z\n\n"), cut()], "data: z\n\n", "z");
        check(vec![Act::Data(b"data: z")], "data: z", "z");
    }

    #[test]
    fn what_is_at_hand_stays_as_it_is() {
        let check = |stream: &'static str, want: &str| {
            let seen = Rc::default();
            let body = super::body(Body::from(stream), Seeing(Rc::clone(&seen)));
            assert_eq!(body.bytes().map(|b| &b[..]), Some(want.as_bytes()));
        };
        check("data: a\n\ndata: z\n\n", "data: a\n\ndata: z\n\n");
        check("data: a\n\n", "data: a\n\nEND");
    }
}
