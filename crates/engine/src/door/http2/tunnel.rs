//! An extended CONNECT (RFC 8441): a stream joined with an upgraded connection to a server.

use super::answer::send_head;
use super::{SEND_BYTES, Shared};
use crate::door::tunnel;
use crate::serve;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::{Exchange, Response, Upgraded};
use trilithon_wire::Buffer;

/// Joins an extended CONNECT stream with the upgraded upstream.
pub(super) async fn upgrade(
    shared: &Shared,
    mut upgraded: Box<Upgraded>,
    cx: &mut Exchange,
    mut respond: SendResponse<Bytes>,
    incoming: Option<RecvStream>,
) {
    let Some(incoming) = incoming else {
        return serve::finish(&shared.worker, cx, 502, 0);
    };
    let Ok(outgoing) = send_head(&mut respond, &Response::new(200), shared, true, false) else {
        return serve::finish(&shared.worker, cx, 499, 0);
    };
    let mut io = Tunnel {
        incoming,
        outgoing,
        chunk: Bytes::new(),
    };
    let (down, up) = tunnel::join(&mut io, Buffer::new(), &mut *upgraded.io, &upgraded.early).await;
    cx.record.request_bytes = up;
    serve::finish(&shared.worker, cx, 101, down);
}

/// A stream as bytes in both directions.
struct Tunnel {
    incoming: RecvStream,
    outgoing: SendStream<Bytes>,
    chunk: Bytes,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        while self.chunk.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(std::io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.chunk.len().min(buf.remaining());
        buf.put_slice(&self.chunk.split_to(n));
        let _ = self.incoming.flow_control().release_capacity(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.outgoing.reserve_capacity(buf.len().min(SEND_BYTES));
        while self.outgoing.capacity() == 0 {
            match ready!(self.outgoing.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                _ => return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
            }
        }
        let n = self.outgoing.capacity().min(buf.len());
        self.outgoing
            .send_data(Bytes::copy_from_slice(&buf[..n]), false)
            .map_err(std::io::Error::other)?;
        Poll::Ready(Ok(n))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        // A stream that the client reset needs no end.
        let _ = self.outgoing.send_data(Bytes::new(), true);
        Poll::Ready(Ok(()))
    }
}
