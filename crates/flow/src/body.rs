//! Message bodies: nothing, bytes at hand, or a source that lends what it has read.
//!
//! A [`Source`] lends a slice of its own buffer instead of handing over an owned chunk: bytes go from the socket that they
//! are read from to the socket that they are written to through one buffer, and an idle body holds none.

use crate::{Fault, FaultKind, Headers};
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// Where the bytes of a body come from.
pub trait Source {
    /// Lends the bytes that are at hand, reading some if there are none. An empty slice is the end of the body.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>>;
    /// Says that the first `n` lent bytes are done with.
    fn consume(&mut self, n: usize);
    /// Bytes still to come, if it is known.
    fn length(&self) -> Option<u64>;
    /// The trailer section, once the end was reached.
    fn trailers(&mut self) -> Option<Headers> {
        None
    }
    /// Lent bytes as an owned chunk, consumed. A source that owns its bytes need not copy.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = Bytes::copy_from_slice(ready!(self.poll_fill(cx))?);
        self.consume(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

/// The body of a request or a response.
#[derive(Default)]
pub struct Body(Repr);

#[derive(Default)]
enum Repr {
    #[default]
    Empty,
    Bytes(Bytes, Option<Box<Headers>>),
    Source(Box<dyn Source>),
}

impl Body {
    /// No body.
    pub const fn empty() -> Body {
        Body(Repr::Empty)
    }

    /// A body that is read as it is needed.
    pub fn from_source(source: impl Source + 'static) -> Body {
        Body(Repr::Source(Box::new(source)))
    }

    /// Bytes at hand followed by trailers.
    pub fn with_trailers(bytes: Bytes, trailers: Option<Headers>) -> Body {
        Body(Repr::Bytes(bytes, trailers.map(Box::new)))
    }

    /// Whether it is known that nothing (more) will come, trailers included.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Empty => true,
            Repr::Bytes(b, t) => b.is_empty() && t.is_none(),
            Repr::Source(_) => false,
        }
    }

    /// Bytes still to come; `None` when only the end will tell.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Repr::Empty => Some(0),
            Repr::Bytes(b, None) => Some(b.len() as u64),
            Repr::Bytes(_, Some(_)) => None,
            Repr::Source(s) => s.length(),
        }
    }

    /// The whole body if it is at hand.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Bytes(b, None) => Some(b),
            _ => None,
        }
    }

    /// See [`Source::poll_fill`].
    #[inline]
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        match &mut self.0 {
            Repr::Empty => Poll::Ready(Ok(&[])),
            Repr::Bytes(b, _) => Poll::Ready(Ok(b)),
            Repr::Source(s) => s.poll_fill(cx),
        }
    }

    /// See [`Source::consume`].
    #[inline]
    pub fn consume(&mut self, n: usize) {
        match &mut self.0 {
            Repr::Empty => {}
            Repr::Bytes(b, _) => bytes::Buf::advance(b, n),
            Repr::Source(s) => s.consume(n),
        }
    }

    /// See [`Source::poll_chunk`].
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        match &mut self.0 {
            Repr::Empty => Poll::Ready(Ok(Bytes::new())),
            Repr::Bytes(b, _) => Poll::Ready(Ok(std::mem::take(b))),
            Repr::Source(s) => s.poll_chunk(cx),
        }
    }

    /// The next chunk; `None` at the end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Fault>> {
        match poll_fn(|cx| self.poll_chunk(cx)).await {
            Ok(chunk) if chunk.is_empty() => None,
            other => Some(other),
        }
    }

    /// The trailer section, once the end was reached.
    pub fn trailers(&mut self) -> Option<Headers> {
        match &mut self.0 {
            Repr::Empty => None,
            Repr::Bytes(_, t) => t.take().map(|t| *t),
            Repr::Source(s) => s.trailers(),
        }
    }

    /// Reads everything, up to `limit` bytes: more is a [`FaultKind::TooLarge`]. Trailers are kept in the body returned by
    /// [`Body::with_trailers`] only if the caller asks for them.
    pub async fn collect(&mut self, limit: u64) -> Result<Bytes, Fault> {
        let too_large = || Fault::new(FaultKind::TooLarge, format!("body is larger than {limit} bytes"));
        if self.length().is_some_and(|n| n > limit) {
            return Err(too_large());
        }
        let Some(first) = self.chunk().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if first.len() as u64 > limit {
            return Err(too_large());
        }
        let Some(second) = self.chunk().await.transpose()? else {
            return Ok(first);
        };
        let mut all = BytesMut::from(&first[..]);
        all.extend_from_slice(&second);
        loop {
            if all.len() as u64 > limit {
                return Err(too_large());
            }
            match self.chunk().await.transpose()? {
                Some(chunk) => all.extend_from_slice(&chunk),
                None => return Ok(all.freeze()),
            }
        }
    }

    /// Takes the body out, leaving none.
    pub fn take(&mut self) -> Body {
        std::mem::take(self)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        if bytes.is_empty() {
            Body::empty()
        } else {
            Body(Repr::Bytes(bytes, None))
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Body::from(Bytes::from_static(text.as_bytes()))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({:?})", self.length())
    }
}
