//! Answers that come coded although nobody asked for it (RFC 9110 §8.4): what is to be read is decoded, and goes on so.

mod decoder;

use bytes::Bytes;
use decoder::{Decoder, Step};
use std::task::{Context, Poll, ready};
use trilithon_flow::limits::{MAX_CODED_GROWTH, MAX_MODEL_ANSWER};
use trilithon_flow::{Body, Fault, FaultKind, Headers, Known, Response, Source};

/// Codings that one answer may have upon each other.
const MAX_CODINGS: usize = 3;
/// Bytes that are decoded at a time.
const ROOM: usize = 16 * 1024;

/// The answer without its codings. One with a coding that is not known, and a part of one, stays as it is.
pub fn decoded(mut res: Response) -> Response {
    if res.body.is_empty() || res.status == 206 {
        return res;
    }
    let Some(decoders) = decoders(&res.headers).filter(|decoders| !decoders.is_empty()) else {
        return res;
    };
    for name in [
        "Content-Encoding",
        "Content-Length",
        "ETag",
        "Content-MD5",
        "Content-Digest",
    ] {
        res.headers.remove(name);
    }
    // The last one was put on last.
    for decoder in decoders.into_iter().rev() {
        res.body = Body::from_source(Decoded {
            inner: res.body.take(),
            decoder,
            out: vec![0; ROOM].into(),
            filled: 0,
            sent: 0,
            taken: 0,
            given: 0,
            state: State::Open,
        });
    }
    res
}

/// A decoder for each coding, in the order that they were put on; `None` where one is not known, or where there are too many.
fn decoders(headers: &Headers) -> Option<Vec<Decoder>> {
    let mut decoders = Vec::new();
    for line in headers.get_all(Known::ContentEncoding.name().as_bytes()) {
        for name in String::from_utf8_lossy(line).split(',').map(str::trim) {
            match Decoder::of(name) {
                Some(decoder) => decoders.push(decoder),
                None if name.is_empty() || name.eq_ignore_ascii_case("identity") => {}
                None => return None,
            }
        }
    }
    (decoders.len() <= MAX_CODINGS).then_some(decoders)
}

struct Decoded {
    inner: Body,
    decoder: Decoder,
    out: Box<[u8]>,
    /// Of `out`: what was decoded, and what of that went on.
    filled: usize,
    sent: usize,
    /// Bytes of the coded body, and of what it became.
    taken: u64,
    given: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// More may come of what was taken.
    Full,
    Ended,
}

impl Decoded {
    /// Decodes on. Ready when there is something, or nothing more to come.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        (self.filled, self.sent) = (0, 0);
        if self.state == State::Full {
            let step = self.decoder.step(&[], &mut self.out)?;
            self.took(step);
            if self.filled > 0 {
                return Poll::Ready(self.bounded());
            }
        }
        while self.filled == 0 && self.state != State::Ended {
            let input = ready!(self.inner.poll_fill(cx))?;
            if input.is_empty() {
                if !self.decoder.may_end() {
                    return Poll::Ready(Err(Fault::new(
                        FaultKind::Broken,
                        "the answer ends within its coding",
                    )));
                }
                self.state = State::Ended;
                break;
            }
            let step = self.decoder.step(input, &mut self.out)?;
            if step.read == 0 && step.written == 0 {
                return Poll::Ready(Err(Fault::new(
                    FaultKind::Malformed,
                    "something follows the coded answer",
                )));
            }
            self.inner.consume(step.read);
            self.took(step);
        }
        Poll::Ready(self.bounded())
    }

    fn took(&mut self, step: Step) {
        self.taken += step.read as u64;
        self.given += step.written as u64;
        self.filled = step.written;
        self.state = match step.written == self.out.len() {
            true => State::Full,
            false => State::Open,
        };
    }

    /// A few bytes may not become endlessly many.
    fn bounded(&self) -> Result<(), Fault> {
        let most = MAX_MODEL_ANSWER as u64 + self.taken.saturating_mul(MAX_CODED_GROWTH);
        match self.given <= most {
            true => Ok(()),
            false => Err(Fault::new(
                FaultKind::Malformed,
                "the coded answer grows too much",
            )),
        }
    }
}

impl Source for Decoded {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if self.sent == self.filled && self.state != State::Ended {
            ready!(self.poll_more(cx))?;
        }
        Poll::Ready(Ok(&self.out[self.sent..self.filled]))
    }

    fn consume(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.filled);
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.inner.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = Bytes::copy_from_slice(ready!(self.poll_fill(cx))?);
        self.consume(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

#[cfg(test)]
mod tests;
