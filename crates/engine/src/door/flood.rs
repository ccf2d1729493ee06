//! Flood budgets of an HTTP/2 connection: cheap frames that make the server work are counted per second.
//!
//! The frames are seen by their nine-byte headers on the way in, before the HTTP/2 library acts on them. Budgets belong to
//! the window, never to the streams that were ever opened: a long connection earns nothing.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::limits;

const PREFACE_LEN: usize = 24;
const FRAME_HEADER_LEN: usize = 9;

/// Frames of a kind that are allowed within one window.
const MAX_PINGS: u32 = 100;
const MAX_SETTINGS: u32 = 50;
const MAX_EMPTY_DATA: u32 = 100;
const MAX_PRIORITIES: u32 = 500;
const MAX_WINDOW_UPDATES: u32 = 20_000;
/// CONTINUATION frames of one header list.
const MAX_CONTINUATIONS: u32 = 16;

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
        }
    }

    /// Looks at bytes as they arrive; names the budget that they used up.
    pub fn see(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), &'static str> {
        if now.duration_since(self.window) >= Duration::from_secs(limits::H2_WINDOW_SECONDS) {
            *self = Scanner {
                head: self.head,
                have: self.have,
                skip: self.skip,
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
            }
        }
        Ok(())
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

/// A stream whose incoming frames are counted.
pub struct Watched<S> {
    inner: S,
    scanner: Scanner,
    exceeded: Rc<Cell<Option<&'static str>>>,
}

impl<S> Watched<S> {
    /// The stream, and where the reason stands once a budget is used up.
    pub fn new(inner: S) -> (Watched<S>, Rc<Cell<Option<&'static str>>>) {
        let exceeded = Rc::new(Cell::new(None));
        (
            Watched {
                inner,
                scanner: Scanner::new(Instant::now()),
                exceeded: exceeded.clone(),
            },
            exceeded,
        )
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if polled.is_ready()
            && let Err(reason) = self.scanner.see(&buf.filled()[before..], Instant::now())
        {
            self.exceeded.set(Some(reason));
        }
        polled
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
            let seen = bytes.chunks(step).try_for_each(|piece| scanner.see(piece, now));
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
        assert_eq!(scanner.see(&hundred, start), Ok(()));
        assert_eq!(
            scanner.see(&hundred[PREFACE_LEN..], start + Duration::from_secs(2)),
            Ok(())
        );
        assert_eq!(
            scanner.see(&hundred[PREFACE_LEN..], start + Duration::from_secs(2)),
            Err("h2-rapid-reset")
        );
    }
}
