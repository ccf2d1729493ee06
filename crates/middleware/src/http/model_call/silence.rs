//! An upstream that falls silent in the middle of its answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use trilithon_flow::{Fault, FaultKind};

/// How long nothing has come, and how long that may be.
pub(super) struct Silence {
    /// Zero: as long as it likes.
    limit: Duration,
    /// When something came last; `None` while something is at hand.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub fn new(limit: Duration) -> Silence {
        Silence {
            limit,
            since: None,
            timer: None,
        }
    }

    /// What a body gave, or the fault of waiting for it too long.
    pub fn heard<'b>(
        &mut self,
        given: Poll<Result<&'b [u8], Fault>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<&'b [u8], Fault>> {
        if given.is_ready() {
            self.since = None;
            return given;
        }
        if !self.limit.is_zero() && self.is_over(cx) {
            let detail = format!("no byte of the stream within {:?}", self.limit);
            return Poll::Ready(Err(Fault::new(FaultKind::ResponseTimeout, detail)));
        }
        Poll::Pending
    }

    /// Whether it has lasted too long. The timer is set anew only when it goes off: most streams end before it does.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let end = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while timer.as_mut().poll(cx).is_ready() {
            if end <= Instant::now() {
                return true;
            }
            timer.as_mut().reset(end);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// Gives something at each of these seconds; when it is over, in seconds.
    async fn check(limit: u64, words: &[u64], want: u64) {
        let start = Instant::now();
        let mut silence = Silence::new(Duration::from_secs(limit));
        let mut words = words.iter().copied().peekable();
        let fault = poll_fn(|cx| {
            loop {
                let given = match words.next_if(|at| start + Duration::from_secs(*at) <= Instant::now()) {
                    Some(_) => Poll::Ready(Ok(&b"a"[..])),
                    None => Poll::Pending,
                };
                match silence.heard(given, cx) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(fault)) => return Poll::Ready(fault),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        // What comes wakes whoever waits, as a connection would.
        let ticks = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let mut fault = std::pin::pin!(fault);
        let mut ticks = std::pin::pin!(ticks);
        let fault = poll_fn(|cx| {
            let _ = ticks.as_mut().poll(cx);
            fault.as_mut().poll(cx)
        });
        assert_eq!(fault.await.kind, FaultKind::ResponseTimeout);
        assert_eq!(start.elapsed().as_secs(), want);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_word() {
        check(5, &[], 5).await;
        check(5, &[1, 2, 6], 11).await;
        check(5, &[4, 8, 12, 16], 21).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_be_silent_for_ever_is() {
        let mut silence = Silence::new(Duration::ZERO);
        let waits = poll_fn(|cx| silence.heard(Poll::Pending, cx).map(|_| ()));
        assert!(
            tokio::time::timeout(Duration::from_secs(1_000_000), waits)
                .await
                .is_err()
        );
    }
}
