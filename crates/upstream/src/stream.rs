//! A connection to a server: clear or TLS, one type for the pool and the protocols.

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use trilithon_wire::Buffer;

/// A connection to a server.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether an idle connection is still good: open, and nothing has arrived that nobody asked for.
    ///
    /// Costs no system call while the socket has had no event.
    pub(crate) fn is_quiet(&mut self) -> bool {
        match self {
            Stream::Plain(tcp) => {
                let quiet = tcp.try_read(&mut [0; 1]);
                matches!(quiet, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
            }
            // A session ticket may come at any time and is no data, so the TLS layer has to look.
            Stream::Tls(tls) => {
                let mut byte = [0; 1];
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(tls)
                    .poll_read(&mut cx, &mut ReadBuf::new(&mut byte))
                    .is_pending()
            }
        }
    }

    /// Whether the server of a new connection has said something that nobody asked for.
    pub(crate) fn speaks_first(&mut self) -> bool {
        match self {
            // The runtime may not have heard of it yet, so the socket itself is asked.
            Stream::Plain(tcp) => {
                let said = socket2::SockRef::from(&*tcp).peek(&mut [MaybeUninit::uninit()]);
                matches!(said, Ok(n) if n > 0)
            }
            Stream::Tls(tls) => {
                let mut byte = [0; 1];
                let mut byte = ReadBuf::new(&mut byte);
                let mut cx = Context::from_waker(Waker::noop());
                // An error or an end is told by whoever uses it next.
                let _ = Pin::new(tls).poll_read(&mut cx, &mut byte);
                !byte.filled().is_empty()
            }
        }
    }
}

impl Stream {
    /// Reads into `buffer`; 0 is the end.
    #[inline]
    pub(crate) fn poll_read_buffer(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(tcp) => {
                // Asked first: most often nothing is there yet, and then no memory has to be at hand.
                ready!(tcp.poll_read_ready(cx))?;
                pin!(tcp.read_buf(buffer.reading())).poll(cx)
            }
            Stream::Tls(tls) => pin!(tls.read_buf(buffer.reading())).poll(cx),
        }
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn a15_a_server_that_speaks_first_is_noticed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for (says, first) in [
            (Some(&b"HTTP/1.1 200 OK\r\n"[..]), true),
            (Some(b""), false),
            (None, false),
        ] {
            let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut server, _) = listener.accept().unwrap();
            match says {
                Some(b"") => {}
                Some(text) => server.write_all(text).unwrap(),
                None => drop(server.shutdown(std::net::Shutdown::Write)),
            }
            if says != Some(b"") {
                tcp.readable().await.unwrap();
            }
            assert_eq!(Stream::Plain(tcp).speaks_first(), first, "{says:?}");
        }
    }
}
