//! Flood budgets of an HTTP/2 connection: cheap frames that make the server work are counted per second, and heads, which
//! grow when they are decoded, are let in a few at a time.
//!
//! The frames are seen by their nine-byte headers on the way in, before the HTTP/2 library acts on them. Budgets belong to
//! the window, never to the streams that were ever opened: a long connection earns nothing.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::limits;

const PREFACE_LEN: usize = 24;
const FRAME_HEADER_LEN: usize = 9;
const HEADERS: u8 = 0x1;

/// Frames of a kind that are allowed within one window.
const MAX_PINGS: u32 = 100;
const MAX_SETTINGS: u32 = 50;
const MAX_EMPTY_DATA: u32 = 100;
const MAX_PRIORITIES: u32 = 500;
const MAX_WINDOW_UPDATES: u32 = 20_000;
/// CONTINUATION frames of one header list.
const MAX_CONTINUATIONS: u32 = 16;
/// Bytes of heads that the library is given before those it has are taken from it: a byte may stand for a whole field. One
/// head more is let in than fits.
const HEADS_BYTES: usize = 512;

/// Follows the frames of one connection and says when a budget is used up.
pub struct Scanner {
    head: [u8; FRAME_HEADER_LEN],
    have: usize,
    skip: usize,
    window: Instant,
    resets: u32,
    pings: u32,
    settings: u32,
    empty_data: u32,
    priorities: u32,
    window_updates: u32,
    continuations: u32,
    /// Bytes of heads that were let in since [`Scanner::let_heads_in`].
    heads: usize,
}

/// How far the bytes that arrived may be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    All,
    /// The rest begins with a head that must wait.
    Only(usize),
}

impl Scanner {
    pub fn new(now: Instant) -> Scanner {
        Scanner {
            head: [0; FRAME_HEADER_LEN],
            have: 0,
            skip: PREFACE_LEN,
            window: now,
            resets: 0,
            pings: 0,
            settings: 0,
            empty_data: 0,
            priorities: 0,
            window_updates: 0,
            continuations: 0,
            heads: 0,
        }
    }

    /// The heads so far have been taken from the library.
    pub fn let_heads_in(&mut self) {
        // One that is still coming counts.
        self.heads = if self.head[3] == HEADERS { self.skip } else { 0 };
    }

    /// Looks at bytes as they arrive, up to the first that must wait; names the budget that they used up.
    pub fn see(&mut self, arrived: &[u8], now: Instant) -> Result<Seen, &'static str> {
        let mut bytes = arrived;
        if now.duration_since(self.window) >= Duration::from_secs(limits::H2_WINDOW_SECONDS) {
            *self = Scanner {
                head: self.head,
                have: self.have,
                skip: self.skip,
                heads: self.heads,
                ..Scanner::new(now)
            };
        }
        while !bytes.is_empty() {
            if self.skip > 0 {
                let n = self.skip.min(bytes.len());
                self.skip -= n;
                bytes = &bytes[n..];
                continue;
            }
            let n = (FRAME_HEADER_LEN - self.have).min(bytes.len());
            self.head[self.have..self.have + n].copy_from_slice(&bytes[..n]);
            self.have += n;
            bytes = &bytes[n..];
            if self.have == FRAME_HEADER_LEN {
                self.have = 0;
                self.skip = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]) as usize;
                self.frame()?;
                if self.head[3] == HEADERS {
                    let waits = self.heads >= HEADS_BYTES;
                    self.heads += self.skip;
                    if waits {
                        return Ok(Seen::Only(arrived.len() - bytes.len()));
                    }
                }
            }
        }
        Ok(Seen::All)
    }

    fn frame(&mut self) -> Result<(), &'static str> {
        const END_STREAM: u8 = 1;
        let (kind, flags) = (self.head[3], self.head[4]);
        if kind != 0x9 {
            self.continuations = 0;
        }
        let (counter, most, reason) = match kind {
            0x0 if self.skip == 0 && flags & END_STREAM == 0 => {
                (&mut self.empty_data, MAX_EMPTY_DATA, "h2-empty-data-flood")
            }
            0x2 => (&mut self.priorities, MAX_PRIORITIES, "h2-priority-flood"),
            0x3 => (&mut self.resets, limits::H2_MAX_RESETS, "h2-rapid-reset"),
            0x4 => (&mut self.settings, MAX_SETTINGS, "h2-settings-flood"),
            0x6 => (&mut self.pings, MAX_PINGS, "h2-ping-flood"),
            0x8 => (
                &mut self.window_updates,
                MAX_WINDOW_UPDATES,
                "h2-window-update-flood",
            ),
            0x9 => (
                &mut self.continuations,
                MAX_CONTINUATIONS,
                "h2-continuation-flood",
            ),
            _ => return Ok(()),
        };
        *counter += 1;
        if *counter > most { Err(reason) } else { Ok(()) }
    }
}

/// What the door and the stream below its library tell each other.
#[derive(Default)]
pub struct Watch {
    /// The budget that is used up.
    pub exceeded: Cell<Option<&'static str>>,
    /// A head waits until those before it are taken.
    waits: Cell<bool>,
    /// They are taken.
    taken: Cell<bool>,
}

impl Watch {
    /// Says that the library has no head left.
    pub fn let_heads_in(&self) {
        self.taken.set(true);
        self.waits.set(false);
    }

    /// Whether the library was told that there is nothing while a head waits.
    pub fn holds_back(&self) -> bool {
        self.waits.get()
    }
}

/// A stream whose incoming frames are counted.
pub struct Watched<S> {
    inner: S,
    scanner: Scanner,
    watch: Rc<Watch>,
    /// Bytes that were read, and wait.
    held: Vec<u8>,
    /// What comes next is to wait.
    closed: bool,
}

impl<S> Watched<S> {
    /// The stream, and what is to be known of it.
    pub fn new(inner: S) -> (Watched<S>, Rc<Watch>) {
        let watch = Rc::<Watch>::default();
        (
            Watched {
                inner,
                scanner: Scanner::new(Instant::now()),
                watch: watch.clone(),
                held: Vec::new(),
                closed: false,
            },
            watch,
        )
    }

    /// Looks at what stands in `buf` behind `before`, and takes back what must wait.
    fn see(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        match self.scanner.see(&buf.filled()[before..], Instant::now()) {
            Ok(Seen::All) => {}
            Ok(Seen::Only(n)) => {
                self.closed = true;
                self.held.splice(..0, buf.filled()[before + n..].iter().copied());
                buf.set_filled(before + n);
            }
            Err(reason) => self.watch.exceeded.set(Some(reason)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        if this.watch.taken.take() {
            this.scanner.let_heads_in();
            this.closed = false;
        }
        if this.closed {
            // Nobody has to wake the door: it asks again as soon as it has taken what there is.
            this.watch.waits.set(true);
            return Poll::Pending;
        }
        let before = buf.filled().len();
        if this.held.is_empty() {
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        } else {
            let n = this.held.len().min(buf.remaining());
            buf.put_slice(&this.held[..n]);
            this.held.drain(..n);
        }
        this.see(buf, before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(kind: u8, flags: u8, payload: usize, n: usize) -> Vec<u8> {
        let mut out = vec![b'P'; PREFACE_LEN];
        for _ in 0..n {
            out.extend_from_slice(&[0, 0, payload as u8, kind, flags, 0, 0, 0, 1]);
            out.extend(std::iter::repeat_n(0, payload));
        }
        out
    }

    fn check(bytes: &[u8], want: Result<(), &'static str>) {
        let now = Instant::now();
        for step in [1, 7, bytes.len()] {
            let mut scanner = Scanner::new(now);
            let seen = bytes
                .chunks(step)
                .try_for_each(|piece| scanner.see(piece, now).map(|_| ()));
            assert_eq!(seen, want, "in pieces of {step}");
        }
    }

    #[test]
    fn b1_b3_b6_each_flood_has_its_budget() {
        check(&frames(0x3, 0, 4, 100), Ok(()));
        check(&frames(0x3, 0, 4, 101), Err("h2-rapid-reset"));
        check(&frames(0x6, 0, 8, 101), Err("h2-ping-flood"));
        check(&frames(0x4, 0, 0, 51), Err("h2-settings-flood"));
        check(&frames(0x9, 0, 3, 17), Err("h2-continuation-flood"));
        check(&frames(0x0, 0, 0, 101), Err("h2-empty-data-flood"));
        check(&frames(0x0, 1, 0, 5000), Ok(()));
        check(&frames(0x0, 0, 100, 5000), Ok(()));
    }

    #[test]
    fn b5_the_budget_belongs_to_the_window() {
        let start = Instant::now();
        let mut scanner = Scanner::new(start);
        let hundred = frames(0x3, 0, 4, 100);
        assert_eq!(scanner.see(&hundred, start), Ok(Seen::All));
        assert_eq!(
            scanner.see(&hundred[PREFACE_LEN..], start + Duration::from_secs(2)),
            Ok(Seen::All)
        );
        assert_eq!(
            scanner.see(&hundred[PREFACE_LEN..], start + Duration::from_secs(2)),
            Err("h2-rapid-reset")
        );
    }

    #[test]
    fn b4_heads_come_in_as_they_are_taken() {
        let mut wire = frames(HEADERS, 4, 200, 20);
        wire.extend_from_slice(&[0, 0, 8, 0x6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        for step in [1, 7, 500, wire.len()] {
            let (mut watched, watch) = Watched::new(Reading(&wire));
            let (mut got, mut turns) = (Vec::new(), 0);
            while got.len() < wire.len() {
                turns += 1;
                let before = heads(&got);
                let mut buf = vec![0; step];
                let mut buf = ReadBuf::new(&mut buf);
                let mut cx = Context::from_waker(std::task::Waker::noop());
                while Pin::new(&mut watched).poll_read(&mut cx, &mut buf).is_ready()
                    && !buf.filled().is_empty()
                {
                    got.extend_from_slice(buf.filled());
                    buf.clear();
                }
                assert!(
                    watch.holds_back() || got.len() == wire.len(),
                    "in pieces of {step}"
                );
                assert!(heads(&got) - before <= 3, "in pieces of {step}");
                watch.let_heads_in();
            }
            assert_eq!(got, wire, "in pieces of {step}");
            assert!(turns >= 20 / 3, "in pieces of {step}");
        }
    }

    /// Whole frames of 200 bytes.
    fn heads(got: &[u8]) -> usize {
        got.len().saturating_sub(PREFACE_LEN) / (FRAME_HEADER_LEN + 200)
    }

    /// A client that has sent everything.
    struct Reading<'a>(&'a [u8]);

    impl AsyncRead for Reading<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let n = self.0.len().min(buf.remaining());
            buf.put_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Poll::Ready(Ok(()))
        }
    }
}
