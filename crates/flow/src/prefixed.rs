//! A body of which the beginning was already read: that beginning, then the rest as it comes.

use crate::{Body, Fault, Headers, Source};
use bytes::{Buf, Bytes, BytesMut};
use std::task::{Context, Poll};

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
    let mut read = BytesMut::new();
    while let Some(chunk) = body.chunk().await.transpose()? {
        read.extend_from_slice(&chunk);
        if read.len() as u64 > limit {
            return Ok(Beginning::Larger(prefixed(read.freeze(), body)));
        }
    }
    Ok(Beginning::Whole(read.freeze(), body.trailers()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultKind;
    use std::collections::VecDeque;
    use std::future::Future;
    use std::pin::pin;
    use std::task::Waker;

    /// Gives its pieces one by one, and waits for nothing.
    struct Pieces {
        pieces: VecDeque<Result<&'static str, Fault>>,
        length: Option<u64>,
    }

    impl Source for Pieces {
        fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
            Poll::Ready(match self.pieces.front() {
                Some(Ok(piece)) => Ok(piece.as_bytes()),
                Some(Err(fault)) => Err(fault.clone()),
                None => Ok(&[]),
            })
        }
        fn consume(&mut self, _: usize) {
            self.pieces.pop_front();
        }
        fn length(&self) -> Option<u64> {
            self.length
        }
        fn trailers(&mut self) -> Option<Headers> {
            Some([("x", "y")].into_iter().collect())
        }
    }

    fn pieces(pieces: impl IntoIterator<Item = Result<&'static str, Fault>>, length: Option<u64>) -> Body {
        let pieces = pieces.into_iter().collect();
        Body::from_source(Pieces { pieces, length })
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    #[test]
    fn reading_up_to_a_limit() {
        let check = |limit: u64, whole: bool| {
            let body = pieces([Ok("ab"), Ok("cd")], None);
            let read = now(read_up_to(body, limit)).expect("not broken");
            assert_eq!(matches!(read, Beginning::Whole(..)), whole, "limit {limit}");
            let (all, trailers) = match read {
                Beginning::Whole(all, trailers) => (all, trailers),
                Beginning::Larger(mut body) => (now(body.collect(9)).expect("not broken"), body.trailers()),
            };
            assert_eq!(&all[..], b"abcd");
            assert_eq!(trailers.expect("kept").get_str("x"), Some("y"));
        };
        check(4, true);
        check(3, false);
        check(0, false);
        let gone = Fault::new(FaultKind::ClientGone, "gone");
        assert!(now(read_up_to(pieces([Ok("a"), Err(gone)], None), 9)).is_err());
        let unread = Fault::new(FaultKind::Internal, "must not be read");
        assert!(
            matches!(
                now(read_up_to(pieces([Err(unread)], Some(5)), 4)),
                Ok(Beginning::Larger(_))
            ),
            "a declared length decides"
        );
    }

    #[test]
    fn the_length_counts_both_parts() {
        let body = prefixed(Bytes::from_static(b"ab"), Body::from("cde"));
        assert_eq!(body.length(), Some(5));
    }
}
