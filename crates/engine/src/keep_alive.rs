//! Comments that keep the stream of a model open while nobody says anything: the model thinks, or a guard holds back what it
//! said. They are made for the client alone, behind everything that handles the answer: no time-out of the upstream's side
//! sees them, and no guard holds them back.

use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use trilithon_flow::{Body, Fault, Headers, Known, ModelCall, Response, Source};

/// WHATWG HTML §9.2.6: a line that begins with a colon causes no event, and the blank line ends no event that had begun.
const COMMENT: &[u8] = b": keep-alive\n\n";

/// Has comments sent in the pauses of an answer, if it is a stream of events that may be added to.
pub fn sustain(call: &ModelCall, res: &mut Response) {
    let is_plain = !res.headers.has(Known::ContentEncoding);
    let kind = res
        .headers
        .known(Known::ContentType)
        .and_then(|kind| kind.get(..17));
    let is_stream = kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"));
    if is_plain && is_stream && !call.keep_alive.is_zero() && res.body.length().is_none() {
        res.body = Body::from_source(Sustained {
            body: res.body.take(),
            pause: Pause {
                every: call.keep_alive,
                heard: true,
                since: Instant::now(),
                timer: None,
                end: End::START,
            },
            comment: b"",
            next: End::START,
            lent: 0,
        });
    }
}

struct Sustained {
    body: Body,
    pause: Pause,
    /// What of a comment is still to be sent.
    comment: &'static [u8],
    /// What the end of what was sent will be when all that is lent was.
    next: End,
    lent: usize,
}

/// How long nothing came.
struct Pause {
    every: Duration,
    /// Something came since the client was last waited for.
    heard: bool,
    /// Since when there is nothing.
    since: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// The end of what was sent.
    end: End,
}

/// The last bytes of a stream.
#[derive(Clone, Copy)]
struct End([u8; 3]);

impl End {
    /// Where nothing was sent yet, an event can begin.
    const START: End = End(*b"\n\n\n");

    fn then(self, bytes: &[u8]) -> End {
        let mut end = self.0;
        for byte in bytes.iter().skip(bytes.len().saturating_sub(3)) {
            end = [end[1], end[2], *byte];
        }
        End(end)
    }

    /// Whether a blank line came last.
    fn is_between_events(self) -> bool {
        matches!(
            self.0,
            [_, b'\n', b'\n'] | [_, b'\r', b'\r'] | [b'\n' | b'\r', b'\r', b'\n']
        )
    }
}

impl Pause {
    /// Ready when a comment is due.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.heard) {
            self.since = Instant::now();
        }
        loop {
            let due = self.since + self.every;
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            let is_due = now >= due;
            if is_due {
                self.since = now;
            }
            timer.as_mut().reset(self.since + self.every);
            if is_due && self.end.is_between_events() {
                return Poll::Ready(());
            }
        }
    }
}

impl Source for Sustained {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        if self.comment.is_empty() {
            if let Poll::Ready(lent) = self.body.poll_fill(cx) {
                let lent = lent?;
                self.pause.heard = true;
                (self.next, self.lent) = (self.pause.end.then(lent), lent.len());
                return Poll::Ready(Ok(lent));
            }
            ready!(self.pause.poll(cx));
            self.comment = COMMENT;
        }
        Poll::Ready(Ok(self.comment))
    }

    fn consume(&mut self, n: usize) {
        if !self.comment.is_empty() {
            self.comment = self.comment.get(n..).unwrap_or_default();
            return;
        }
        self.body.consume(n);
        // Of a part the end is not known: no comment until more was sent.
        self.pause.end = if n == self.lent { self.next } else { End([0; 3]) };
        self.lent -= n.min(self.lent);
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        if self.comment.is_empty() {
            if let Poll::Ready(chunk) = self.body.poll_chunk(cx) {
                let chunk = chunk?;
                self.pause.heard = true;
                self.pause.end = self.pause.end.then(&chunk);
                return Poll::Ready(Ok(chunk));
            }
            ready!(self.pause.poll(cx));
            self.comment = COMMENT;
        }
        Poll::Ready(Ok(Bytes::from_static(std::mem::take(&mut self.comment))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use trilithon_flow::Format;

    /// Gives a piece after so many seconds each.
    struct Slow {
        pieces: VecDeque<(u64, &'static [u8])>,
        timer: Option<Pin<Box<Sleep>>>,
    }

    impl Source for Slow {
        fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
            let Some((after, piece)) = self.pieces.front() else {
                return Poll::Ready(Ok(b""));
            };
            let sleep = || Box::pin(tokio::time::sleep(Duration::from_secs(*after)));
            ready!(self.timer.get_or_insert_with(sleep).as_mut().poll(cx));
            Poll::Ready(Ok(piece))
        }
        fn consume(&mut self, n: usize) {
            if let Some((_, piece)) = self.pieces.front_mut() {
                *piece = &piece[n..];
                if piece.is_empty() {
                    self.pieces.pop_front();
                    self.timer = None;
                }
            }
        }
        fn length(&self) -> Option<u64> {
            None
        }
    }

    /// What a client gets that takes so many bytes at a time; `+` for a comment.
    fn run(kind: &str, coding: &str, every: u64, pieces: &[(u64, &'static str)], step: usize) -> String {
        let pieces = pieces.iter().map(|(after, piece)| (*after, piece.as_bytes()));
        let call = ModelCall {
            keep_alive: Duration::from_secs(every),
            ..ModelCall::new(Format::Ccr)
        };
        let mut res = Response::new(200);
        res.headers.set_known(Known::ContentType, kind);
        if !coding.is_empty() {
            res.headers.set_known(Known::ContentEncoding, coding);
        }
        res.body = Body::from_source(Slow {
            pieces: pieces.collect(),
            timer: None,
        });
        let reading = async {
            sustain(&call, &mut res);
            let mut all = Vec::new();
            loop {
                let body = &mut res.body;
                let piece = poll_fn(|cx| {
                    let lent = ready!(body.poll_fill(cx)).unwrap();
                    Poll::Ready(lent[..lent.len().min(step)].to_vec())
                })
                .await;
                if piece.is_empty() {
                    return String::from_utf8(all).unwrap();
                }
                res.body.consume(piece.len());
                all.extend(piece);
            }
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(reading).replace(": keep-alive\n\n", "+")
    }

    fn check(every: u64, pieces: &[(u64, &'static str)], want: &str) {
        assert_eq!(
            run("text/event-stream", "", every, pieces, 99),
            want,
            "{pieces:?}"
        );
        for step in [1, 2] {
            let got = run("text/event-stream", "", every, pieces, step);
            assert_eq!(got.replace('+', ""), want.replace('+', ""), "{step} {pieces:?}");
        }
    }

    #[test]
    fn comments_stand_in_pauses_and_between_events() {
        check(
            15,
            &[(0, "data: a\n\n"), (14, "data: b\n\n")],
            "data: a\n\ndata: b\n\n",
        );
        check(
            15,
            &[(0, "data: a\n\n"), (40, "data: b\n\n")],
            "data: a\n\n++data: b\n\n",
        );
        check(15, &[(31, "data: a\r\n\r\n"), (16, "x")], "++data: a\r\n\r\n+x");
        check(
            15,
            &[(0, "data: a\n"), (40, "\n"), (20, "data: b\n\n")],
            "data: a\n\n+data: b\n\n",
        );
        check(
            15,
            &[(0, "data: a\r"), (16, "\rx: y\n\n"), (0, "z")],
            "data: a\r\rx: y\n\nz",
        );
        check(0, &[(99, "data: a\n\n")], "data: a\n\n");
    }

    #[test]
    fn only_plain_streams_of_events_are_added_to() {
        let check = |kind, coding, want| {
            let got = run(kind, coding, 15, &[(20, "x")], 99);
            assert_eq!(got.contains('+'), want, "{kind} {coding}");
        };
        check("Text/Event-Stream; charset=utf-8", "", true);
        check("text/event-stream", "gzip", false);
        check("application/json", "", false);
    }
}
