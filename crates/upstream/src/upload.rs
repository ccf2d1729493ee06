//! A request on its way out over HTTP/1.1: its head as bytes, then its body as it comes.
//!
//! Head and first bytes of the body go out in one write. The body is framed by what it is, never by what a header says.

use crate::hop;
use crate::proxy::Proxy;
use crate::stream::Stream;
use crate::{Origin, Scheme};
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use trilithon_flow::{Body, Fault, FaultKind, Headers, Known, Request};
use trilithon_wire::{Framing, RequestOptions, encode};

thread_local! {
    static HEADS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}
/// Head buffers kept for reuse per thread, and the largest one kept.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 16 * 1024;

/// A request on its way out.
pub(crate) struct Upload {
    /// The head, later the framing of one chunk.
    out: Vec<u8>,
    /// Bytes of `out` that are written.
    at: usize,
    body: Body,
    chunked: bool,
    /// Bytes still to be written of the body, or of the chunk that was begun.
    left: u64,
    /// Chunks begun.
    chunks: usize,
    /// Nothing follows what is in `out`.
    ended: bool,
    /// The body waits for `100 Continue`.
    held: bool,
    /// A part of the body is used up: the request cannot be sent again.
    touched: bool,
    /// A byte was written.
    wrote: bool,
}

pub(crate) enum UploadError {
    /// The connection broke.
    Write,
    /// The body itself broke, or is not as long as was said.
    Body(Fault),
}

impl Upload {
    /// Encodes the head and takes the body.
    pub fn new(origin: &Origin, req: &mut Request) -> Upload {
        let body = req.body.take();
        let framing = body.length().map_or(Framing::Chunked, Framing::Length);
        let mut out = HEADS.with_borrow_mut(Vec::pop).unwrap_or_default();
        write_head(&mut out, origin, req, framing);
        let ended = framing.is_empty();
        Upload {
            out,
            at: 0,
            body,
            chunked: framing == Framing::Chunked,
            left: if let Framing::Length(n) = framing { n } else { 0 },
            chunks: 0,
            ended,
            held: !ended && expects_continue(&req.headers),
            touched: false,
            wrote: false,
        }
    }

    /// Whether the body waits for `100 Continue`.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Lets a held body go.
    pub fn let_go(&mut self) {
        self.held = false;
    }

    /// Whether any byte went out.
    pub fn wrote(&self) -> bool {
        self.wrote
    }

    /// Whether it can be sent from its start once more.
    pub fn can_rewind(&self, replayable: bool) -> bool {
        !self.touched && (replayable || !self.wrote)
    }

    /// Back to the start. Only if it [can](Upload::can_rewind).
    pub fn rewind(&mut self) {
        self.at = 0;
        self.wrote = false;
    }

    /// Writes what can be written; ready when nothing is left.
    #[inline]
    pub fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), UploadError>> {
        loop {
            let data = match self.next(cx) {
                Ok(len) => len,
                Err(fault) => return Poll::Ready(Err(UploadError::Body(fault))),
            };
            if data == 0 && self.at == self.out.len() {
                ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(|_| UploadError::Write)?;
                if !self.ended {
                    return Poll::Pending;
                }
                // Given back at once: while it is out, nobody looks whether the client is still there.
                self.body = Body::default();
                return Poll::Ready(Ok(()));
            }
            ready!(self.write(data, stream, cx)).map_err(|_| UploadError::Write)?;
        }
    }

    /// How many bytes of the body may be written now; the framing in front of them is in `out`.
    fn next(&mut self, cx: &mut Context<'_>) -> Result<usize, Fault> {
        if self.ended || self.held {
            return Ok(0);
        }
        let lent = match self.body.poll_fill(cx) {
            Poll::Pending => return Ok(0),
            Poll::Ready(lent) => lent?.len(),
        };
        match (lent, self.chunked) {
            (0, true) => self.last_chunk(),
            (0, false) => {
                let left = self.left;
                let why = format!("the request body ended {left} bytes before its length");
                return Err(Fault::new(FaultKind::ClientGone, why));
            }
            (_, true) if self.left == 0 => self.begin_chunk(lent),
            _ => {}
        }
        Ok(lent.min(usize::try_from(self.left).unwrap_or(usize::MAX)))
    }

    fn begin_chunk(&mut self, len: usize) {
        self.make_room();
        if self.chunks > 0 {
            self.out.extend_from_slice(encode::CHUNK_END);
        }
        encode::chunk_header(&mut self.out, len);
        self.left = len as u64;
        self.chunks += 1;
    }

    fn last_chunk(&mut self) {
        self.make_room();
        if self.chunks > 0 {
            self.out.extend_from_slice(encode::CHUNK_END);
        }
        encode::last_chunk(&mut self.out, self.body.trailers().as_ref());
        self.touched = true;
        self.ended = true;
    }

    /// Drops what is written of `out`, once all of it is: the head is needed for a second sending.
    fn make_room(&mut self) {
        if self.at == self.out.len() {
            self.out.clear();
            self.at = 0;
            self.touched = true;
        }
    }

    /// Writes the rest of `out` and `data` bytes of the body.
    fn write(&mut self, data: usize, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = Pin::new(stream);
        let head = &self.out[self.at..];
        let body = match data {
            0 => &[],
            // Lent a moment ago and not consumed since, so it is lent again.
            data => match self.body.poll_fill(cx) {
                Poll::Ready(Ok(lent)) => &lent[..data.min(lent.len())],
                _ => &[],
            },
        };
        let written = match (head, body) {
            (head, []) => stream.poll_write(cx, head),
            ([], body) => stream.poll_write(cx, body),
            (head, body) => stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]),
        };
        let n = ready!(written)?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_head = n.min(head.len());
        self.wrote = true;
        self.at += of_head;
        self.consume(n - of_head);
        Poll::Ready(Ok(()))
    }

    fn consume(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        self.touched = true;
        self.body.consume(n);
        self.left -= n as u64;
        // A body of known length ends here: its source is not asked for more.
        self.ended = self.left == 0 && !self.chunked;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        if out.capacity() == 0 || out.capacity() > KEPT_BYTES {
            return;
        }
        out.clear();
        // When the thread ends the store may be gone already; then the memory is simply freed.
        let _ = HEADS.try_with(|heads| {
            let mut heads = heads.borrow_mut();
            if heads.len() < KEPT {
                heads.push(out);
            }
        });
    }
}

fn write_head(out: &mut Vec<u8>, origin: &Origin, req: &Request, framing: Framing) {
    let options = RequestOptions {
        upgrade: req.upgrade.as_deref().map(str::as_bytes),
        te_trailers: hop::allows_trailers(&req.headers),
        close: false,
    };
    let target = match req.target.as_str() {
        "" => "/",
        target => target,
    };
    match origin.proxy.filter(|_| origin.scheme == Scheme::Http) {
        None => encode::request_head(out, req.method.as_str(), target, &req.headers, framing, options),
        Some(proxy) => {
            let absolute = format!("http://{}{target}", origin.authority);
            encode::request_head(
                out,
                req.method.as_str(),
                &absolute,
                &req.headers,
                framing,
                options,
            );
            authorize(out, proxy);
        }
    }
}

/// Adds the proxy's credentials to a head: a hop-by-hop field that no header list may bring in.
fn authorize(out: &mut Vec<u8>, proxy: &Proxy) {
    if let Some(authorization) = &proxy.authorization {
        out.truncate(out.len() - 2);
        out.extend_from_slice(format!("Proxy-Authorization: {authorization}\r\n\r\n").as_bytes());
    }
}

fn expects_continue(headers: &Headers) -> bool {
    headers
        .known(Known::Expect)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"100-continue"))
}
