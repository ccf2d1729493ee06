//! The client's byte stream: a TCP socket, with bytes that were read ahead to find out what it speaks, or TLS over one.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use trilithon_wire::Buffer;

/// A socket that gives back what was read ahead before it reads on.
pub struct Socket {
    pub tcp: TcpStream,
    pub ahead: Buffer,
}

/// A client's stream, clear or TLS.
pub enum Stream {
    Clear(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    /// Reads into `buffer`; 0 is the end.
    #[inline]
    pub fn poll_read_buffer(&mut self, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
        match self {
            Stream::Clear(s) if s.ahead.is_empty() => {
                // Asked first: most often nothing is there, and then no memory has to be at hand.
                ready!(s.tcp.poll_read_ready(cx))?;
                pin!(s.tcp.read_buf(buffer.reading())).poll(cx)
            }
            Stream::Clear(s) => pin!(s.read_buf(buffer.reading())).poll(cx),
            Stream::Tls(s) => pin!(s.read_buf(buffer.reading())).poll(cx),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.tcp).poll_read(cx, buf);
        }
        let n = self.ahead.filled().len().min(buf.remaining());
        buf.put_slice(&self.ahead.filled()[..n]);
        self.ahead.consume(n);
        self.ahead.release();
        Poll::Ready(Ok(()))
    }
}

macro_rules! write_through {
    ($type:ty, |$self:ident| $inner:expr) => {
        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                let $self = self.get_mut();
                $inner.poll_write(cx, buf)
            }
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let $self = self.get_mut();
                $inner.poll_write_vectored(cx, bufs)
            }
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $self = self.get_mut();
                $inner.poll_flush(cx)
            }
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $self = self.get_mut();
                $inner.poll_shutdown(cx)
            }
            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    };
}

write_through!(Socket, |s| Pin::new(&mut s.tcp));

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Clear(s) => Pin::new(&mut s.tcp).poll_write(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Clear(s) => Pin::new(&mut s.tcp).poll_write_vectored(cx, bufs),
            Stream::Tls(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(_) => Poll::Ready(Ok(())),
            Stream::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(s) => Pin::new(&mut s.tcp).poll_shutdown(cx),
            Stream::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
    fn is_write_vectored(&self) -> bool {
        // Several pieces at once spare a copy, but TLS copies into its records anyway.
        matches!(self, Stream::Clear(_))
    }
}
