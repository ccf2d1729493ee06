//! Streams of events to a client, which any number of tellers write into: one for the answer of one server, one for each server
//! that is listened to. Tellers run while the client reads, and end with the stream.

mod events;
mod out;
mod places;
mod relay;
mod telling;

pub use events::Events;
pub use out::Out;
pub use places::{Place, Places};
pub use relay::relay;
pub use telling::Telling;

use super::answer;
use super::kept::Keeper;
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use trilithon_flow::{Body, Fault, Headers, Response, Source};
use trilithon_mcp::error::INTERNAL_ERROR;
use trilithon_mcp::{EventId, Stream};

/// Somebody who writes into a stream.
pub type Teller = Pin<Box<dyn Future<Output = ()>>>;

/// What a client is sent in silence, so that nothing between takes the stream for dead.
const COMMENT: &[u8] = b":\n\n";

/// After how long a silent stream tells its client where it can come back. Most answers are there before.
const PRIMING: Duration = Duration::from_millis(200);

/// A stream; as a body it lasts until the last teller has ended.
pub struct Channel {
    out: Out,
    tellers: Vec<Teller>,
    /// What is sent now, from `sent` on.
    lent: Vec<u8>,
    sent: usize,
    silence: Option<(Duration, Pin<Box<Sleep>>)>,
    /// When the client is told where it can come back, if nothing else is told before.
    priming: Option<Pin<Box<Sleep>>>,
    place: Option<Place>,
}

impl Channel {
    pub fn new(out: Out, tellers: Vec<Teller>, keep_alive: Option<Duration>, place: Place) -> Channel {
        let priming = out.may_prime().then(|| Box::pin(tokio::time::sleep(PRIMING)));
        Channel {
            out,
            tellers,
            lent: Vec::new(),
            sent: 0,
            silence: keep_alive.map(|every| (every, Box::pin(tokio::time::sleep(every)))),
            priming,
            place: Some(place),
        }
    }

    /// Lets the tellers run until one has begun, at most for `limit`. False when all have ended before.
    pub async fn begins(&mut self, limit: Duration) -> bool {
        let begun = poll_fn(|cx| {
            self.run(cx);
            let decided = self.tellers.is_empty() || self.out.has_begun();
            if decided { Poll::Ready(()) } else { Poll::Pending }
        });
        // Who takes longer may still begin.
        drop(tokio::time::timeout(limit, begun).await);
        !self.tellers.is_empty() || self.out.has_begun()
    }

    fn run(&mut self, cx: &mut Context<'_>) {
        self.tellers
            .retain_mut(|teller| teller.as_mut().poll(cx).is_pending());
    }

    fn is_to_prime(&mut self, cx: &mut Context<'_>) -> bool {
        let due = |sleep: &mut Pin<Box<Sleep>>| sleep.as_mut().poll(cx).is_ready();
        let is_due = self.priming.as_mut().is_some_and(due);
        if is_due {
            self.priming = None;
        }
        is_due
    }

    /// The answer with this stream.
    pub fn response(self) -> Response {
        let mut res = Response::new(200);
        res.headers.append("Content-Type", "text/event-stream");
        res.headers.append("Cache-Control", "no-cache, no-transform");
        res.headers.append("X-Accel-Buffering", "no");
        res.body = Body::from_source(self);
        res
    }
}

impl Source for Channel {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.sent == self.lent.len() {
            self.lent.clear();
            self.sent = 0;
            self.run(cx);
            self.out.take(&mut self.lent);
            if !self.lent.is_empty() {
                self.priming = None;
                if let Some((every, sleep)) = &mut self.silence {
                    sleep.as_mut().reset(Instant::now() + *every);
                }
            } else if self.tellers.is_empty() {
                return Poll::Ready(Ok(&[]));
            } else if self.is_to_prime(cx) {
                self.out.prime();
            } else {
                let Some((every, sleep)) = &mut self.silence else {
                    return Poll::Pending;
                };
                ready!(sleep.as_mut().poll(cx));
                sleep.as_mut().reset(Instant::now() + *every);
                self.lent.extend_from_slice(COMMENT);
            }
        }
        Poll::Ready(Ok(&self.lent[self.sent..]))
    }

    fn consume(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.lent.len());
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        None
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = Bytes::copy_from_slice(ready!(self.poll_fill(cx))?);
        self.consume(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

impl Drop for Channel {
    /// Leaving is not cancelling, in the first era: what is kept goes on.
    fn drop(&mut self) {
        let Some((tape, rest)) = self.out.leave() else {
            return;
        };
        // The worker itself may be at its end.
        let is_over = self.tellers.is_empty() || tape.is_done();
        if is_over || tokio::runtime::Handle::try_current().is_err() {
            return tape.end();
        }
        let (mut tellers, place) = (std::mem::take(&mut self.tellers), self.place.take());
        tokio::task::spawn_local(async move {
            let _place = place;
            let told = poll_fn(|cx| {
                tellers.retain_mut(|teller| teller.as_mut().poll(cx).is_pending());
                if tellers.is_empty() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            tokio::select! {
                () = told => {}
                () = tape.abandoned(rest) => {}
            }
            tape.end();
        });
    }
}

/// The stream that answers one message, as the client is to see it.
pub fn passed(
    body: Body,
    telling: Telling,
    keeper: Option<Keeper>,
    keep_alive: Option<Duration>,
    place: Place,
) -> Body {
    let of = Stream::Answer(telling.id().unwrap_or("0").into());
    let out = Out::new(EventId::new(of)).kept_by(keeper);
    let teller = Box::pin(relay::answer(body, telling, out.clone()));
    Body::from_source(Channel::new(out, vec![teller], keep_alive, place))
}

/// As many streams are open as may be.
pub fn no_place(id: Option<&str>) -> Response {
    answer::failed(503, id, INTERNAL_ERROR, "too many streams are open")
}

#[cfg(test)]
mod tests;
