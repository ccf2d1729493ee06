//! HTTP/1.1 with a server: one exchange on one connection, both directions at once.
//!
//! [`Upload`] writes the request, [`Waiting`] reads up to the head of the answer while the request is still being written,
//! and [`Rest`] is the body of the answer together with what is left of the request. A connection goes back to the pool as
//! soon as the last byte of both is through, and never when anything about it is in doubt.

use crate::hop;
use crate::pool::{self, Key, Room};
use crate::stream::Stream;
use crate::upload::{Upload, UploadError};
use bytes::Bytes;
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;
use trilithon_flow::{Body, Fault, FaultKind, Headers, Interim, Known, Response, Source, Upgraded, limits};
use trilithon_wire::{
    BodyDecoder, Buffer, Framing, HeadLimits, Reject, ResponseHead, Step, may_complete, parse_response,
};

/// How long a server is given to say `100 Continue` before the body is sent anyway.
const CONTINUE_TIME: Duration = Duration::from_secs(1);
const HEAD_LIMITS: HeadLimits = HeadLimits {
    bytes: limits::MAX_RESPONSE_HEAD,
    fields: limits::MAX_RESPONSE_FIELDS,
};

/// What an exchange needs to know besides the request's bytes.
pub(crate) struct Ask<'a> {
    pub home: Home,
    /// Time from the end of the request to the head of the answer.
    pub head_time: Option<Duration>,
    /// The connection has served before: it may have been closed under our hands.
    pub reused: bool,
    pub to_head: bool,
    /// Another sending does no harm.
    pub replayable: bool,
    /// The protocol that was asked for.
    pub upgrade: Option<&'a str>,
    pub interim: &'a Interim,
}

/// Where a connection goes when it has served.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub key: Key,
    pub room: Room,
}

/// An answer, and how many bytes its body has: known now, or counted as they come.
pub(crate) struct Answer {
    pub response: Response,
    pub bytes: Size,
}

pub(crate) enum Size {
    Known(u64),
    Counted(Rc<Cell<u64>>),
}

/// Reads into `buf`. While nothing comes, no memory is held.
fn read(stream: &mut Stream, buf: &mut Buffer, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let polled = stream.poll_read_buffer(cx, buf);
    if polled.is_pending() {
        buf.release();
    }
    polled
}

// ── up to the head ──────────────────────────────────────────────────────────────────────────────────────────────────

/// One exchange up to the head of the answer. Dropping it closes the connection.
pub(crate) struct Waiting<'a> {
    stream: Option<Stream>,
    upload: Upload,
    /// All of the request is written, or no more of it can be.
    sent: bool,
    /// Writing failed. An answer may be there all the same.
    broken: bool,
    buf: Buffer,
    /// Bytes of `buf` that hold no complete head.
    seen: usize,
    headers: Headers,
    interims: usize,
    timer: Option<Pin<Box<Sleep>>>,
    ask: Ask<'a>,
}

/// What ends an exchange before there is a head.
pub(crate) enum Why {
    /// The connection ended or broke; the error if there was one.
    Closed(Option<io::Error>),
    Refused(Reject),
    TooManyInterims,
    Late,
    Body(Fault),
}

impl<'a> Waiting<'a> {
    /// Without a connection it [needs](Waiting::needs_connection) one first.
    pub fn new(stream: Option<Stream>, upload: Upload, ask: Ask<'a>) -> Waiting<'a> {
        let timer = upload
            .is_held()
            .then(|| Box::pin(tokio::time::sleep(CONTINUE_TIME)));
        Waiting {
            stream,
            upload,
            sent: false,
            broken: false,
            buf: Buffer::new(),
            seen: 0,
            headers: Headers::new(),
            interims: 0,
            timer,
            ask,
        }
    }

    /// Whether there is no connection to go out on.
    pub fn needs_connection(&self) -> bool {
        self.stream.is_none()
    }

    /// Goes out on a new connection.
    pub fn connect(&mut self, stream: Stream) {
        self.ask.reused = false;
        self.stream = Some(stream);
    }

    /// Whether a kept connection was gone before it said a word, and the same request may go out on another one.
    pub fn is_stale(&self, why: &Why) -> bool {
        self.ask.reused
            && matches!(why, Why::Closed(_))
            && self.buf.is_empty()
            && self.interims == 0
            && self.upload.can_rewind(self.ask.replayable)
    }

    /// Back to where a connection is needed.
    pub fn restart(&mut self) {
        self.stream = None;
        self.sent = false;
        self.broken = false;
        self.upload.rewind();
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, Why>> {
        loop {
            if !self.sent {
                self.poll_upload(cx)?;
            }
            let Some(stream) = &mut self.stream else {
                return Poll::Ready(Err(Why::Closed(None)));
            };
            match read(stream, &mut self.buf, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Why::Closed(None))),
                Poll::Ready(Ok(_)) => {
                    if let Some(head) = self.parse()? {
                        return Poll::Ready(Ok(head));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Why::Closed(Some(error)))),
                Poll::Pending => {
                    let Some(timer) = &mut self.timer else {
                        return Poll::Pending;
                    };
                    ready!(timer.as_mut().poll(cx));
                    self.timer = None;
                    if !self.upload.is_held() {
                        return Poll::Ready(Err(Why::Late));
                    }
                    self.upload.let_go();
                }
            }
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Why> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        match self.upload.poll(stream, cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(UploadError::Write)) => self.broken = true,
            Poll::Ready(Err(UploadError::Body(fault))) => return Err(Why::Body(fault)),
        }
        self.sent = true;
        self.timer = self.ask.head_time.map(|time| Box::pin(tokio::time::sleep(time)));
        Ok(())
    }

    /// Looks for a head in what has been read. Interim answers are passed on.
    fn parse(&mut self) -> Result<Option<ResponseHead>, Why> {
        loop {
            let filled = self.buf.filled();
            // A head that comes in drops is looked at when it may be complete, not at every drop.
            if self.seen > 0 && filled.len() < HEAD_LIMITS.bytes && !may_complete(filled, self.seen) {
                self.seen = filled.len();
                return Ok(None);
            }
            let parsed = parse_response(filled, &mut self.headers, &HEAD_LIMITS, self.ask.to_head, false);
            let Some(head) = parsed.map_err(Why::Refused)? else {
                self.seen = filled.len();
                return Ok(None);
            };
            self.buf.consume(head.len);
            self.seen = 0;
            if head.status >= 200 || head.status == 101 {
                return Ok(Some(head));
            }
            self.interim(head.status)?;
            if self.buf.is_empty() {
                return Ok(None);
            }
        }
    }

    /// A 100 lets the body go, and is not passed on: when the body is read, the client's side says it by itself.
    fn interim(&mut self, status: u16) -> Result<(), Why> {
        self.interims += 1;
        if self.interims > limits::MAX_INTERIM {
            return Err(Why::TooManyInterims);
        }
        if status == 100 {
            if self.upload.is_held() {
                self.upload.let_go();
                self.timer = None;
            }
        } else {
            let mut headers = std::mem::replace(&mut self.headers, Headers::new());
            hop::strip(&mut headers);
            self.ask.interim.push(status, headers);
        }
        Ok(())
    }

    /// What is told of it.
    pub fn fault(self, why: Why) -> Fault {
        let fault = match why {
            Why::Closed(Some(error)) if self.buf.is_empty() => Fault::new(
                FaultKind::Closed,
                format!("the server broke the connection: {error}"),
            ),
            Why::Closed(_) if self.buf.is_empty() => Fault::new(
                FaultKind::Closed,
                "the server closed the connection without an answer",
            ),
            Why::Closed(_) => Fault::new(
                FaultKind::Malformed,
                "the server closed the connection inside the head",
            ),
            Why::Refused(reject) => {
                Fault::new(FaultKind::Malformed, format!("the answer is malformed: {reject}"))
            }
            Why::TooManyInterims => Fault::new(FaultKind::Malformed, "too many interim answers"),
            Why::Late => Fault::new(FaultKind::ResponseTimeout, "the server gave no answer in time"),
            Why::Body(fault) => fault,
        };
        Fault {
            unsent: !self.upload.wrote(),
            ..fault
        }
    }

    /// Makes the response, and decides what becomes of the connection.
    pub fn answer(mut self, head: ResponseHead) -> Result<Answer, Fault> {
        let mut response = Response {
            status: head.status,
            ..Response::default()
        };
        if head.status == 101 {
            return self.switch(response);
        }
        hop::strip(&mut self.headers);
        response.headers = self.headers;
        let reusable = head.keep_alive && !self.broken && !self.upload.is_held();
        let home = reusable.then_some(self.ask.home);
        // Most answers are here in full: then the connection is free before the answer is even passed on.
        if let Some(whole) = whole(head.framing, &self.buf) {
            if self.sent && self.buf.len() == whole {
                keep(self.stream, home);
            }
            if whole > 0 {
                response.body = Body::from_source(Held {
                    buf: self.buf,
                    left: whole,
                });
            }
            return Ok(Answer {
                response,
                bytes: Size::Known(whole as u64),
            });
        }
        let bytes = match head.framing {
            Framing::Length(n) => Size::Known(n),
            _ => Size::Counted(Rc::default()),
        };
        response.body = Body::from_source(Rest {
            stream: self.stream,
            buf: self.buf,
            decoder: BodyDecoder::new(head.framing),
            lent: 0,
            upload: (!self.sent && !self.upload.is_held()).then(|| Box::new(self.upload)),
            home,
            trailers: None,
            failed: None,
            count: if let Size::Counted(count) = &bytes {
                Some(count.clone())
            } else {
                None
            },
        });
        Ok(Answer { response, bytes })
    }

    /// The server leaves HTTP: only if it was asked to, and for the protocol that was asked for.
    fn switch(self, mut response: Response) -> Result<Answer, Fault> {
        let to = self.headers.known(Known::Upgrade).unwrap_or_default();
        let asked = self
            .ask
            .upgrade
            .is_some_and(|asked| to.eq_ignore_ascii_case(asked.as_bytes()));
        if !asked {
            let to = String::from_utf8_lossy(to);
            return Err(Fault::new(
                FaultKind::Malformed,
                format!("the server switched to `{to}`, which was not asked for"),
            ));
        }
        let to = to.to_vec();
        response.headers = self.headers;
        hop::strip(&mut response.headers);
        // Hop-by-hop, but what the client must be told.
        response.headers.append("Upgrade", to);
        let early = Bytes::copy_from_slice(self.buf.filled());
        response.upgraded = self.stream.map(|stream| {
            let io = Box::new(stream);
            Box::new(Upgraded { io, early })
        });
        Ok(Answer {
            response,
            bytes: Size::Known(0),
        })
    }
}

/// The length of a body that is already read in full.
fn whole(framing: Framing, buf: &Buffer) -> Option<usize> {
    match framing {
        Framing::None => Some(0),
        Framing::Length(n) if n <= buf.len() as u64 => Some(n as usize),
        _ => None,
    }
}

/// Back to the pool, or closed when it has no home.
fn keep(stream: Option<Stream>, home: Option<Home>) {
    if let (Some(stream), Some(home)) = (stream, home) {
        pool::put(home.key, stream, home.room);
    }
}

// ── the body of the answer ──────────────────────────────────────────────────────────────────────────────────────────

/// A body that was read together with the head. Bytes behind it belong to nobody.
struct Held {
    buf: Buffer,
    left: usize,
}

impl Source for Held {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        Poll::Ready(Ok(&self.buf.filled()[..self.left]))
    }

    fn consume(&mut self, n: usize) {
        self.buf.consume(n);
        self.left -= n;
        if self.left == 0 {
            // The client may take its time with what it was given.
            self.buf.release();
        }
    }

    fn length(&self) -> Option<u64> {
        Some(self.left as u64)
    }
}

/// A body that is still coming, and what is left of the request.
struct Rest {
    /// Gone when the body has ended.
    stream: Option<Stream>,
    buf: Buffer,
    decoder: BodyDecoder,
    /// Bytes at the start of `buf` that are data.
    lent: usize,
    upload: Option<Box<Upload>>,
    /// Absent when the connection is not to be used again.
    home: Option<Home>,
    trailers: Option<Headers>,
    failed: Option<Fault>,
    count: Option<Rc<Cell<u64>>>,
}

impl Rest {
    /// Makes data lie at the start of the buffer, or ends the body.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.poll_upload(cx)?;
        while self.lent == 0 && self.stream.is_some() {
            match self.decoder.step(self.buf.filled()) {
                Ok(Step::Data { skip, len }) => {
                    self.buf.consume(skip);
                    self.lent = len;
                }
                Ok(Step::Skip(n)) => self.buf.consume(n),
                Ok(Step::End { skip }) => {
                    self.buf.consume(skip);
                    self.finish();
                }
                Ok(Step::More) => ready!(self.poll_read(cx))?,
                Err(reject) => return Poll::Ready(Err(broken(&reject))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Ok(()));
        };
        match ready!(read(stream, &mut self.buf, cx)) {
            Ok(0) => {
                self.decoder.eof().map_err(|reject| broken(&reject))?;
                self.home = None;
                self.finish();
                Poll::Ready(Ok(()))
            }
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(broken(&error))),
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let (Some(upload), Some(stream)) = (&mut self.upload, &mut self.stream) else {
            return Ok(());
        };
        match upload.poll(stream, cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            // The server reads no more. What it still says may be complete.
            Poll::Ready(Err(UploadError::Write)) => self.home = None,
            Poll::Ready(Err(UploadError::Body(fault))) => return Err(fault),
        }
        self.upload = None;
        Ok(())
    }

    /// The body has ended. The connection is free if the request has ended too and nothing is left over.
    fn finish(&mut self) {
        self.trailers = self.decoder.take_trailers();
        let stream = self.stream.take();
        if self.upload.take().is_none() && self.buf.is_empty() {
            keep(stream, self.home);
        }
    }
}

impl Source for Rest {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if let Some(fault) = &self.failed {
            return Poll::Ready(Err(fault.clone()));
        }
        if self.lent == 0
            && let Err(fault) = ready!(self.poll_data(cx))
        {
            self.stream = None;
            self.upload = None;
            self.failed = Some(fault.clone());
            return Poll::Ready(Err(fault));
        }
        Poll::Ready(Ok(&self.buf.filled()[..self.lent]))
    }

    fn consume(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        self.buf.consume(n);
        self.lent -= n;
        self.decoder.consumed(n);
        if let Some(count) = &self.count {
            count.set(count.get() + n as u64);
        }
        if self.lent == 0 && self.decoder.is_done() {
            self.finish();
        }
    }

    fn length(&self) -> Option<u64> {
        self.decoder.remaining().filter(|_| self.count.is_none())
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

fn broken(why: &dyn std::fmt::Display) -> Fault {
    Fault::new(FaultKind::Broken, format!("the answer broke off: {why}"))
}

#[cfg(test)]
mod tests;
