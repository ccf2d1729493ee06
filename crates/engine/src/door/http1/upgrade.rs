//! A connection that leaves HTTP: the 101, then bytes in both directions.

use super::client::Client;
use super::out::OutBuffer;
use super::{After, Http1};
use crate::door::tunnel;
use crate::serve;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::{Exchange, Response, Upgraded, status};
use trilithon_wire::{ResponseFraming, encode};

impl Http1 {
    /// Sends the 101 and joins the two streams.
    pub(super) async fn upgrade(
        &self,
        res: Response,
        mut upgraded: Box<Upgraded>,
        cx: &mut Exchange,
    ) -> io::Result<After> {
        let mut out = OutBuffer::new();
        encode::response_head(
            &mut out.0,
            false,
            101,
            status::text(101),
            &res.headers,
            ResponseFraming::Upgrade,
            false,
            None,
        );
        if self.client.write(&mut out.0).await.is_err() {
            serve::finish(&self.worker, cx, 499, 0);
            return Ok(After::Close);
        }
        self.client.deadline.clear();
        let early = std::mem::take(&mut *self.client.buffer.borrow_mut());
        let mut io = Joined(&self.client);
        let (down, up) = tunnel::join(&mut io, early, &mut *upgraded.io, &upgraded.early).await;
        cx.record.request_bytes = up;
        serve::finish(&self.worker, cx, 101, down);
        Ok(After::Close)
    }
}

/// The client's stream for a tunnel.
struct Joined<'a>(&'a Client);

impl AsyncRead for Joined<'_> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Joined<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_write(cx, buf)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(cx)
    }
}
