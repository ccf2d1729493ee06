//! The body of a gRPC-Web answer: gRPC's messages, then the trailers as a frame of their own, all of it in base64 if asked.

use super::Form;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::task::{Context, Poll, ready};
use trilithon_flow::{Body, Fault, Headers, Source};

/// Bytes that are put into base64 at once.
const PIECE: usize = 12 * 1024;
/// The bit that tells a frame of trailers from a message.
const TRAILER_BIT: u8 = 0x80;

/// `inner` with its trailers at the end, those left out that stand in the answer's head already.
pub fn framed(inner: Body, form: Form, head: &Headers) -> Body {
    let told = head.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    Body::from_source(Framed {
        inner,
        form,
        told,
        out: Vec::new(),
        sent: 0,
        ended: false,
    })
}

struct Framed {
    inner: Body,
    form: Form,
    /// Names in the head, in lower case.
    told: Vec<Vec<u8>>,
    /// What was made here: base64, or the last frame.
    out: Vec<u8>,
    sent: usize,
    ended: bool,
}

impl Framed {
    /// The frame of trailers: names in lower case, in order of their names.
    fn last_frame(&mut self) -> Vec<u8> {
        let trailers = self.inner.trailers().unwrap_or_default();
        let mut lines: Vec<(Vec<u8>, &[u8])> = trailers
            .iter()
            .map(|(n, v)| (n.to_ascii_lowercase(), v))
            .collect();
        lines.retain(|(name, _)| !self.told.contains(name));
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        let text: Vec<u8> = lines
            .iter()
            .flat_map(|(n, v)| [&n[..], b": ", v, b"\r\n"].concat())
            .collect();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        [&[TRAILER_BIT], &length.to_be_bytes()[..], &text].concat()
    }

    fn end(&mut self) {
        self.ended = true;
        let frame = self.last_frame();
        self.out = match self.form {
            Form::Binary => frame,
            Form::Text => STANDARD.encode(frame).into_bytes(),
        };
    }
}

impl Source for Framed {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
        if self.out.is_empty() && !self.ended {
            let input = ready!(self.inner.poll_fill(cx))?;
            if input.is_empty() {
                self.end();
            } else if self.form == Form::Text {
                let n = input.len().min(PIECE);
                self.out = STANDARD.encode(&input[..n]).into_bytes();
                self.inner.consume(n);
            } else {
                // Lent once more, because the first loan cannot outlive the question whether it was the end.
                return self.inner.poll_fill(cx);
            }
        }
        Poll::Ready(Ok(&self.out[self.sent..]))
    }
    fn consume(&mut self, n: usize) {
        if self.out.is_empty() {
            self.inner.consume(n)
        } else {
            self.sent += n
        }
    }
    fn length(&self) -> Option<u64> {
        None
    }
}
