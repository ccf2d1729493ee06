//! The HTTP/2 door: the `h2` crate carries frames; each stream becomes the same request and response as everywhere.

use super::flood::Watched;
use super::{refuse, tunnel};
use crate::entry_point::EntryPoint;
use crate::serve;
use crate::stream::Stream;
use crate::worker::Worker;
use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::{
    Body, Connection, Exchange, Fault, FaultKind, Headers, Interim, Known, Method, Request, Response, Source,
    Target, Upgraded, Version, limits, status,
};
use trilithon_wire::Buffer;

/// Bytes a stream may send before it must wait for its reader.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of a response that are handed to the library at once.
const SEND_BYTES: usize = 64 * 1024;
/// Longest time a response waits for the client to open its window.
const STALLED_WINDOW: Duration = Duration::from_secs(60);

/// What the streams of one connection share.
struct Shared {
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    active: Cell<u32>,
}

/// Serves a connection until either side ends it.
pub async fn serve(
    stream: Stream,
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) {
    let (io, exceeded) = Watched::new(stream);
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
    });
    deadline.set(shared.entry_point.idle_timeout);
    let (mut streams, mut closing) = (0u32, false);
    loop {
        let event = poll_fn(|cx| {
            if let Some(reason) = exceeded.take() {
                return Poll::Ready(Event::Flood(reason));
            }
            if let Poll::Ready(next) = http2.poll_accept(cx) {
                return Poll::Ready(Event::Stream(next));
            }
            if let Some(reason) = exceeded.take() {
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
                shared.active.set(shared.active.get() + 1);
                let shared = shared.clone();
                // Boxed inside: the runtime moves what it is given several times.
                tokio::task::spawn_local(async move { Box::pin(exchange(shared, req, respond)).await });
            }
            Event::Stream(Some(Err(error))) => {
                if error.is_library() {
                    tracing::debug!(entryPointName = %shared.entry_point.name, client = %shared.connection.peer, %error, "HTTP/2 connection ended");
                    // The library has budgets of its own, and may have been first.
                    let reason = exceeded.take().unwrap_or("h2-protocol-error");
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

/// One stream: request, response, record.
async fn exchange(shared: Rc<Shared>, req: http::Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let _active = Active(shared.clone());
    let interim: Rc<Interim> = Rc::default();
    let received: Rc<Cell<u64>> = Rc::default();
    let (req, tunnel_in) = match request(req, &interim, &received) {
        Ok(req) => req,
        Err((code, reason)) => {
            refuse::report(&shared.entry_point, &shared.connection, reason);
            let _ = send_head(&mut respond, &Response::status_text(code), &shared, true, true);
            return;
        }
    };
    let is_head = req.method == Method::Head;
    let mut cx = serve::begin(
        &shared.worker,
        &shared.entry_point,
        &shared.connection,
        &interim,
        &req,
    );
    let answer = {
        let (worker, entry_point) = (&shared.worker, &shared.entry_point);
        let reply = pin!(serve::respond(worker, entry_point, req, &mut cx));
        drive(reply, &interim, &mut respond).await
    };
    let Some(mut res) = answer else {
        cx.record.fault = Some(Fault::new(
            FaultKind::ClientGone,
            "the client reset the stream before the answer",
        ));
        serve::finish(&shared.worker, &mut cx, 499, 0);
        return;
    };
    cx.record.request_bytes = received.get();
    if shared.worker.telemetry.wants.response_headers {
        cx.record.response_headers = Some(res.headers.clone());
    }
    if let Some(upgraded) = res.upgraded.take() {
        return upgrade(&shared, upgraded, &mut cx, respond, tunnel_in).await;
    }
    if tunnel_in.is_some() && (200..300).contains(&res.status) {
        // To this client 2xx would mean that the tunnel stands (RFC 8441 §5).
        cx.record.fault = Some(Fault::new(
            FaultKind::Malformed,
            "the server answered an upgrade without switching",
        ));
        res = Response::status_text(502);
    }
    let code = res.status;
    let bodiless = is_head || status::is_bodiless(code) || res.body.is_empty();
    let Ok(stream) = send_head(&mut respond, &res, &shared, is_head, bodiless) else {
        return serve::finish(&shared.worker, &mut cx, 499, 0);
    };
    let sent = if bodiless {
        Ok(0)
    } else {
        send_body(stream, res.body.take(), &mut cx).await
    };
    drop(res);
    if let Err(fault) = &sent {
        cx.record.fault.get_or_insert(fault.clone());
    }
    serve::finish(&shared.worker, &mut cx, code, sent.unwrap_or(0));
}

struct Active(Rc<Shared>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
    }
}

/// Runs the chain; passes interim responses on and gives up when the client resets the stream.
async fn drive(
    mut reply: Pin<&mut impl Future<Output = Response>>,
    interim: &Interim,
    respond: &mut SendResponse<Bytes>,
) -> Option<Response> {
    poll_fn(|cx| {
        let polled = reply.as_mut().poll(cx);
        for (code, headers) in interim.take() {
            let mut head = http::Response::new(());
            *head.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::EARLY_HINTS);
            *head.headers_mut() = header_map(&headers, false);
            // A client that takes no interim response loses nothing by it.
            let _ = respond.send_informational(head);
        }
        match polled {
            Poll::Ready(res) => Poll::Ready(Some(res)),
            Poll::Pending => respond.poll_reset(cx).map(|_| None),
        }
    })
    .await
}

/// A stream's head as a request; beside it the incoming bytes of a stream that is to become a tunnel.
fn request(
    req: http::Request<RecvStream>,
    interim: &Rc<Interim>,
    received: &Rc<Cell<u64>>,
) -> Result<(Request, Option<RecvStream>), (u16, &'static str)> {
    let (parts, body) = req.into_parts();
    let mut headers = Headers::new();
    headers.append(
        Known::Host.name(),
        host(parts.uri.authority().map(|a| a.as_str()), &parts.headers)?,
    );
    copy_headers(&parts.headers, &mut headers)?;
    let served = parts
        .uri
        .scheme_str()
        .is_none_or(|s| matches!(s, "http" | "https"));
    if !served {
        return Err((400, "bad-scheme"));
    }
    let raw = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let valid = raw.starts_with('/') && !raw.bytes().any(|b| b <= b' ' || b == b'#' || b == 0x7f);
    let asterisk = raw == "*" && parts.method == http::Method::OPTIONS;
    if !valid && !asterisk {
        return Err((400, "bad-target"));
    }
    let mut req = Request {
        method: Method::of(parts.method.as_str().as_bytes()),
        target: Target::new(raw),
        version: Version::Http2,
        headers,
        ..Request::default()
    };
    if let (Method::Connect, Some(protocol)) = (&req.method, parts.extensions.get::<Protocol>()) {
        extended_connect(&mut req, protocol.as_str());
        return Ok((req, Some(body)));
    }
    if !body.is_end_stream() {
        let length = req
            .headers
            .known(Known::ContentLength)
            .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
        req.body = Body::from_source(StreamBody {
            body,
            chunk: Bytes::new(),
            length,
            trailers: None,
            ended: false,
            awaiting_continue: awaits_continue(&req.headers).then(|| interim.clone()),
            received: received.clone(),
        });
    }
    Ok((req, None))
}

fn awaits_continue(headers: &Headers) -> bool {
    headers
        .known(Known::Expect)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"100-continue"))
}

/// The host asked for: `:authority`, else the one `host` field (RFC 9113 §8.3.1).
fn host<'a>(
    authority: Option<&'a str>,
    headers: &'a http::HeaderMap,
) -> Result<&'a [u8], (u16, &'static str)> {
    let host = match authority {
        Some(authority) => authority.as_bytes(),
        // As Traefik: without either a request has an empty host, which only a rule without one can take.
        None => headers
            .get(http::header::HOST)
            .map(http::HeaderValue::as_bytes)
            .unwrap_or_default(),
    };
    if trilithon_wire::authority::is_valid(host) {
        Ok(host)
    } else {
        Err((400, "bad-host"))
    }
}

/// Fields in order; cookie crumbs become one line again (RFC 9113 §8.2.3).
fn copy_headers(from: &http::HeaderMap, to: &mut Headers) -> Result<(), (u16, &'static str)> {
    if from.len() > limits::H2_MAX_HEADER_FIELDS {
        return Err((431, "too-many-headers"));
    }
    let mut cookies: Vec<&[u8]> = Vec::new();
    let mut hosts = 0;
    for (name, value) in from {
        match Known::of(name.as_str().as_bytes()) {
            Known::Host if hosts > 0 => return Err((400, "repeated-host")),
            Known::Host => hosts += 1,
            Known::Cookie => cookies.push(value.as_bytes()),
            Known::Connection
            | Known::TransferEncoding
            | Known::Upgrade
            | Known::KeepAlive
            | Known::ProxyConnection => {
                return Err((400, "connection-header-in-http2"));
            }
            Known::Te if value != "trailers" => return Err((400, "bad-te")),
            Known::ContentLength if to.has(Known::ContentLength) => {
                return Err((400, "bad-content-length"));
            }
            Known::Other => to.append(name.as_str(), value.as_bytes()),
            known => to.append_known(known, value.as_bytes()),
        }
    }
    if !cookies.is_empty() {
        to.append(Known::Cookie.name(), cookies.join(&b"; "[..]));
    }
    Ok(())
}

/// RFC 8441: what asks for a protocol over a stream becomes the upgrade that HTTP/1 servers know.
fn extended_connect(req: &mut Request, protocol: &str) {
    use base64::Engine;
    req.method = Method::Get;
    req.upgrade = Some(protocol.into());
    req.headers.set_known(Known::Upgrade, protocol);
    req.headers.set_known(Known::Connection, "Upgrade");
    let key: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    req.headers.set_known(
        Known::SecWebsocketKey,
        base64::engine::general_purpose::STANDARD.encode(key),
    );
    if !req.headers.has(Known::SecWebsocketVersion) {
        req.headers.append(Known::SecWebsocketVersion.name(), "13");
    }
}

/// The body of a request stream.
struct StreamBody {
    body: RecvStream,
    chunk: Bytes,
    length: Option<u64>,
    trailers: Option<Headers>,
    ended: bool,
    /// Where to say `100 Continue` once somebody wants the body.
    awaiting_continue: Option<Rc<Interim>>,
    received: Rc<Cell<u64>>,
}

impl StreamBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let broken = |error: h2::Error| {
            Fault::new(
                FaultKind::ClientGone,
                format!("the client broke its stream: {error}"),
            )
        };
        if let Some(interim) = self.awaiting_continue.take() {
            interim.push(100, Headers::new());
        }
        while self.chunk.is_empty() && !self.ended {
            match ready!(self.body.poll_data(cx)) {
                Some(chunk) => {
                    self.chunk = chunk.map_err(broken)?;
                    if self.chunk.is_empty() && self.body.is_end_stream() {
                        self.ended = true;
                    }
                }
                None => {
                    let trailers = ready!(self.body.poll_trailers(cx)).map_err(broken)?;
                    self.trailers = trailers.map(|t| trailer_list(&t));
                    self.ended = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn used(&mut self, n: usize) {
        // Fails only for a stream that is gone, which the next read reports.
        let _ = self.body.flow_control().release_capacity(n);
        self.received.set(self.received.get() + n as u64);
        if let Some(left) = &mut self.length {
            *left = left.saturating_sub(n as u64);
        }
    }
}

impl Source for StreamBody {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        ready!(self.poll_next(cx))?;
        Poll::Ready(Ok(&self.chunk))
    }
    fn consume(&mut self, n: usize) {
        bytes::Buf::advance(&mut self.chunk, n);
        self.used(n);
    }
    fn length(&self) -> Option<u64> {
        self.length
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        ready!(self.poll_next(cx))?;
        let chunk = std::mem::take(&mut self.chunk);
        self.used(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

/// Trailers that may be passed on (A18).
fn trailer_list(map: &http::HeaderMap) -> Headers {
    let fields = map.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let mut trailers: Headers = fields.collect();
    trailers.retain(|known, name, _| trilithon_wire::may_trail(known, name));
    trailers
}

/// Header fields as the library wants them; hop-by-hop fields have no place in HTTP/2 (RFC 9113 §8.2.2).
fn header_map(headers: &Headers, keep_content_length: bool) -> http::HeaderMap {
    let mut map = http::HeaderMap::with_capacity(headers.len() + 2);
    for (known, name, value) in headers.iter_known() {
        let dropped = known.is_hop_by_hop() || known == Known::ContentLength && !keep_content_length;
        if dropped && known != Known::Trailer {
            continue;
        }
        if let (Some(name), Ok(value)) = (header_name(known, name), http::HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    map
}

/// A name as the library wants it. Known ones were read once.
fn header_name(known: Known, name: &[u8]) -> Option<http::HeaderName> {
    static KNOWN: LazyLock<Vec<Option<http::HeaderName>>> = LazyLock::new(|| {
        let all = Known::all().iter();
        all.map(|known| http::HeaderName::from_bytes(known.name().as_bytes()).ok())
            .collect()
    });
    match known {
        Known::Other => http::HeaderName::from_bytes(name).ok(),
        known => KNOWN[known as usize].clone(),
    }
}

fn send_head(
    respond: &mut SendResponse<Bytes>,
    res: &Response,
    shared: &Shared,
    is_head: bool,
    end: bool,
) -> Result<SendStream<Bytes>, h2::Error> {
    let mut head = http::Response::new(());
    *head.status_mut() =
        http::StatusCode::from_u16(res.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut map = header_map(&res.headers, is_head || res.status == 304);
    if !status::is_bodiless(res.status)
        && let Some(length) = res.body.length()
        && !(is_head && (length == 0 || map.contains_key(http::header::CONTENT_LENGTH)))
    {
        map.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(length));
    }
    if !res.headers.has(Known::Date)
        && let Ok(date) = http::HeaderValue::from_bytes(&shared.worker.date())
    {
        map.insert(http::header::DATE, date);
    }
    *head.headers_mut() = map;
    respond.send_response(head, end)
}

/// Sends a body as the client's window allows; gives the bytes sent.
async fn send_body(mut stream: SendStream<Bytes>, mut body: Body, cx: &mut Exchange) -> Result<u64, Fault> {
    let gone = |_| Fault::new(FaultKind::ClientGone, "the client reset the stream");
    let mut sent = 0u64;
    loop {
        let next = poll_fn(|cx| match body.poll_chunk(cx) {
            Poll::Ready(chunk) => Poll::Ready(Some(chunk)),
            Poll::Pending => stream.poll_reset(cx).map(|_| None),
        });
        let chunk = match next.await {
            None => return Err(gone(())),
            Some(Err(fault)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Err(fault);
            }
            Some(Ok(chunk)) => chunk,
        };
        if chunk.is_empty() {
            return end_body(stream, body.trailers(), cx)
                .map(|()| sent)
                .map_err(|_| gone(()));
        }
        sent += chunk.len() as u64;
        let last = body.length() == Some(0);
        send_chunk(&mut stream, chunk, last).await?;
        if last {
            // The source is asked once more, so that it sees its end and gives its connection back.
            let _ = poll_fn(|cx| Poll::Ready(body.poll_chunk(cx).is_ready())).await;
            return Ok(sent);
        }
    }
}

async fn send_chunk(stream: &mut SendStream<Bytes>, mut chunk: Bytes, last: bool) -> Result<(), Fault> {
    let gone = |_| Fault::new(FaultKind::ClientGone, "the client reset the stream");
    while !chunk.is_empty() {
        stream.reserve_capacity(chunk.len().min(SEND_BYTES));
        if stream.capacity() == 0 {
            let opened = poll_fn(|cx| stream.poll_capacity(cx));
            match tokio::time::timeout(STALLED_WINDOW, opened).await {
                Ok(Some(Ok(_))) => {}
                Ok(_) => return Err(gone(())),
                Err(_) => {
                    stream.send_reset(Reason::ENHANCE_YOUR_CALM);
                    return Err(Fault::new(
                        FaultKind::ClientTimeout,
                        "the client opened no window",
                    ));
                }
            }
            continue;
        }
        let piece = chunk.split_to(stream.capacity().min(chunk.len()));
        let end = last && chunk.is_empty();
        stream.send_data(piece, end).map_err(|_| gone(()))?;
    }
    Ok(())
}

fn end_body(
    mut stream: SendStream<Bytes>,
    trailers: Option<Headers>,
    cx: &mut Exchange,
) -> Result<(), h2::Error> {
    let Some(trailers) = trailers.filter(|t| !t.is_empty()) else {
        return stream.send_data(Bytes::new(), true);
    };
    cx.record.grpc_status = cx.record.grpc_status.or_else(|| grpc_status(&trailers));
    stream.send_trailers(header_map(&trailers, false))
}

/// `Grpc-Status` of a header or trailer list.
pub fn grpc_status(headers: &Headers) -> Option<u32> {
    std::str::from_utf8(headers.known(Known::GrpcStatus)?)
        .ok()?
        .parse()
        .ok()
}

/// Joins an extended CONNECT stream with the upgraded upstream.
async fn upgrade(
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
