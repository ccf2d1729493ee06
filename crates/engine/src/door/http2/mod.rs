//! The HTTP/2 door: the `h2` crate carries frames; each stream becomes the same request and response as everywhere.
//!
//! [`request`] makes a request of a stream, [`exchange`] serves it, [`answer`] sends the response, [`flood`] counts frames.

mod answer;
mod body;
mod exchange;
mod flood;
mod request;
mod tunnel;

pub use answer::grpc_status;

use super::refuse;
use crate::entry_point::EntryPoint;
use crate::stream::Stream;
use crate::worker::Worker;
use bytes::Bytes;
use flood::Watched;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use trilithon_flow::{Connection, Response, limits};

/// Bytes a stream may send before it must wait for its reader.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of a response that are handed to the library at once.
const SEND_BYTES: usize = 64 * 1024;

/// What the streams of one connection share.
struct Shared {
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    active: Cell<u32>,
    /// Bytes of the request heads of the open streams.
    head_bytes: Cell<usize>,
}

/// An open stream, and the room that its head takes from the others of the connection.
struct Open {
    shared: Rc<Shared>,
    head_bytes: Cell<usize>,
}

impl Open {
    /// `None` when the heads of the open streams leave no room for this one.
    fn new(shared: &Rc<Shared>, head_bytes: usize) -> Option<Open> {
        let all = shared.head_bytes.get() + head_bytes;
        if all > limits::H2_MAX_HEAD_BYTES {
            return None;
        }
        shared.head_bytes.set(all);
        shared.active.set(shared.active.get() + 1);
        Some(Open {
            shared: shared.clone(),
            head_bytes: Cell::new(head_bytes),
        })
    }

    /// The head is no longer held.
    fn forget_head(&self) {
        let all = &self.shared.head_bytes;
        all.set(all.get() - self.head_bytes.take());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.forget_head();
        self.shared.active.set(self.shared.active.get() - 1);
    }
}

/// Serves a connection until either side ends it.
pub async fn serve(
    stream: Stream,
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) {
    let (io, watch) = Watched::new(stream);
    let settings = entry_point.http2;
    let handshake = h2::server::Builder::new()
        .max_concurrent_streams(settings.max_concurrent_streams)
        .max_header_list_size((entry_point.max_header_bytes as u32).min(limits::H2_MAX_HEADER_LIST))
        .header_table_size(settings.max_decoder_header_table_size)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_local_error_reset_streams(Some(limits::H2_MAX_LOCAL_RESETS))
        .max_pending_accept_reset_streams(limits::H2_MAX_RESETS as usize)
        .enable_connect_protocol()
        .handshake::<_, Bytes>(io);
    let deadline = worker.timer.deadline();
    deadline.set(entry_point.read_timeout);
    let mut handshake = pin!(handshake);
    let opened = poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(done.ok()),
        Poll::Pending => deadline.poll(cx).map(|()| None),
    });
    let Some(mut http2) = opened.await else { return };
    let shared = Rc::new(Shared {
        connection,
        entry_point,
        worker,
        active: Cell::new(0),
        head_bytes: Cell::new(0),
    });
    deadline.set(shared.entry_point.idle_timeout);
    let (mut streams, mut closing) = (0u32, false);
    loop {
        let event = poll_fn(|cx| {
            if let Some(reason) = watch.exceeded.take() {
                return Poll::Ready(Event::Flood(reason));
            }
            loop {
                watch.let_heads_in();
                if let Poll::Ready(next) = http2.poll_accept(cx) {
                    return Poll::Ready(Event::Stream(next));
                }
                if !watch.holds_back() {
                    break;
                }
            }
            if let Some(reason) = watch.exceeded.take() {
                return Poll::Ready(Event::Flood(reason));
            }
            if !closing && shared.entry_point.doors.are_closed() {
                return Poll::Ready(Event::Drain);
            }
            ready!(deadline.poll(cx));
            deadline.set(shared.entry_point.idle_timeout);
            // Idle means that no stream is open, not that none was opened for a while.
            if shared.active.get() == 0 && !closing {
                Poll::Ready(Event::Drain)
            } else {
                repoll(cx)
            }
        });
        match event.await {
            Event::Stream(Some(Ok((req, respond)))) => {
                deadline.set(shared.entry_point.idle_timeout);
                streams += 1;
                if streams == limits::H2_MAX_STREAMS || past_keep_alive(&shared.entry_point, streams) {
                    http2.graceful_shutdown();
                    closing = true;
                }
                open(&shared, req, respond);
            }
            Event::Stream(Some(Err(error))) => {
                if error.is_library() {
                    tracing::debug!(entryPointName = %shared.entry_point.name, client = %shared.connection.peer, %error, "HTTP/2 connection ended");
                    // The library has budgets of its own, and may have been first.
                    let reason = watch.exceeded.take().unwrap_or("h2-protocol-error");
                    refuse::report(&shared.entry_point, &shared.connection, reason);
                }
                return;
            }
            Event::Stream(None) => return,
            Event::Flood(reason) => {
                refuse::report(&shared.entry_point, &shared.connection, reason);
                http2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                closing = true;
            }
            Event::Drain => {
                http2.graceful_shutdown();
                closing = true;
            }
        }
    }
}

/// Starts the exchange of a stream. The head is read here and now: as the library has it, it may be many times what it was
/// on the wire.
fn open(shared: &Rc<Shared>, req: http::Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let Some(open) = Open::new(shared, request::head_bytes(req.headers())) else {
        refuse::report(&shared.entry_point, &shared.connection, "h2-head-bytes");
        return respond.send_reset(Reason::REFUSED_STREAM);
    };
    let incoming = match request::read(req) {
        Ok(incoming) => incoming,
        Err((code, reason)) => {
            refuse::report(&shared.entry_point, &shared.connection, reason);
            // A stream that is gone by now needs no answer.
            let _ = answer::send_head(&mut respond, &Response::status_text(code), shared, true, true);
            return;
        }
    };
    // Boxed: the runtime moves what it is given several times.
    tokio::task::spawn_local(Box::pin(exchange::exchange(open, incoming, respond)));
}

fn repoll(cx: &mut Context<'_>) -> Poll<Event> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

fn past_keep_alive(entry_point: &EntryPoint, streams: u32) -> bool {
    entry_point.keep_alive_max_requests > 0 && u64::from(streams) >= entry_point.keep_alive_max_requests
}

/// A stream that a client opened.
type Opened = (http::Request<RecvStream>, SendResponse<Bytes>);

// Lives on the stack of one loop; boxing its common variant would cost each stream an allocation.
#[allow(clippy::large_enum_variant)]
enum Event {
    Stream(Option<Result<Opened, h2::Error>>),
    Flood(&'static str),
    Drain,
}
