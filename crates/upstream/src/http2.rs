//! HTTP/2 with servers: connections shared by many requests, one list per server and worker.
//!
//! A server whose protocol is not known yet, or whose connections are full, is dialled by one request while the others
//! wait for the outcome: a hundred first requests make one connection, not a hundred.

use crate::http1::{Answer, Size};
use crate::pool::{self, Key, Room};
use crate::stream::Stream;
use crate::{Origin, Scheme, Transport, hop};
use bytes::{Buf, Bytes};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Sleep;
use trilithon_flow::{
    Body, Fault, FaultKind, Headers, Interim, Known, Method, Request, Response, Source, limits,
};
use trilithon_wire::trailer::may_trail;

/// Bytes a server may send on one stream before they are taken: what a slow client can make us hold.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The same for a connection: never the narrower of the two, so that one slow client does not stop the others.
const CONNECTION_WINDOW: u32 = 1 << 30;
/// Streams on one connection before another is opened, whatever the server allows.
const MAX_STREAMS: usize = 1000;
/// How long a server is given to say `100 Continue`.
const CONTINUE_TIME: Duration = Duration::from_secs(1);
/// Ticks after which a server that nobody asks for is forgotten.
const FORGET: u32 = 240;
/// Ticks that a server's choice of HTTP/1.1 is believed; then one new connection offers HTTP/2 again.
const BELIEVED: u32 = 1200;

// ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// What is known of one server.
#[derive(Default)]
struct Place {
    links: Vec<Link>,
    /// It chose HTTP/1.1; believed up to this tick.
    http1: Option<u32>,
    opening: Option<Rc<Opening>>,
    used: u32,
}

struct Link {
    send: SendRequest<Bytes>,
    /// Exchanges under way.
    active: Rc<Cell<usize>>,
    /// Cleared when the connection has ended.
    alive: Rc<Cell<bool>>,
    room: Room,
    /// Tick at which it was last seen busy.
    busy: u32,
}

/// A place on a connection, given back when it is dropped.
pub(crate) struct Lease {
    send: SendRequest<Bytes>,
    active: Rc<Cell<usize>>,
}

impl Lease {
    fn new(send: &SendRequest<Bytes>, active: &Rc<Cell<usize>>) -> Lease {
        active.set(active.get() + 1);
        Lease {
            send: send.clone(),
            active: active.clone(),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.active.set(self.active.get() - 1);
    }
}

/// A dial that others wait for.
#[derive(Default)]
pub(crate) struct Opening {
    done: Notify,
    failed: RefCell<Option<Fault>>,
}

#[derive(Default)]
struct Places {
    by_key: FxHashMap<Key, Place>,
    now: u32,
}

thread_local! {
    static PLACES: RefCell<Places> = RefCell::default();
}

/// How a request gets to a server that may speak HTTP/2.
pub(crate) enum Claim {
    /// On this connection.
    Ready(Lease),
    /// Over HTTP/1.1.
    Http1,
    /// As soon as the dial of another request has ended.
    Wait(Rc<Opening>),
    /// By dialling.
    Dial(Dialling),
}

/// The duty to dial for all who wait. When it is dropped without an outcome, the next one dials.
pub(crate) struct Dialling {
    key: Key,
    opening: Rc<Opening>,
}

impl Drop for Dialling {
    fn drop(&mut self) {
        let _ = PLACES.try_with(|places| {
            if let Some(place) = places.borrow_mut().by_key.get_mut(&self.key) {
                place.opening = None;
            }
        });
        self.opening.done.notify_waiters();
    }
}

impl Dialling {
    /// The dial failed: so it did for all who waited.
    pub fn fail(self, fault: &Fault) {
        *self.opening.failed.borrow_mut() = Some(fault.clone());
    }

    /// The server chose HTTP/1.1.
    pub fn http1(self) {
        with_place(&self.key, |place, now| {
            place.http1 = Some(now.saturating_add(BELIEVED))
        });
    }
}

impl Opening {
    /// Waits for the outcome.
    pub async fn wait(self: Rc<Opening>) -> Result<(), Fault> {
        self.done.notified().await;
        match &*self.failed.borrow() {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }
}

fn with_place<T>(key: &Key, see: impl FnOnce(&mut Place, u32) -> T) -> T {
    PLACES.with_borrow_mut(|places| {
        let now = places.now;
        let place = places.by_key.entry(*key).or_default();
        place.used = now;
        see(place, now)
    })
}

/// Looks for a connection with room.
pub(crate) fn claim(key: &Key) -> Claim {
    with_place(key, |place, now| {
        place.links.retain(Link::is_open);
        for link in &mut place.links {
            if link.has_room() {
                link.busy = now;
                return Claim::Ready(Lease::new(&link.send, &link.active));
            }
        }
        if place.http1.is_some_and(|until| until >= now) {
            return Claim::Http1;
        }
        if let Some(opening) = &place.opening {
            return Claim::Wait(opening.clone());
        }
        let opening = Rc::new(Opening::default());
        place.opening = Some(opening.clone());
        Claim::Dial(Dialling { key: *key, opening })
    })
}

impl Link {
    fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.alive.get() && !matches!(self.send.clone().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    fn has_room(&self) -> bool {
        self.active.get() < self.send.current_max_send_streams().min(MAX_STREAMS)
    }
}

/// One tick later: closes connections that were idle for too long. Says whether any are left.
pub(crate) fn tick() -> bool {
    PLACES.with_borrow_mut(|places| {
        places.now = places.now.saturating_add(1);
        let now = places.now;
        let mut left = false;
        places.by_key.retain(|_, place| {
            place.links.retain_mut(|link| {
                if link.active.get() > 0 {
                    link.busy = now;
                }
                link.is_open() && link.busy.saturating_add(link.room.ticks) >= now
            });
            left |= !place.links.is_empty();
            !place.links.is_empty() || place.opening.is_some() || place.used.saturating_add(FORGET) >= now
        });
        left
    })
}

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
    let lease = with_place(key, |place, now| {
        let active = Rc::default();
        let lease = Lease::new(&send, &active);
        place.http1 = None;
        place.links.push(Link {
            send,
            active,
            alive,
            room: transport.room,
            busy: now,
        });
        lease
    });
    pool::sweep();
    Ok(lease)
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

// ── one exchange ────────────────────────────────────────────────────────────────────────────────────────────────────

/// Why there is no answer.
pub(crate) enum Failure {
    /// The server has not begun with the request: the same one may go out again.
    Again(Box<Request>, Fault),
    Fault(Fault),
}

/// One exchange. Dropping it resets the stream.
pub(crate) async fn exchange(
    mut lease: Lease,
    origin: &Origin,
    mut req: Box<Request>,
    head_time: Option<Duration>,
    interim: &Interim,
) -> Result<Answer, Failure> {
    let head = head(origin, &req).map_err(Failure::Fault)?;
    let empty = req.body.is_empty();
    let (response, stream) = match lease.send.send_request(head, empty) {
        Ok(sent) => sent,
        Err(error) => return Err(failure(&error, req, false)),
    };
    let held = !empty
        && req
            .headers
            .known(Known::Expect)
            .is_some_and(|v| v.eq_ignore_ascii_case(b"100-continue"));
    let body = req.body.take();
    let upload = Upload {
        left: body.length(),
        body,
        stream,
        chunk: Bytes::new(),
        ended: empty,
        held,
        touched: false,
    };
    let mut waiting = Waiting {
        lease,
        response,
        upload,
        sent: false,
        timer: None,
        interims: 0,
        head_time,
        interim,
    };
    if held {
        waiting.timer = Some(Box::pin(tokio::time::sleep(CONTINUE_TIME)));
    }
    match poll_fn(|cx| waiting.poll(cx)).await {
        Ok(response) => waiting
            .answer(response, req.method == Method::Head)
            .map_err(Failure::Fault),
        Err(Why::Error(error)) => {
            let touched = waiting.upload.touched;
            req.body = waiting.upload.body;
            Err(failure(&error, req, touched))
        }
        Err(Why::Fault(fault)) => Err(Failure::Fault(fault)),
    }
}

enum Why {
    Error(h2::Error),
    Fault(Fault),
}

struct Waiting<'a> {
    lease: Lease,
    response: ResponseFuture,
    upload: Upload,
    sent: bool,
    timer: Option<Pin<Box<Sleep>>>,
    interims: usize,
    head_time: Option<Duration>,
    interim: &'a Interim,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<http::Response<RecvStream>, Why>> {
        loop {
            if !self.sent {
                self.poll_upload(cx)?;
            }
            if self.poll_interim(cx)? {
                continue;
            }
            if let Poll::Ready(done) = Pin::new(&mut self.response).poll(cx) {
                return Poll::Ready(done.map_err(Why::Error));
            }
            let Some(timer) = &mut self.timer else {
                return Poll::Pending;
            };
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
            if !self.upload.held {
                let late = Fault::new(FaultKind::ResponseTimeout, "the server gave no answer in time");
                return Poll::Ready(Err(Why::Fault(late)));
            }
            self.upload.held = false;
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Why> {
        match self.upload.poll(cx) {
            Poll::Pending => return Ok(()),
            // What the server thinks of the request, the answer tells.
            Poll::Ready(Ok(())) | Poll::Ready(Err(Why::Error(_))) => {}
            Poll::Ready(Err(why)) => return Err(why),
        }
        self.sent = true;
        self.timer = self.head_time.map(|time| Box::pin(tokio::time::sleep(time)));
        Ok(())
    }

    /// Passes on an interim answer; says whether there was one.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Result<bool, Why> {
        let Poll::Ready(Some(Ok(head))) = self.response.poll_informational(cx) else {
            return Ok(false);
        };
        self.interims += 1;
        if self.interims > limits::MAX_INTERIM {
            return Err(Why::Fault(Fault::new(
                FaultKind::Malformed,
                "too many interim answers",
            )));
        }
        match head.status().as_u16() {
            100 => self.upload.held = false,
            status => self.interim.push(status, headers(head.headers())),
        }
        Ok(true)
    }

    fn answer(self, response: http::Response<RecvStream>, to_head: bool) -> Result<Answer, Fault> {
        let status = response.status().as_u16();
        if status < 200 {
            return Err(Fault::new(
                FaultKind::Malformed,
                "an HTTP/2 server cannot switch protocols",
            ));
        }
        let (parts, recv) = response.into_parts();
        let mut answer = Response {
            status,
            headers: headers(&parts.headers),
            ..Response::default()
        };
        hop::strip(&mut answer.headers);
        let upload = (!self.sent && !self.upload.held).then(|| Box::new(self.upload));
        if recv.is_end_stream() {
            // An answer that ends at once needs nothing more of the request: dropping the rest resets the stream.
            return Ok(Answer {
                response: answer,
                bytes: Size::Known(0),
            });
        }
        let declared = answer
            .headers
            .known(Known::ContentLength)
            .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
        let length = if to_head { None } else { declared };
        let (bytes, count) = match length {
            Some(n) => (Size::Known(n), None),
            None => {
                let count = Rc::new(Cell::new(0));
                (Size::Counted(count.clone()), Some(count))
            }
        };
        let rest = Rest {
            _lease: self.lease,
            recv,
            chunk: Bytes::new(),
            upload,
            left: length,
            count,
            ended: false,
            trailers: None,
            failed: None,
        };
        answer.body = Body::from_source(rest);
        Ok(Answer {
            response: answer,
            bytes,
        })
    }
}

/// The request's head. `te: trailers` is the only hop-by-hop field there is in HTTP/2.
fn head(origin: &Origin, req: &Request) -> Result<http::Request<()>, Fault> {
    let refused =
        |e: http::Error| Fault::new(FaultKind::Internal, format!("cannot be sent over HTTP/2: {e}")).unsent();
    let scheme = if origin.scheme == Scheme::Https {
        "https"
    } else {
        "http"
    };
    let target = match req.target.as_str() {
        "" => "/",
        target => target,
    };
    let authority = match req.host() {
        b"" => origin.authority.as_bytes(),
        host => host,
    };
    let uri = http::Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(target)
        .build()
        .map_err(refused)?;
    let mut builder = http::Request::builder()
        .method(req.method.as_str())
        .uri(uri)
        .version(http::Version::HTTP_2);
    for (known, name, value) in req.headers.iter_known() {
        if known == Known::Host
            || known == Known::ContentLength
            || known.is_connection_specific() && known != Known::Trailer
        {
            continue;
        }
        builder = builder.header(name, value);
    }
    if hop::allows_trailers(&req.headers) {
        builder = builder.header("te", "trailers");
    }
    match (req.body.length(), &req.method) {
        (Some(0), Method::Post | Method::Put | Method::Patch) => {
            builder = builder.header("content-length", 0)
        }
        (Some(0) | None, _) => {}
        (Some(n), _) => builder = builder.header("content-length", n),
    }
    builder.body(()).map_err(refused)
}

fn headers(map: &http::HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in map {
        headers.append(name.as_str(), value.as_bytes());
    }
    headers
}

/// Trailers without what may not come after a body.
fn trailers(map: &http::HeaderMap) -> Headers {
    let mut trailers = headers(map);
    trailers.retain(|known, name, _| may_trail(known, name));
    trailers
}

/// Sorts an error before the head: what the server has not begun with may go out again.
fn failure(error: &h2::Error, req: Box<Request>, touched: bool) -> Failure {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    let goodbye = error.is_go_away() && error.is_remote();
    let untold = goodbye && (error.reason() == Some(Reason::NO_ERROR) || req.method.is_replayable());
    let gone = error.is_io() && req.method.is_replayable();
    if !touched && (refused || untold || gone) {
        Failure::Again(req, fault(error))
    } else {
        Failure::Fault(fault(error))
    }
}

/// A connection that breaks is the network's fault (502); a stream that is reset, a connection that is given up, and
/// frames that are none (an HTTP/1 server's answer) are the server's (500).
fn fault(error: &h2::Error) -> Fault {
    let kind = if error.is_io() {
        FaultKind::Closed
    } else {
        FaultKind::Malformed
    };
    Fault::new(kind, format!("HTTP/2 with the server failed: {error}"))
}

// ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The body of a request on its way out.
struct Upload {
    body: Body,
    stream: SendStream<Bytes>,
    chunk: Bytes,
    /// Bytes that are still to come, if that was said.
    left: Option<u64>,
    ended: bool,
    /// Waits for `100 Continue`.
    held: bool,
    /// A part of the body is used up.
    touched: bool,
}

impl Upload {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Why>> {
        while !self.ended {
            if self.held {
                return Poll::Pending;
            }
            if self.chunk.is_empty() {
                ready!(self.poll_next(cx))?;
            } else {
                ready!(self.poll_send(cx)).map_err(Why::Error)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Why>> {
        self.chunk = ready!(self.body.poll_chunk(cx)).map_err(Why::Fault)?;
        self.touched = true;
        if let Some(left) = &mut self.left {
            match left.checked_sub(self.chunk.len() as u64) {
                Some(rest) if rest == 0 || !self.chunk.is_empty() => *left = rest,
                _ => {
                    return Poll::Ready(Err(Why::Fault(Fault::new(
                        FaultKind::ClientGone,
                        "the request body is not as long as was said",
                    ))));
                }
            }
        }
        if self.chunk.is_empty() {
            self.ended = true;
            match self.body.trailers() {
                Some(trailers) => self
                    .stream
                    .send_trailers(trailer_map(&trailers))
                    .map_err(Why::Error)?,
                None => self.stream.send_data(Bytes::new(), true).map_err(Why::Error)?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        self.stream.reserve_capacity(self.chunk.len());
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(Reason::CANCEL.into())),
            }
        }
        let n = self.stream.capacity().min(self.chunk.len());
        let last = n == self.chunk.len() && self.left == Some(0) && self.body.is_empty();
        self.ended = last;
        Poll::Ready(self.stream.send_data(self.chunk.split_to(n), last))
    }
}

fn trailer_map(trailers: &Headers) -> http::HeaderMap {
    let mut map = http::HeaderMap::new();
    for (name, value) in trailers.iter() {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name),
            http::HeaderValue::from_bytes(value),
        ) {
            map.append(name, value);
        }
    }
    map
}

/// The body of an answer, and what is left of the request.
struct Rest {
    _lease: Lease,
    recv: RecvStream,
    chunk: Bytes,
    upload: Option<Box<Upload>>,
    left: Option<u64>,
    count: Option<Rc<Cell<u64>>>,
    ended: bool,
    trailers: Option<Headers>,
    failed: Option<Fault>,
}

impl Rest {
    /// Makes a chunk lie there, or ends the body.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.poll_upload(cx)?;
        while self.chunk.is_empty() && !self.ended {
            match ready!(self.recv.poll_data(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => {
                    let map = ready!(self.recv.poll_trailers(cx)).map_err(|e| broken(&e))?;
                    self.trailers = map.map(|map| trailers(&map)).filter(|t| !t.is_empty());
                    self.ended = true;
                    self.upload = None;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        match upload.poll(cx) {
            Poll::Pending => return Ok(()),
            // The server wants no more of the request; its answer may be complete all the same.
            Poll::Ready(Ok(())) | Poll::Ready(Err(Why::Error(_))) => {}
            Poll::Ready(Err(Why::Fault(fault))) => return Err(fault),
        }
        self.upload = None;
        Ok(())
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if let Some(fault) = &self.failed {
            return Poll::Ready(Err(fault.clone()));
        }
        let result = ready!(self.poll_data(cx));
        if let Err(fault) = &result {
            self.failed = Some(fault.clone());
            self.upload = None;
        }
        Poll::Ready(result)
    }

    /// Counts bytes that are passed on, and lets the server send as many more.
    fn passed(&mut self, n: usize) {
        // The stream may have ended meanwhile: then there is no window left to open.
        let _ = self.recv.flow_control().release_capacity(n);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(n as u64);
        }
        if let Some(count) = &self.count {
            count.set(count.get() + n as u64);
        }
    }
}

impl Source for Rest {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        ready!(self.poll_ready(cx))?;
        Poll::Ready(Ok(&self.chunk))
    }

    fn consume(&mut self, n: usize) {
        self.chunk.advance(n);
        self.passed(n);
    }

    fn length(&self) -> Option<u64> {
        self.left
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        ready!(self.poll_ready(cx))?;
        let chunk = std::mem::take(&mut self.chunk);
        self.passed(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

fn broken(error: &h2::Error) -> Fault {
    Fault::new(FaultKind::Broken, format!("the answer broke off: {error}"))
}

#[cfg(test)]
mod tests;
