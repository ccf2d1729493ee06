//! `inFlightReq`: limits how many requests of one source are under way. One is under way until its answer's body has ended, or
//! the connection that it became.

use super::source_criterion::{Source, SourceCriterion};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trilithon_flow::{
    Body, Build, BuildError, Exchange, Fault, Headers, Io, Next, Reply, Request, Response,
    Source as BodySource, Step, Wrap,
};
use trilithon_model::dynamic::http::InFlightReq as Config;

/// Locks, so that workers seldom meet at one.
const SHARDS: usize = 16;

/// Builds the step. Counts stay while the same middleware serves the same router with the same options.
///
/// # Errors
/// Two criteria.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let criterion = SourceCriterion::build(config.source_criterion.as_ref(), SourceCriterion::Host)
        .map_err(|e| BuildError::new(format!("error creating requests limiter: {e}")))?;
    let counts = cx
        .keep
        .get(&cx.state_name(), &(config.amount, &criterion), Counts::default);
    let refusal = format!("max connections reached: {}", config.amount).into();
    Ok(Step::wrap(InFlightReq {
        criterion,
        counts,
        amount: u64::try_from(config.amount).unwrap_or(0),
        refusal,
    }))
}

struct InFlightReq {
    criterion: SourceCriterion,
    counts: Arc<Counts>,
    /// How many of one source may be under way.
    amount: u64,
    /// What the others are told.
    refusal: Bytes,
}

impl Wrap for InFlightReq {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        let source = self.criterion.source(&req, cx);
        let Some(slot) = Slot::take(&self.counts, source, self.amount) else {
            return Box::pin(std::future::ready(Response::bare(429, self.refusal.clone())));
        };
        Box::pin(async move { hold(slot, next.run(req, cx).await) })
    }
}

/// Ties the slot to what of the answer takes time.
fn hold(slot: Slot, mut res: Response) -> Response {
    if let Some(upgraded) = &mut res.upgraded {
        let io = std::mem::replace(&mut upgraded.io, Box::new(tokio::io::empty()));
        upgraded.io = Box::new(HeldIo { io, _slot: slot });
    } else if !res.body.is_empty() {
        res.body = Body::from_source(HeldBody {
            body: res.body.take(),
            slot: Some(slot),
        });
    }
    res
}

/// Requests under way, by source. A source without any has no entry.
#[derive(Default)]
struct Counts([Mutex<FxHashMap<Source, u64>>; SHARDS]);

impl Counts {
    fn shard(&self, source: Source) -> MutexGuard<'_, FxHashMap<Source, u64>> {
        // Nothing in here panics between two states.
        self.0[source.shard(SHARDS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way; it counts until it is dropped.
struct Slot {
    counts: Arc<Counts>,
    source: Source,
}

impl Slot {
    fn take(counts: &Arc<Counts>, source: Source, amount: u64) -> Option<Slot> {
        let mut shard = counts.shard(source);
        let under_way = shard.get(&source).copied().unwrap_or(0);
        if under_way >= amount {
            return None;
        }
        shard.insert(source, under_way + 1);
        Some(Slot {
            counts: counts.clone(),
            source,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut shard = self.counts.shard(self.source);
        match shard.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = shard.remove(&self.source),
        }
    }
}

/// A body that gives the slot back at its end.
struct HeldBody {
    body: Body,
    slot: Option<Slot>,
}

impl BodySource for HeldBody {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        let filled = self.body.poll_fill(cx);
        if matches!(filled, Poll::Ready(Ok([]) | Err(_))) {
            self.slot = None;
        }
        filled
    }

    fn consume(&mut self, n: usize) {
        self.body.consume(n);
    }

    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = self.body.poll_chunk(cx);
        if matches!(&chunk, Poll::Ready(Ok(c)) if c.is_empty()) || matches!(chunk, Poll::Ready(Err(_))) {
            self.slot = None;
        }
        chunk
    }
}

/// A connection that left HTTP and is still under way.
struct HeldIo {
    io: Box<dyn Io>,
    _slot: Slot,
}

impl AsyncRead for HeldIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for HeldIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, block_on, build_error, get, step, text};
    use trilithon_flow::Upgraded;
    use trilithon_model::dynamic::http::SourceCriterion as CriterionConfig;

    fn config(amount: i64) -> Config {
        Config {
            amount,
            source_criterion: None,
        }
    }

    fn bench(amount: i64, answer: impl Fn() -> Response + Send + Sync + 'static) -> Bench {
        Bench::answering(vec![step(|cx| build(&config(amount), cx))], move |_| answer())
    }

    fn check(bench: &Bench, host: &str, want: u16) -> Response {
        let res = bench.run(get("/", &[("Host", host)]));
        assert_eq!(res.status, want, "{host}");
        res
    }

    #[test]
    fn a_request_is_under_way_while_its_answer_is() {
        let bench = bench(2, || Response::bare(200, "body"));
        let first = check(&bench, "a", 200);
        let mut second = check(&bench, "a", 200);
        let mut refused = check(&bench, "a", 429);
        assert_eq!(
            (text(&mut refused).as_str(), refused.headers.len()),
            ("max connections reached: 2", 0)
        );
        check(&bench, "b", 200);
        drop(first);
        let third = check(&bench, "a", 200);
        check(&bench, "a", 429);
        assert_eq!(text(&mut second), "body");
        let fourth = check(&bench, "a", 200);
        check(&bench, "a", 429);
        drop((third, fourth));
        check(&bench, "a", 200);
    }

    #[test]
    fn an_answer_without_a_body_is_over() {
        let bench = bench(1, || Response::new(204));
        let _first = check(&bench, "a", 204);
        check(&bench, "a", 204);
    }

    #[test]
    fn a_connection_that_left_http_is_under_way() {
        let upgrade = || Response {
            upgraded: Some(Box::new(Upgraded {
                io: Box::new(tokio::io::empty()),
                early: Bytes::new(),
            })),
            ..Response::new(101)
        };
        let bench = bench(1, upgrade);
        let first = check(&bench, "a", 101);
        check(&bench, "a", 429);
        drop(first);
        check(&bench, "a", 101);
    }

    #[test]
    fn a_body_keeps_its_length() {
        let bench = bench(1, || Response::bare(200, "body"));
        let mut res = check(&bench, "a", 200);
        assert_eq!(res.body.length(), Some(4));
        assert_eq!(block_on(res.body.chunk()).unwrap().unwrap(), "body");
        assert!(block_on(res.body.chunk()).is_none());
        check(&bench, "a", 200);
    }

    #[test]
    fn amounts_that_let_nobody_in() {
        check(&bench(0, || Response::new(200)), "a", 429);
        let mut res = check(&bench(-1, || Response::new(200)), "a", 429);
        assert_eq!(text(&mut res), "max connections reached: -1");
    }

    #[test]
    fn slots_are_exact_under_concurrency() {
        let counts = Arc::new(Counts::default());
        let most = std::sync::atomic::AtomicUsize::new(0);
        let now = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        if let Some(slot) = Slot::take(&counts, Source::of(b"a"), 3) {
                            let under_way = now.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                            most.fetch_max(under_way, std::sync::atomic::Ordering::SeqCst);
                            now.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            drop(slot);
                        }
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert!(
            counts.0.iter().all(|shard| shard.lock().unwrap().is_empty()),
            "every slot came back"
        );
    }

    #[test]
    fn errors() {
        let two = CriterionConfig {
            request_header_name: "a".into(),
            request_host: true,
            ip_strategy: None,
        };
        let config = Config {
            amount: 1,
            source_criterion: Some(two),
        };
        let want =
            "error creating requests limiter: requestHost and RequestHeaderName are mutually exclusive";
        assert_eq!(build_error(|cx| build(&config, cx)), want);
    }
}
