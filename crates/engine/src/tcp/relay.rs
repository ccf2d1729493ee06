//! Two byte streams joined. When one half has ended, the other may be read for a limited time only.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Sleep, sleep};
use trilithon_wire::Buffer;

/// Joins the two until both directions have ended or one breaks. `delay`: how long a stream is still read after it was told
/// that nothing more will come; `None` is for ever.
pub async fn relay<A, B>(a: &mut A, b: &mut B, delay: Option<Duration>)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Pipe::default(), Pipe::default());
    // An error ends both directions; there is nobody to tell.
    let _ = poll_fn(|cx| {
        let went = there.poll(cx, a, b)?;
        if went.is_ready() {
            back.limit(delay);
        }
        let came = back.poll(cx, b, a)?;
        if came.is_ready() && there.limit(delay) {
            // Its limit has to be polled once to be noticed.
            return there.poll(cx, a, b);
        }
        if went.is_ready() && came.is_ready() {
            return Poll::Ready(Ok::<_, io::Error>(()));
        }
        Poll::Pending
    })
    .await;
}

/// One direction.
#[derive(Default)]
struct Pipe {
    buffer: Buffer,
    /// Nothing more is read.
    ended: bool,
    /// The writer was told so.
    closed: bool,
    /// When reading ends in any case.
    limit: Option<Pin<Box<Sleep>>>,
    limited: bool,
}

impl Pipe {
    /// Limits reading from now on; true the first time.
    fn limit(&mut self, delay: Option<Duration>) -> bool {
        if std::mem::replace(&mut self.limited, true) || self.closed {
            return false;
        }
        match delay {
            Some(Duration::ZERO) => self.ended = true,
            Some(delay) => self.limit = Some(Box::pin(sleep(delay))),
            None => {}
        }
        true
    }

    /// Moves bytes until nothing is left to read or the writer is full. Ready when reading has ended and the writer was told.
    /// The buffer goes back while there is nothing in it.
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            while !self.buffer.is_empty() {
                let n = ready!(Pin::new(&mut *to).poll_write(cx, self.buffer.filled()))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.buffer.consume(n);
            }
            if self.ended {
                self.buffer.release();
                if !self.closed {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.closed = true;
                }
                return Poll::Ready(Ok(()));
            }
            match pin!(from.read_buf(self.buffer.reading())).poll(cx) {
                // A stream that breaks has ended; what it said before still goes on.
                Poll::Ready(n) => self.ended = n.unwrap_or(0) == 0,
                Poll::Pending => {
                    self.buffer.release();
                    self.ended = self
                        .limit
                        .as_mut()
                        .is_some_and(|limit| limit.as_mut().poll(cx).is_ready());
                    if !self.ended {
                        ready!(Pin::new(&mut *to).poll_flush(cx))?;
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    async fn all(stream: &mut DuplexStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// The client says `ask` and closes its half; the server answers after `pause` -> what the client gets.
    fn check(delay: Option<u64>, pause: u64, want: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut client, mut a) = duplex(4);
            let (mut b, mut server) = duplex(4);
            let joined = async {
                relay(&mut a, &mut b, delay.map(Duration::from_millis)).await;
                drop((a, b));
            };
            let asking = async {
                client.write_all(b"a long question").await.unwrap();
                client.shutdown().await.unwrap();
                all(&mut client).await
            };
            let answering = async {
                assert_eq!(all(&mut server).await, "a long question");
                sleep(Duration::from_millis(pause)).await;
                let _ = server.write_all(b"an answer").await;
                let _ = server.shutdown().await;
            };
            let (_, got, ()) = tokio::join!(joined, asking, answering);
            assert_eq!(got, want, "{delay:?} {pause}");
        });
    }

    #[test]
    fn a_client_that_has_ended_is_answered_for_a_while() {
        check(Some(100), 50, "an answer");
        check(Some(100), 200, "");
        check(Some(0), 1, "");
        check(None, 100_000, "an answer");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_server_ends_all_but_waits_for_what_it_said() {
        let (mut client, mut a) = duplex(4);
        let (mut b, mut server) = duplex(64);
        server.write_all(b"good bye, all of you").await.unwrap();
        drop(server);
        let joined = async {
            relay(&mut a, &mut b, Some(Duration::ZERO)).await;
            drop(a);
        };
        let (got, ()) = tokio::join!(all(&mut client), joined);
        assert_eq!(got, "good bye, all of you");
    }
}
