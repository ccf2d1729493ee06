//! A body in base64, decoded as it is read. Every message may have been padded on its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::task::{Context, Poll, ready};
use trilithon_flow::{Body, Fault, FaultKind, Headers, Source};

/// The bytes that `inner` writes in base64.
pub fn decoded(inner: Body) -> Body {
    Body::from_source(Decoded {
        inner,
        quad: Vec::with_capacity(4),
        out: Vec::new(),
        sent: 0,
    })
}

struct Decoded {
    inner: Body,
    /// Characters that are not four yet.
    quad: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
}

impl Decoded {
    fn decode(quad: &mut Vec<u8>, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        for &byte in input.iter().filter(|b| !matches!(b, b'\r' | b'\n')) {
            quad.push(byte);
            if quad.len() == 4 {
                STANDARD
                    .decode_vec(&*quad, out)
                    .map_err(|_| broken("body is not base64"))?;
                quad.clear();
            }
        }
        Ok(())
    }
}

fn broken(why: &'static str) -> Fault {
    Fault::new(FaultKind::ClientGone, why)
}

impl Source for Decoded {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
            let input = ready!(self.inner.poll_fill(cx))?;
            if input.is_empty() {
                return Poll::Ready(if self.quad.is_empty() {
                    Ok(&[])
                } else {
                    Err(broken("base64 is cut off"))
                });
            }
            Self::decode(&mut self.quad, input, &mut self.out)?;
            let n = input.len();
            self.inner.consume(n);
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
    use super::super::super::testing::block_on;
    use super::*;

    #[test]
    fn pieces_of_any_size() {
        let check = |text: &'static str, want: Option<&str>| {
            for size in 1..=text.len().max(1) {
                let acts = text
                    .as_bytes()
                    .chunks(size)
                    .flat_map(|c| [Act::Pause, Act::Data(c)]);
                let got = block_on(decoded(Script::new(acts).body()).collect(1 << 20)).ok();
                assert_eq!(
                    got.as_deref(),
                    want.map(str::as_bytes),
                    "{text} in pieces of {size}"
                );
            }
        };
        check("", Some(""));
        check("bXNnMQ==", Some("msg1"));
        check("bXNnMQ==bXNn\r\nbXNnMjI=", Some("msg1msgmsg22"));
        check("bXNnMQ=", None);
        check("bX!n", None);
        check("b=Nn", None);
    }
}
