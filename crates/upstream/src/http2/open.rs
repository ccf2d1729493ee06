//! A new connection: its windows, the task that drives it, and the watch over a server that has fallen silent.

use super::fault;
use super::places::{Lease, add};
use crate::Transport;
use crate::pool::Key;
use crate::stream::Stream;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::{Fault, limits};

/// Bytes a server may send on one stream before they are taken: what a slow client can make us hold.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The same for a connection: never the narrower of the two, so that one slow client does not stop the others.
const CONNECTION_WINDOW: u32 = 1 << 30;

/// Starts HTTP/2 on a new connection and makes it known. `transport` says how its liveness is watched.
pub(crate) async fn open(transport: &Transport, key: &Key, stream: Stream) -> Result<Lease, Fault> {
    let heard = Rc::new(Cell::new(true));
    let io = Heard {
        stream,
        heard: heard.clone(),
    };
    let shaken = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(limits::MAX_RESPONSE_HEAD as u32)
        .enable_push(false)
        .handshake(io)
        .await;
    let (send, mut connection) = shaken.map_err(|e| fault(&e))?;
    let alive = Rc::new(Cell::new(true));
    let watch = transport.settings.read_idle_timeout.zip(connection.ping_pong());
    let patience = transport.settings.ping_timeout;
    let ends = Ends(alive.clone());
    tokio::task::spawn_local(async move {
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP/2 connection to a server ended");
            },
            () = silence(watch, patience, heard) => tracing::debug!("a server answered no ping"),
        }
        drop(ends);
    });
    Ok(add(key, transport.room, send, alive))
}

struct Ends(Rc<Cell<bool>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Ends when the server is silent and answers no ping; never without a time for that.
async fn silence(watch: Option<(Duration, h2::PingPong)>, patience: Option<Duration>, heard: Rc<Cell<bool>>) {
    let Some((time, mut ping)) = watch else {
        return std::future::pending().await;
    };
    let patience = patience.unwrap_or(Duration::MAX);
    loop {
        tokio::time::sleep(time).await;
        if heard.replace(false) {
            continue;
        }
        match tokio::time::timeout(patience, ping.ping(h2::Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection itself says why it ended.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return,
        }
    }
}

/// A connection that notes that something was read.
struct Heard {
    stream: Stream,
    heard: Rc<Cell<bool>>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.heard.set(true);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
