//! A body of which the beginning was already read: that beginning, then the rest as it comes.

use bytes::{Buf, Bytes};
use std::task::{Context, Poll};
use trilithon_flow::{Body, Fault, Headers, Source};

/// Puts `prefix` back in front of `rest`.
pub fn prefixed(prefix: Bytes, rest: Body) -> Body {
    if prefix.is_empty() {
        rest
    } else {
        Body::from_source(Prefixed { prefix, rest })
    }
}

struct Prefixed {
    prefix: Bytes,
    rest: Body,
}

impl Source for Prefixed {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if self.prefix.is_empty() {
            self.rest.poll_fill(cx)
        } else {
            Poll::Ready(Ok(&self.prefix))
        }
    }
    fn consume(&mut self, n: usize) {
        if self.prefix.is_empty() {
            self.rest.consume(n)
        } else {
            self.prefix.advance(n)
        }
    }
    fn length(&self) -> Option<u64> {
        self.rest.length().map(|n| n + self.prefix.len() as u64)
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.rest.trailers()
    }
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        if self.prefix.is_empty() {
            self.rest.poll_chunk(cx)
        } else {
            Poll::Ready(Ok(std::mem::take(&mut self.prefix)))
        }
    }
}

/// What [`read_up_to`] found.
pub enum Beginning {
    /// The whole body, and its trailers.
    Whole(Bytes, Option<Headers>),
    /// More than was asked for; what was read stands in front again.
    Larger(Body),
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// What the body's source failed with.
pub async fn read_up_to(mut body: Body, limit: u64) -> Result<Beginning, Fault> {
    if body.length().is_some_and(|n| n > limit) {
        return Ok(Beginning::Larger(body));
    }
    let mut read = bytes::BytesMut::new();
    while let Some(chunk) = body.chunk().await.transpose()? {
        read.extend_from_slice(&chunk);
        if read.len() as u64 > limit {
            return Ok(Beginning::Larger(prefixed(read.freeze(), body)));
        }
    }
    Ok(Beginning::Whole(read.freeze(), body.trailers()))
}

/// Throws away what a body has at hand, without waiting for more: the connection behind a short answer can then be used
/// again, and a long one is cut.
pub fn discard(mut body: Body) {
    let mut left = trilithon_flow::limits::DRAIN_BYTES as usize;
    let mut cx = Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(Ok(bytes)) = body.poll_fill(&mut cx) {
        let n = bytes.len();
        if n == 0 || n > left {
            return;
        }
        left -= n;
        body.consume(n);
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{Act, Script};
    use super::super::testing::block_on;
    use super::*;

    fn script() -> Body {
        Script::new([Act::Data(b"ab"), Act::Pause, Act::Data(b"cd")])
            .trailers(&[("x", "y")])
            .body()
    }

    #[test]
    fn reading_up_to_a_limit() {
        let check = |limit: u64, whole: bool| {
            let read = block_on(read_up_to(script(), limit)).expect("not broken");
            assert_eq!(matches!(read, Beginning::Whole(..)), whole, "limit {limit}");
            let (all, trailers) = match read {
                Beginning::Whole(all, trailers) => (all, trailers),
                Beginning::Larger(mut body) => {
                    (block_on(body.collect(9)).expect("not broken"), body.trailers())
                }
            };
            assert_eq!(&all[..], b"abcd");
            assert_eq!(trailers.expect("kept").get_str("x"), Some("y"));
        };
        check(4, true);
        check(3, false);
        check(0, false);
        let broken = Script::new([
            Act::Data(b"a"),
            Act::Fail(Fault::new(trilithon_flow::FaultKind::ClientGone, "gone")),
        ]);
        assert!(block_on(read_up_to(broken.body(), 9)).is_err());
        let long = Script::new([Act::Fail(Fault::new(
            trilithon_flow::FaultKind::Internal,
            "must not be read",
        ))])
        .length(5);
        assert!(
            matches!(block_on(read_up_to(long.body(), 4)), Ok(Beginning::Larger(_))),
            "a declared length decides"
        );
    }

    #[test]
    fn the_length_counts_both_parts() {
        let body = prefixed(Bytes::from_static(b"ab"), Body::from("cde"));
        assert_eq!(body.length(), Some(5));
    }
}
