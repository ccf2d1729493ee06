//! The HTTP/1.1 door: heads in, responses out, one exchange after the other on one connection.

use super::client::{Client, Rest};
use super::{refuse, tunnel};
use crate::entry_point::EntryPoint;
use crate::serve;
use crate::worker::Worker;
use std::borrow::Cow;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::{
    Body, Connection, Exchange, Fault, FaultKind, Headers, Interim, Known, Method, Request, Response, Side,
    Target, Upgraded, Version, limits, status,
};
use trilithon_wire::body::Step;
use trilithon_wire::{Buffer, Framing, HeadLimits, Reject, ResponseFraming, encode, head};

/// Chunks up to this size are copied behind the head and sent with it; larger ones are written from where they are.
const COPY_BYTES: usize = 8 * 1024;
/// Bytes collected before they are written.
const OUT_BYTES: usize = 32 * 1024;
/// Longest time a write may make no progress where the entry point sets no `writeTimeout`.
const STALLED_WRITE: Duration = Duration::from_secs(180);
/// Time for a client to take the last answer and close.
const LINGER: Duration = Duration::from_millis(500);

/// One HTTP/1 connection.
pub struct Http1 {
    client: Rc<Client>,
    connection: Rc<Connection>,
    interim: Rc<Interim>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    opened: Instant,
    served: u64,
}

/// A head, taken off the connection.
struct Taken {
    req: Request,
    framing: Framing,
    keep_alive: bool,
    expect_continue: bool,
}

/// What follows an exchange.
enum After {
    KeepAlive,
    Close,
}

/// Serves a connection until either side ends it. `buffer` holds what was read ahead.
///
/// Not an `async fn`: its arguments would stay where they were, beside what was made of them.
pub fn serve(
    stream: crate::stream::Stream,
    buffer: Buffer,
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) -> impl Future<Output = ()> {
    let write_timeout = if entry_point.write_timeout.is_zero() {
        STALLED_WRITE
    } else {
        entry_point.write_timeout
    };
    let deadline = worker.timer.deadline();
    deadline.set(entry_point.read_timeout);
    let client = Client::new(stream, buffer, deadline, write_timeout);
    let mut door = Http1 {
        client,
        connection,
        interim: Rc::default(),
        entry_point,
        worker,
        opened: Instant::now(),
        served: 0,
    };
    async move {
        while door.wait().await {
            // Boxed, so that an idle connection does not hold the space of a busy one.
            match Box::pin(door.exchange()).await {
                Ok(After::KeepAlive) => {}
                Ok(After::Close) | Err(_) => break,
            }
        }
        door.close().await;
    }
}

impl Http1 {
    /// Waits for the first byte of a request.
    async fn wait(&mut self) -> bool {
        if !self.client.buffer.borrow().is_empty() {
            return true;
        }
        poll_fn(|cx| {
            if let Poll::Ready(read) = self.client.poll_read(cx) {
                return Poll::Ready(matches!(read, Ok(n) if n > 0));
            }
            if self.client.deadline.poll(cx).is_ready() || self.is_to_end() {
                return Poll::Ready(false);
            }
            Poll::Pending
        })
        .await
    }

    /// Whether the doors are closed and nobody who has just come in waits to speak.
    fn is_to_end(&self) -> bool {
        self.entry_point.doors.are_closed() && (self.served > 0 || self.opened.elapsed() > super::SPEAKS)
    }

    /// One request and its response.
    async fn exchange(&mut self) -> io::Result<After> {
        if self.served > 0 {
            self.client.deadline.set(self.entry_point.read_timeout);
        }
        self.served += 1;
        let Some(Taken {
            mut req,
            framing,
            keep_alive,
            expect_continue,
        }) = self.head().await?
        else {
            return Ok(After::Close);
        };
        let answer_by = self.answer_by();
        // What follows a CONNECT is talk with somebody else, never the next request.
        let keep_alive = keep_alive && req.method != Method::Connect;
        match framing {
            Framing::None | Framing::Length(0) => self.client.deadline.clear(),
            framing => req.body = Body::from_source(self.client.lend_body(framing, expect_continue)),
        }
        let (is_head, version) = (req.method == Method::Head, req.version);
        let mut cx = serve::begin(
            &self.worker,
            &self.entry_point,
            &self.connection,
            &self.interim,
            &req,
        );
        let has_body = !req.body.is_empty();
        let answer = {
            let reply = pin!(serve::respond(&self.worker, &self.entry_point, req, &mut cx));
            self.drive(reply, version != Version::Http10).await
        };
        let Some(mut res) = answer else {
            cx.record.fault = Some(Fault::new(
                FaultKind::ClientGone,
                "the client closed before the answer",
            ));
            serve::finish(&self.worker, &mut cx, 499, 0);
            return Ok(After::Close);
        };
        let keep_alive = !self.report_body() && keep_alive && self.may_keep_alive();
        if matches!(&cx.record.fault, Some(f) if f.kind == FaultKind::ClientTimeout) {
            serve::finish(&self.worker, &mut cx, 408, 0);
            return Ok(After::Close);
        }
        cx.record.request_bytes = if has_body { self.client.received() } else { 0 };
        if let Some(upgraded) = res.upgraded.take() {
            return self.upgrade(res, upgraded, &mut cx).await;
        }
        if answer_by.is_some_and(|by| Instant::now() > by) {
            serve::finish(&self.worker, &mut cx, res.status, 0);
            return Ok(After::Close);
        }
        self.answer(&mut res, is_head, version, keep_alive, &mut cx).await
    }

    /// When `writeTimeout` is over for an answer that has not begun: a client is not answered later than that. One that
    /// has begun goes on as long as the client takes it.
    fn answer_by(&self) -> Option<Instant> {
        let timeout = self.entry_point.write_timeout;
        (!timeout.is_zero()).then(|| Instant::now() + timeout)
    }

    /// Reads and parses one head; `None` when there is none to be had. A bad one is answered here.
    async fn head(&self) -> io::Result<Option<Taken>> {
        let limits = HeadLimits {
            bytes: self.entry_point.max_header_bytes,
            fields: limits::MAX_HEADER_FIELDS,
        };
        let mut headers = Headers::new();
        loop {
            let parsed = {
                let mut buffer = self.client.buffer.borrow_mut();
                headers.clear();
                let parsed = take_head(buffer.filled(), &mut headers, &limits);
                if let Ok(Some((_, len))) = &parsed {
                    buffer.consume(*len);
                }
                parsed
            };
            match parsed {
                Ok(Some((mut taken, _))) => {
                    taken.req.headers = headers;
                    return Ok(Some(taken));
                }
                Ok(None) => {}
                Err(reject) => {
                    let foreign = refuse::is_foreign(self.client.buffer.borrow().filled());
                    if self.served == 1 && foreign {
                        // No answer in HTTP to what is none: it would only be taken for noise.
                        refuse::report(&self.entry_point, &self.connection, "not-http");
                        return Ok(None);
                    }
                    self.refuse(reject).await?;
                    return Ok(None);
                }
            }
            if !self.read_head(limits.bytes).await? {
                return Ok(None);
            }
        }
    }

    /// Reads on until a head may be whole or is too large; false when the client ends or is too slow.
    async fn read_head(&self, most: usize) -> io::Result<bool> {
        let seen = self.client.buffer.borrow().len();
        loop {
            let more = poll_fn(|cx| match self.client.poll_read(cx) {
                Poll::Ready(n) => Poll::Ready(n.map(Some)),
                Poll::Pending => self.client.deadline.poll(cx).map(|()| Ok(None)),
            });
            match more.await? {
                Some(0) => return Ok(false),
                Some(_) => {}
                None => {
                    refuse::report(&self.entry_point, &self.connection, "slow-head");
                    return Ok(false);
                }
            }
            let buffer = self.client.buffer.borrow();
            if buffer.len() > most || head::may_complete(buffer.filled(), seen) {
                return Ok(true);
            }
        }
    }

    /// Counts and logs why the request's body was refused, if it was.
    fn report_body(&self) -> bool {
        let reason = self.client.refused();
        if let Some(reason) = reason {
            refuse::report(&self.entry_point, &self.connection, reason);
        }
        reason.is_some()
    }

    /// Answers what is not a request, and is counted and logged as such.
    async fn refuse(&self, reject: Reject) -> io::Result<()> {
        refuse::report(&self.entry_point, &self.connection, reject.reason());
        let mut out = refuse::answer(reject);
        self.client.write(&mut out).await
    }

    /// Runs the chain; meanwhile passes interim responses on and watches whether the client is still there.
    async fn drive(
        &self,
        mut reply: Pin<&mut impl Future<Output = Response>>,
        interim_allowed: bool,
    ) -> Option<Response> {
        let mut response = None;
        while response.is_none() {
            let gone = poll_fn(|cx| {
                if let Poll::Ready(answer) = reply.as_mut().poll(cx) {
                    response = Some(answer);
                    return Poll::Ready(false);
                }
                if !self.interim.is_empty() {
                    return Poll::Ready(false);
                }
                self.client.poll_gone(cx).map(|()| true)
            });
            if gone.await {
                return None;
            }
            match self.interim.is_empty() {
                true => {}
                false if interim_allowed => self.send_interim().await.ok()?,
                false => drop(self.interim.take()),
            }
        }
        response
    }

    async fn send_interim(&self) -> io::Result<()> {
        let mut out = OutBuffer::new();
        for (status, headers) in self.interim.take() {
            encode::response_head(
                &mut out.0,
                false,
                status,
                status::text(status),
                &headers,
                ResponseFraming::None,
                false,
                None,
            );
        }
        self.client.write(&mut out.0).await?;
        self.client.flush().await
    }

    fn may_keep_alive(&self) -> bool {
        let e = &self.entry_point;
        !(e.doors.are_closed()
            || e.keep_alive_max_requests > 0 && self.served >= e.keep_alive_max_requests
            || !e.keep_alive_max_time.is_zero() && self.opened.elapsed() >= e.keep_alive_max_time)
    }

    /// Sends a response and settles whether the connection can go on.
    async fn answer(
        &self,
        res: &mut Response,
        is_head: bool,
        version: Version,
        keep_alive: bool,
        cx: &mut Exchange,
    ) -> io::Result<After> {
        if res.status == 304 {
            // It describes no content of its own (RFC 9110 §15.4.5); Go's server leaves the type out.
            res.headers.remove_known(Known::ContentType);
        }
        let framing = framing(res, is_head, version);
        let keep_alive = keep_alive && framing != Framing::Close;
        if self.worker.telemetry.wants.response_headers {
            cx.record.response_headers = Some(res.headers.clone());
        }
        let mut out = OutBuffer::new();
        self.write_head(&mut out.0, res, framing, is_head, version, keep_alive);
        let sent = match framing {
            Framing::None => self
                .client
                .write(&mut out.0)
                .await
                .map(|()| 0)
                .map_err(|_| (0, gone())),
            framing => self.send_body(&mut res.body, framing, &mut out.0, cx).await,
        };
        let code = res.status;
        // The upstream connection goes back to its pool, and an unread request body to this connection.
        drop(std::mem::take(res));
        if sent.is_ok() {
            self.client.flush().await?;
        }
        self.client.deadline.clear();
        match sent {
            Ok(bytes) => serve::finish(&self.worker, cx, code, bytes),
            Err((bytes, fault)) => {
                if fault.side() != Side::Client && self.client.write(&mut out.0).await.is_ok() {
                    // What came before the break is the client's; that the end is missing tells it the rest.
                    let _ = self.client.flush().await;
                }
                cx.record.fault.get_or_insert(fault);
                serve::finish(&self.worker, cx, code, bytes);
                return Ok(After::Close);
            }
        }
        // A body that was still read while the answer was sent may have been refused since.
        if !self.report_body() && keep_alive {
            self.settle_body().await
        } else {
            Ok(After::Close)
        }
    }

    fn write_head(
        &self,
        out: &mut Vec<u8>,
        res: &Response,
        framing: Framing,
        is_head: bool,
        version: Version,
        keep_alive: bool,
    ) {
        let framing = match framing {
            Framing::Length(n) => ResponseFraming::Length(n),
            Framing::Chunked => ResponseFraming::Chunked,
            Framing::Close => ResponseFraming::Close,
            Framing::None if is_head && !status::is_bodiless(res.status) => {
                let declared = res
                    .headers
                    .known(Known::ContentLength)
                    .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
                let known = declared.or_else(|| res.body.length().filter(|n| *n > 0));
                known.map_or(ResponseFraming::None, ResponseFraming::Length)
            }
            Framing::None => ResponseFraming::None,
        };
        let date = self.worker.date();
        let date = (!res.headers.has(Known::Date)).then_some(&date[..]);
        encode::response_head(
            out,
            version == Version::Http10,
            res.status,
            status::text(res.status),
            &res.headers,
            framing,
            !keep_alive,
            date,
        );
    }

    /// Sends the body behind the head that is in `out`; gives the body bytes sent.
    async fn send_body(
        &self,
        body: &mut Body,
        framing: Framing,
        out: &mut Vec<u8>,
        cx: &mut Exchange,
    ) -> Result<u64, (u64, Fault)> {
        let chunked = framing == Framing::Chunked;
        let copied = if self.client.stream.borrow().is_vectored() {
            COPY_BYTES
        } else {
            usize::MAX
        };
        let mut sent = 0u64;
        loop {
            let next = self.next(body, out, copied, chunked).await;
            let (len, written) = match next.map_err(|fault| (sent, fault))? {
                Next::End => break,
                Next::Copied(len) if out.len() < OUT_BYTES => (len, Ok(())),
                Next::Copied(len) => (len, self.client.write(out).await),
                Next::Large(len) => (len, self.write_lent(body, out, len, chunked).await),
            };
            sent += len as u64;
            written.map_err(|_| (sent, gone()))?;
        }
        if let Framing::Length(n) = framing
            && n != sent
        {
            return Err((
                sent,
                Fault::new(FaultKind::Broken, "the body ended before its declared length"),
            ));
        }
        let trailers = body.trailers().filter(|t| !t.is_empty());
        if let Some(trailers) = &trailers {
            cx.record.grpc_status = cx
                .record
                .grpc_status
                .or_else(|| super::http2::grpc_status(trailers));
        }
        if chunked {
            encode::last_chunk(out, trailers.as_ref());
        }
        self.client.write(out).await.map_err(|_| (sent, gone()))?;
        Ok(sent)
    }

    /// Waits for body bytes; up to `copied` of them are put behind what is in `out`. That is sent before the wait, so that
    /// nothing at hand is held back.
    async fn next(
        &self,
        body: &mut Body,
        out: &mut Vec<u8>,
        copied: usize,
        chunked: bool,
    ) -> Result<Next, Fault> {
        let (mut written, mut sent) = (0, false);
        let next = poll_fn(|cx| {
            if let Poll::Ready(lent) = body.poll_fill(cx) {
                let len = match lent {
                    Err(fault) => return Poll::Ready(Err(fault)),
                    Ok([]) => return Poll::Ready(Ok(Next::End)),
                    Ok(data) if data.len() > copied => return Poll::Ready(Ok(Next::Large(data.len()))),
                    Ok(data) if chunked => {
                        encode::chunk_header(out, data.len());
                        out.extend_from_slice(data);
                        out.extend_from_slice(encode::CHUNK_END);
                        data.len()
                    }
                    Ok(data) => {
                        out.extend_from_slice(data);
                        data.len()
                    }
                };
                body.consume(len);
                return Poll::Ready(Ok(Next::Copied(len)));
            }
            if !sent {
                ready!(self.client.poll_send(cx, out, &mut written)).map_err(|_| gone())?;
                self.client.deadline.clear();
                sent = true;
            }
            self.client.poll_gone(cx).map(|()| Err(gone()))
        })
        .await;
        out.drain(..written);
        next
    }

    /// Writes what is in `out` and lent bytes from where they are.
    async fn write_lent(
        &self,
        body: &mut Body,
        out: &mut Vec<u8>,
        len: usize,
        chunked: bool,
    ) -> io::Result<()> {
        let end: &[u8] = if chunked { encode::CHUNK_END } else { b"" };
        if chunked {
            encode::chunk_header(out, len);
        }
        let total = out.len() + len + end.len();
        let mut at = 0;
        self.client.deadline.set(self.client.write_timeout);
        while at < total {
            at += poll_fn(|cx| {
                let Poll::Ready(Ok(data)) = body.poll_fill(cx) else {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                };
                let data = &data[..len.min(data.len())];
                let pieces = [
                    IoSlice::new(&out[at.min(out.len())..]),
                    IoSlice::new(&data[at.saturating_sub(out.len()).min(data.len())..]),
                    IoSlice::new(&end[at.saturating_sub(out.len() + data.len()).min(end.len())..]),
                ];
                self.client.poll_write(cx, &pieces)
            })
            .await?;
        }
        out.clear();
        body.consume(len);
        Ok(())
    }

    /// After a response: reads what little is left of the request's body, or gives the connection up.
    async fn settle_body(&self) -> io::Result<After> {
        let mut decoder = match self.client.rest_of_body() {
            Rest::Done => {
                self.client.deadline.set(self.entry_point.idle_timeout);
                return Ok(After::KeepAlive);
            }
            Rest::Lost => return Ok(After::Close),
            Rest::Unread(decoder) => decoder,
        };
        self.client.deadline.set(Duration::from_secs(5));
        let mut dropped = 0u64;
        while dropped <= limits::DRAIN_BYTES {
            let step = decoder.step(self.client.buffer.borrow().filled());
            match step {
                Ok(Step::Data { skip, len }) => {
                    self.client.buffer.borrow_mut().consume(skip + len);
                    decoder.consumed(len);
                    dropped += len as u64;
                }
                Ok(Step::Skip(n)) => self.client.buffer.borrow_mut().consume(n),
                Ok(Step::End { skip }) => {
                    self.client.buffer.borrow_mut().consume(skip);
                    self.client.deadline.set(self.entry_point.idle_timeout);
                    return Ok(After::KeepAlive);
                }
                Ok(Step::More) => {
                    let more = poll_fn(|cx| match self.client.poll_read(cx) {
                        Poll::Ready(n) => Poll::Ready(n),
                        Poll::Pending => self.client.deadline.poll(cx).map(|()| Ok(0)),
                    });
                    if more.await? == 0 {
                        return Ok(After::Close);
                    }
                }
                Err(reject) => {
                    refuse::report(&self.entry_point, &self.connection, reject.reason());
                    return Ok(After::Close);
                }
            }
        }
        Ok(After::Close)
    }

    /// Sends the 101 and joins the two streams.
    async fn upgrade(
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
        self.client.write(&mut out.0).await?;
        self.client.deadline.clear();
        let early = std::mem::take(&mut *self.client.buffer.borrow_mut());
        let mut io = Joined(&self.client);
        let (down, up) = tunnel::join(&mut io, early, &mut *upgraded.io, &upgraded.early).await;
        cx.record.request_bytes = up;
        serve::finish(&self.worker, cx, 101, down);
        Ok(After::Close)
    }

    /// Ends the connection so that the last answer arrives: an unread byte would turn the close into a reset.
    async fn close(&self) {
        if poll_fn(|cx| Pin::new(&mut *self.client.stream.borrow_mut()).poll_shutdown(cx))
            .await
            .is_err()
        {
            return;
        }
        self.client.deadline.set(LINGER);
        let mut left = limits::DRAIN_BYTES;
        loop {
            let had = self.client.buffer.borrow().len();
            self.client.buffer.borrow_mut().consume(had);
            let read = poll_fn(|cx| match self.client.poll_read(cx) {
                Poll::Ready(n) => Poll::Ready(n.unwrap_or(0)),
                Poll::Pending => self.client.deadline.poll(cx).map(|()| 0),
            });
            match read.await as u64 {
                0 => return,
                n if n > left => return,
                n => left -= n,
            }
        }
    }
}

/// What a body gave.
enum Next {
    /// So many bytes, which are in the output already.
    Copied(usize),
    /// So many bytes, lent.
    Large(usize),
    End,
}

fn gone() -> Fault {
    Fault::new(
        FaultKind::ClientGone,
        "the client closed before the end of the answer",
    )
}

/// How the end of a response is told (RFC 9112 §6.3).
fn framing(res: &Response, is_head: bool, version: Version) -> Framing {
    if is_head || status::is_bodiless(res.status) {
        return Framing::None;
    }
    match res.body.length() {
        Some(n) => Framing::Length(n),
        None if version == Version::Http10 => Framing::Close,
        None => Framing::Chunked,
    }
}

/// Parses one head and copies out of the buffer what the request keeps.
fn take_head(
    bytes: &[u8],
    headers: &mut Headers,
    limits: &HeadLimits,
) -> Result<Option<(Taken, usize)>, Reject> {
    let Some(head) = head::parse_request(bytes, headers, limits)? else {
        return Ok(None);
    };
    let target = serve::text(head.target);
    let mut req = Request {
        method: Method::of(head.method),
        target: Target::default(),
        version: if head.http10 {
            Version::Http10
        } else {
            Version::Http11
        },
        ..Request::default()
    };
    let keep_alive = head.keep_alive;
    if target.starts_with('/') && !target.contains('#') {
        req.target = Target::new(&target);
    } else {
        odd_target(&mut req, headers, &target)?;
    }
    if head.upgrade {
        req.upgrade = headers
            .known(Known::Upgrade)
            .map(|v| String::from_utf8_lossy(v).into());
    }
    let taken = Taken {
        req,
        framing: head.framing,
        keep_alive,
        expect_continue: head.expect_continue,
    };
    Ok(Some((taken, head.len)))
}

/// Absolute, asterisk and authority form (RFC 9112 §3.2); a fragment is refused.
fn odd_target(req: &mut Request, headers: &mut Headers, target: &str) -> Result<(), Reject> {
    if target.contains('#') {
        return Err(Reject::Fragment);
    }
    if req.method == Method::Connect || target == "*" && req.method == Method::Options {
        req.target = Target::new(target);
        return Ok(());
    }
    let scheme = ["http://", "https://"].iter().find(|s| {
        target
            .get(..s.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(s))
    });
    let rest = &target[scheme.ok_or(Reject::Target)?.len()..];
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    // The authority of the target is the host, whatever the field says (RFC 9112 §3.2.2).
    headers.set_known(Known::Host, &rest[..end]);
    let path: Cow<'_, str> = match &rest[end..] {
        "" => "/".into(),
        query if query.starts_with('?') => format!("/{query}").into(),
        path => path.into(),
    };
    req.target = Target::new(&path);
    Ok(())
}

/// Output collected before it is written; its memory is used again.
struct OutBuffer(Vec<u8>);

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl OutBuffer {
    fn new() -> OutBuffer {
        OutBuffer(
            SPARE
                .with_borrow_mut(|s| s.pop())
                .unwrap_or_else(|| Vec::with_capacity(4096)),
        )
    }
}

impl Drop for OutBuffer {
    fn drop(&mut self) {
        let mut spare = std::mem::take(&mut self.0);
        if spare.capacity() <= 2 * OUT_BYTES {
            spare.clear();
            // The store may be gone when a thread ends.
            let _ = SPARE.try_with(|s| {
                let mut s = s.borrow_mut();
                if s.len() < 128 {
                    s.push(spare);
                }
            });
        }
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
