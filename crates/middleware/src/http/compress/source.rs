//! A body that is compressed as it is read.

use super::codec::{Coding, Encoder};
use std::task::{Context, Poll};
use trilithon_flow::{Body, Fault, Headers, Source};

/// `inner` in this coding. With `flush`, everything read so far is sent on when `inner` pauses.
pub fn compressed(inner: Body, coding: Coding, flush: bool) -> Body {
    let out = Vec::new();
    Body::from_source(Compressed {
        inner,
        state: State::New(coding),
        flush,
        dirty: false,
        out,
        sent: 0,
    })
}

enum State {
    /// The encoder is made for the first byte: an answer that is never read needs none.
    New(Coding),
    Running(Encoder),
    Ended,
}

struct Compressed {
    inner: Body,
    state: State,
    flush: bool,
    /// The encoder holds something that did not come out yet.
    dirty: bool,
    out: Vec<u8>,
    /// Bytes of `out` that were consumed.
    sent: usize,
}

impl Compressed {
    fn encoder(state: &mut State) -> Result<Option<&mut Encoder>, Fault> {
        if let State::New(coding) = state {
            *state = State::Running(Encoder::new(*coding)?);
        }
        match state {
            State::Running(encoder) => Ok(Some(encoder)),
            _ => Ok(None),
        }
    }

    /// Reads on. Ready when there is output, or nothing more to come.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let Poll::Ready(input) = self.inner.poll_fill(cx) else {
            return self.pause();
        };
        let input = input?;
        if input.is_empty() {
            Self::encoder(&mut self.state)?;
            if let State::Running(encoder) = std::mem::replace(&mut self.state, State::Ended) {
                encoder.finish(&mut self.out)?;
            }
            return Poll::Ready(Ok(()));
        }
        let n = input.len();
        if let Some(encoder) = Self::encoder(&mut self.state)? {
            encoder.write(input, &mut self.out)?;
        }
        self.inner.consume(n);
        self.dirty = true;
        Poll::Ready(Ok(()))
    }

    fn pause(&mut self) -> Poll<Result<(), Fault>> {
        if !(self.flush && self.dirty) {
            return Poll::Pending;
        }
        self.dirty = false;
        if let Some(encoder) = Self::encoder(&mut self.state)? {
            encoder.flush(&mut self.out)?;
        }
        if self.out.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

impl Source for Compressed {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
        while self.out.is_empty() && !matches!(self.state, State::Ended) {
            match self.poll_more(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(&self.out[self.sent..]))
    }
    fn consume(&mut self, n: usize) {
        self.sent += n;
    }
    fn length(&self) -> Option<u64> {
        None
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.inner.trailers()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kit::{Act, Script};
    use super::super::codec::tests::decode;
    use super::*;

    /// What can be decoded after each poll, up to a pause.
    fn polls(coding: Coding, flush: bool, acts: Vec<Act>) -> (Vec<String>, Body) {
        let mut body = compressed(Script::new(acts).trailers(&[("x", "y")]).body(), coding, flush);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let (mut all, mut seen) = (Vec::new(), Vec::new());
        loop {
            match body.poll_fill(&mut cx) {
                Poll::Pending => seen.push("pause".to_owned()),
                Poll::Ready(Err(fault)) => {
                    seen.push(format!("{:?}", fault.kind));
                    return (seen, body);
                }
                Poll::Ready(Ok([])) => return (seen, body),
                Poll::Ready(Ok(bytes)) => {
                    all.extend_from_slice(bytes);
                    let n = bytes.len();
                    body.consume(n);
                    let text = String::from_utf8_lossy(&decode(coding.name(), &all)).into_owned();
                    seen.push(text.split(" [").next().unwrap_or_default().to_owned());
                }
            }
        }
    }

    #[test]
    fn events_arrive_when_the_server_pauses() {
        let acts = || {
            vec![
                Act::Data(b"one."),
                Act::Data(b"two."),
                Act::Pause,
                Act::Pause,
                Act::Data(b"three."),
                Act::Pause,
            ]
        };
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            let (seen, mut body) = polls(coding, true, acts());
            let at = |text: &str| {
                seen.iter()
                    .position(|s| s == text)
                    .unwrap_or_else(|| panic!("{coding:?} {text} {seen:?}"))
            };
            let pause = at("pause");
            assert!(
                at("one.two.") < pause && pause < at("one.two.three."),
                "{coding:?} {seen:?}"
            );
            assert_eq!(seen.last().map(String::as_str), Some("one.two.three."));
            assert_eq!(body.trailers().expect("kept").get_str("x"), Some("y"));
            let (held, _) = polls(coding, false, acts());
            let first = held.iter().position(|s| s.contains("one.")).expect("in the end");
            assert!(
                held[..first].iter().filter(|s| *s == "pause").count() == 3,
                "{coding:?} {held:?}"
            );
        }
    }

    #[test]
    fn a_broken_body_is_not_ended() {
        let fault = Fault::new(trilithon_flow::FaultKind::Broken, "cut");
        let (seen, _) = polls(Coding::Gzip, true, vec![Act::Data(b"one."), Act::Fail(fault)]);
        assert_eq!(seen.last().map(String::as_str), Some("Broken"));
    }
}
