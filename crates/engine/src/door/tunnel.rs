//! Two byte streams joined, after an upgrade. Neither side is timed: who upgrades means to be silent at times.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use trilithon_wire::Buffer;

/// One direction: bytes read from one side and not yet written to the other.
struct Pipe {
    buffer: Buffer,
    ended: bool,
    closed: bool,
    moved: u64,
}

impl Pipe {
    fn new(buffer: Buffer) -> Pipe {
        Pipe {
            buffer,
            ended: false,
            closed: false,
            moved: 0,
        }
    }

    /// Moves bytes until nothing is left to read or the writer is full. Ready when the reader has ended and the writer was
    /// told. The buffer goes back while there is nothing in it.
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            while !self.buffer.is_empty() {
                let n = ready!(Pin::new(&mut *to).poll_write(cx, self.buffer.filled()))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.buffer.consume(n);
                self.moved += n as u64;
            }
            if self.ended {
                if !self.closed {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.closed = true;
                }
                return Poll::Ready(Ok(()));
            }
            let read = pin!(from.read_buf(self.buffer.reading())).poll(cx);
            match read {
                Poll::Ready(n) => self.ended = n? == 0,
                Poll::Pending => {
                    self.buffer.release();
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    return Poll::Pending;
                }
            }
        }
    }
}

/// Joins the two until both directions have ended or one breaks; gives the bytes moved to `a` and to `b`.
pub async fn join<A, B>(a: &mut A, early_a: Buffer, b: &mut B, early_b: &[u8]) -> (u64, u64)
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let mut to_b = Pipe::new(early_a);
    let mut early = Buffer::new();
    if !early_b.is_empty() {
        early.reading().extend_from_slice(early_b);
    }
    let mut to_a = Pipe::new(early);
    // An error ends both directions; the bytes moved until then still count.
    let _ = poll_fn(|cx| {
        let there = to_b.poll(cx, a, b)?;
        let back = to_a.poll(cx, b, a)?;
        if there.is_ready() && back.is_ready() {
            Poll::Ready(Ok::<_, io::Error>(()))
        } else {
            Poll::Pending
        }
    })
    .await;
    (to_a.moved, to_b.moved)
}
