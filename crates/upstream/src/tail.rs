//! Things that last as long as a response is under way: a count, a signal.

use bytes::Bytes;
use std::io::{IoSlice, Result as IoResult};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::{Body, Fault, Headers, Io, Response, Source};

/// What is attached to a response. It is dropped when the response is over, however that happens.
pub trait Attached: Unpin + 'static {
    /// The body was read to its end.
    fn complete(&mut self) {}
}

/// Attaches `thing` to the body of `res`, or to the stream of a connection that leaves HTTP.
pub fn attach(res: &mut Response, mut thing: impl Attached) {
    if let Some(upgraded) = &mut res.upgraded {
        let none: Box<dyn Io> = Box::new(tokio::io::empty());
        let io = std::mem::replace(&mut upgraded.io, none);
        upgraded.io = Box::new(HeldIo { io, _thing: thing });
    } else if res.body.bytes().is_some() || res.body.is_empty() {
        thing.complete();
    } else {
        res.body = Body::from_source(Tail {
            body: res.body.take(),
            thing,
            told: false,
        });
    }
}

struct Tail<T: Attached> {
    body: Body,
    thing: T,
    told: bool,
}

impl<T: Attached> Tail<T> {
    fn complete(&mut self) {
        if !self.told {
            self.told = true;
            self.thing.complete();
        }
    }
}

impl<T: Attached> Source for Tail<T> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if ready!(self.body.poll_fill(cx))?.is_empty() {
            self.complete();
            return Poll::Ready(Ok(&[]));
        }
        // Asked again for the borrow checker's sake: what is at hand is lent without reading.
        self.body.poll_fill(cx)
    }
    fn consume(&mut self, n: usize) {
        self.body.consume(n);
    }
    fn length(&self) -> Option<u64> {
        self.body.length()
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = ready!(self.body.poll_chunk(cx))?;
        if chunk.is_empty() {
            self.complete();
        }
        Poll::Ready(Ok(chunk))
    }
}

impl<T: Attached> Drop for Tail<T> {
    fn drop(&mut self) {
        // Whoever knows the length need not ask for the end.
        if self.body.length() == Some(0) {
            self.complete();
        }
    }
}

struct HeldIo<T> {
    io: Box<dyn Io>,
    _thing: T,
}

impl<T: Unpin> AsyncRead for HeldIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<IoResult<()>> {
        Pin::new(&mut *self.io).poll_read(cx, buf)
    }
}

impl<T: Unpin> AsyncWrite for HeldIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<IoResult<usize>> {
        Pin::new(&mut *self.io).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<IoResult<usize>> {
        Pin::new(&mut *self.io).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::run;
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::rc::Rc;

    type Log = Rc<RefCell<Vec<&'static str>>>;
    struct Told(Log);
    impl Attached for Told {
        fn complete(&mut self) {
            self.0.borrow_mut().push("complete");
        }
    }
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.borrow_mut().push("dropped");
        }
    }

    struct Chunks(VecDeque<&'static [u8]>, bool);
    impl Source for Chunks {
        fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
            Poll::Ready(Ok(self.0.front().copied().unwrap_or_default()))
        }
        fn consume(&mut self, n: usize) {
            if let Some(first) = self.0.front_mut() {
                *first = &first[n..];
            }
            if self.0.front().is_some_and(|first| first.is_empty()) {
                self.0.pop_front();
            }
        }
        fn length(&self) -> Option<u64> {
            self.1.then(|| self.0.iter().map(|c| c.len() as u64).sum())
        }
    }

    fn check(body: Body, reads: usize, want: &[&str]) {
        let log = Log::default();
        let mut res = Response {
            body,
            ..Response::new(200)
        };
        attach(&mut res, Told(log.clone()));
        run(async {
            for _ in 0..reads {
                let _ = res.body.chunk().await;
            }
        });
        drop(res);
        assert_eq!(*log.borrow(), want);
    }

    #[test]
    fn told_of_the_end() {
        let chunks = |known| Body::from_source(Chunks([&b"ab"[..], b"c"].into(), known));
        check(Body::empty(), 0, &["complete", "dropped"]);
        check(Body::from("at hand"), 0, &["complete", "dropped"]);
        check(chunks(false), 3, &["complete", "dropped"]);
        check(chunks(false), 2, &["dropped"]);
        check(chunks(true), 2, &["complete", "dropped"]);
        check(chunks(true), 1, &["dropped"]);
    }
}
