//! `retry`: asks again when a server cannot be reached or answers with certain statuses.
//!
//! A request is never sent twice by accident. When nothing of it was written to a server, any request can be sent again:
//! its body was not touched. When a status asks for another attempt, the request must be idempotent (or the
//! configuration says that it does not matter) and its body must have been kept whole beforehand.

mod backoff;
mod lent;

use self::backoff::Backoff;
use self::lent::Slot;
use super::discard::discard;
use super::status_ranges::StatusRanges;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use trilithon_flow::record::Name;
use trilithon_flow::trace::{Entered, What};
use trilithon_flow::{
    Beginning, Body, Build, BuildError, Exchange, Fault, Headers, Method, Next, Reply, Request, Response,
    Step, Wrap, metrics, read_up_to,
};
use trilithon_model::dynamic::http::Retry as Config;

/// Bytes of a body that are kept for another attempt, where `maxRequestBodyBytes` does not say.
const DEFAULT_BODY_BYTES: i64 = 2 << 20;

/// Builds the middleware.
///
/// # Errors
/// Less than one attempt, nothing to retry on, and statuses that cannot be read.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let attempts = u32::try_from(config.attempts)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| {
            BuildError::new(format!(
                "incorrect (or empty) value for attempt ({})",
                config.attempts
            ))
            .help("`attempts` counts the first one as well: 2 asks once again")
        })?;
    let statuses = StatusRanges::parse(&config.status).map_err(BuildError::new)?;
    if config.disable_retry_on_network_error && statuses.is_empty() {
        return Err(BuildError::new(
            "retry has no HTTP status codes and network errors are disabled: nothing to retry on",
        ));
    }
    let body_bytes = config.max_request_body_bytes.unwrap_or(DEFAULT_BODY_BYTES);
    Ok(Step::wrap(Retry {
        name: cx.name.into(),
        attempts,
        network: !config.disable_retry_on_network_error,
        statuses,
        any_method: config.retry_non_idempotent_method,
        body_bytes: u64::try_from(body_bytes).unwrap_or(u64::MAX),
        timeout: config.timeout.to_std_opt(),
        backoff: config
            .initial_interval
            .to_std_opt()
            .map(|first| Backoff::new(first, attempts)),
    }))
}

struct Retry {
    /// The middleware's, for traces.
    name: Name,
    /// Attempts in all, at least one.
    attempts: u32,
    network: bool,
    statuses: StatusRanges,
    any_method: bool,
    body_bytes: u64,
    timeout: Option<Duration>,
    backoff: Option<Backoff>,
}

/// How the body of each attempt comes about.
enum Bodies {
    /// The same bytes each time, and their trailers.
    Kept(Bytes, Option<Headers>),
    /// The client's own, given back by an attempt that did not touch it.
    Lent(Slot),
}

impl Bodies {
    fn of(body: Body) -> Bodies {
        match body.bytes() {
            Some(bytes) => Bodies::Kept(bytes.clone(), None),
            None if body.is_empty() => Bodies::Kept(Bytes::new(), None),
            None => Bodies::Lent(Slot::new(body)),
        }
    }

    /// The body of the next attempt, if there can be one.
    fn next(&self) -> Option<Body> {
        match self {
            Bodies::Kept(bytes, None) => Some(Body::from(bytes.clone())),
            Bodies::Kept(bytes, trailers) => Some(Body::with_trailers(bytes.clone(), trailers.clone())),
            Bodies::Lent(slot) => slot.lend(),
        }
    }
}

impl Retry {
    fn idempotent(&self, method: &Method) -> bool {
        let lock = || matches!(method, Method::Other(name) if &**name == "LOCK");
        self.any_method || !(matches!(method, Method::Post | Method::Patch) || lock())
    }

    /// Keeps the body for status retries where that is possible. Says whether a status may lead to another attempt.
    async fn prepare(&self, req: &mut Request) -> Result<(Bodies, bool), Fault> {
        let body = req.body.take();
        if self.statuses.is_empty() || !self.idempotent(&req.method) {
            return Ok((Bodies::of(body), false));
        }
        if body.is_empty() || body.bytes().is_some_and(|b| b.len() as u64 <= self.body_bytes) {
            return Ok((Bodies::of(body), true));
        }
        Ok(match read_up_to(body, self.body_bytes).await? {
            Beginning::Whole(bytes, trailers) => (Bodies::Kept(bytes, trailers), true),
            Beginning::Larger(body) => (Bodies::of(body), false),
        })
    }

    /// Whether this answer asks for another attempt.
    fn calls_for_another(&self, res: &Response, by_status: bool) -> bool {
        let unreached = || res.fault.as_ref().is_some_and(|f| f.unsent && f.is_network());
        res.upgraded.is_none()
            && ((self.network && unreached()) || (by_status && self.statuses.contains(res.status)))
    }

    /// Waits before the attempt numbered `next` (the second is 1). False: it may not be made any more.
    async fn wait(&self, next: u32, started: Instant) -> bool {
        let left = self.timeout.map(|t| t.saturating_sub(started.elapsed()));
        if left.is_some_and(|t| t.is_zero()) {
            return false;
        }
        if let Some(backoff) = &self.backoff {
            let pause = backoff.pause(next);
            sleep(left.map_or(pause, |left| pause.min(left))).await;
        }
        true
    }
}

impl Retry {
    /// Makes attempts until one is answered for good. Up to the last one, the answer may be thrown away.
    async fn attempts(&self, mut req: Request, cx: &mut Exchange, next: Next<'_>) -> Response {
        let (bodies, by_status) = match self.prepare(&mut req).await {
            Ok(prepared) => prepared,
            Err(fault) => return Response::from(fault),
        };
        let started = Instant::now();
        let outer = cx.attempt;
        let mut body = bodies.next().unwrap_or_default();
        for attempt in 1..self.attempts {
            cx.attempt = attempt;
            let span = self.enter(cx, attempt - 1);
            let res = next
                .run(
                    Request {
                        body,
                        ..req.clone_head()
                    },
                    cx,
                )
                .await;
            cx.attempt = outer;
            cx.record.leave(&span);
            if !self.calls_for_another(&res, by_status) {
                return res;
            }
            let Some(untouched) = bodies.next() else {
                return res;
            };
            cx.record.end(&span);
            if !self.wait(attempt, started).await {
                return res;
            }
            body = untouched;
            discard(res.body);
            count(cx);
        }
        req.body = body;
        let span = self.enter(cx, self.attempts - 1);
        let res = next.run(req, cx).await;
        cx.record.leave(&span);
        res
    }

    /// Opens the span of an attempt; `resend` is 0 for the first.
    fn enter(&self, cx: &mut Exchange, resend: u32) -> Entered {
        cx.record.enter(|| What::Retry {
            name: self.name.clone(),
            resend,
        })
    }
}

impl Wrap for Retry {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        if self.attempts == 1 {
            next.reply(req, cx)
        } else {
            Box::pin(self.attempts(req, cx, next))
        }
    }
}

/// Tells the record and the metrics of one more attempt.
pub(super) fn count(cx: &mut Exchange) {
    cx.record.retries += 1;
    if let Some(service) = &cx.record.service {
        const HELP: &str = "How many request retries happened on a service.";
        metrics::registry()
            .counter("traefik_service_retries_total", HELP, &[("service", service)])
            .inc();
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{Act, Bench, Outcome, Script};
    use super::super::testing;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use trilithon_flow::FaultKind;
    use trilithon_model::duration::Duration as Time;

    fn config(attempts: i64, status: &[&str]) -> Config {
        Config {
            attempts,
            status: status.iter().map(|s| (*s).to_owned()).collect(),
            ..Config::default()
        }
    }

    fn request(method: &str, body: &'static str) -> Request {
        let body = if body.is_empty() {
            Body::empty()
        } else {
            Script::new([Act::Data(body.as_bytes())]).body()
        };
        Request {
            body,
            ..testing::request(method, "/", &[])
        }
    }

    fn refused() -> Response {
        Response::from(Fault::new(FaultKind::Connect, "refused").unsent())
    }

    /// Sends one request to a service that always says `status`; how often was it asked?
    fn tries(config: &Config, method: &str, body: &'static str, status: u16) -> (u16, usize, Vec<String>) {
        let bodies = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut bench = Bench::new({
            let bodies = bodies.clone();
            move |asked| {
                bodies.lock().unwrap().push(asked.body.clone());
                Response::new(status)
            }
        });
        let chain = bench.around(|cx| build(config, cx));
        let out = bench.send(&chain, request(method, body));
        assert_eq!(out.record.retries as usize + 1, bench.asked());
        let bodies = bodies.lock().unwrap().clone();
        (out.status, bench.asked(), bodies)
    }

    #[test]
    fn statuses_and_methods() {
        let st = config(3, &["500-502", "504", "429"]);
        let any = Config {
            retry_non_idempotent_method: true,
            ..st.clone()
        };
        let check = |config: &Config, method: &str, status: u16, want: usize| {
            assert_eq!(tries(config, method, "", status).1, want, "{method} {status}");
        };
        for (status, want) in [
            (200, 1),
            (404, 1),
            (429, 3),
            (500, 3),
            (501, 3),
            (502, 3),
            (503, 1),
            (504, 3),
        ] {
            check(&st, "GET", status, want);
        }
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "FOO"] {
            check(&st, method, 500, 3);
        }
        for method in ["POST", "PATCH", "LOCK"] {
            check(&st, method, 500, 1);
            check(&any, method, 500, 3);
        }
        check(&config(2, &[]), "GET", 502, 1);
        check(&config(1, &["500"]), "GET", 500, 1);
    }

    #[test]
    fn bodies_are_sent_again_up_to_the_limit() {
        let check = |limit: Option<i64>, body: &'static str, want: usize| {
            let config = Config {
                max_request_body_bytes: limit,
                ..config(3, &["500"])
            };
            let (status, n, bodies) = tries(&config, "PUT", body, 500);
            assert_eq!((status, n), (500, want), "{body}");
            assert!(bodies.iter().all(|b| b == body), "{bodies:?}");
        };
        check(Some(4), "four", 3);
        check(Some(4), "five!", 1);
        check(Some(0), "x", 1);
        check(Some(0), "", 3);
        check(Some(-1), "any", 3);
        check(None, "any", 3);
    }

    /// A service that cannot be reached the first `failures` times.
    fn unreachable(config: &Config, failures: usize, touch: bool, req: Request) -> (Outcome, usize, String) {
        let calls = AtomicUsize::new(0);
        let got = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let seen = got.clone();
        let mut bench = Bench::raw(move |mut req: Request| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            if call < failures && !touch {
                return refused();
            }
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            while let std::task::Poll::Ready(Ok(chunk)) = req.body.poll_chunk(&mut cx) {
                if chunk.is_empty() {
                    break;
                }
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk));
            }
            if call < failures {
                refused()
            } else {
                Response::bare(200, "ok")
            }
        });
        let chain = bench.around(|cx| build(config, cx));
        let out = bench.send(&chain, req);
        let got = got.lock().unwrap().clone();
        (out, bench.asked(), got)
    }

    #[test]
    fn an_unreached_server_is_retried_with_the_untouched_body() {
        let check = |config: &Config, failures, touch, body, want: (u16, usize, &str)| {
            let (out, n, got) = unreachable(config, failures, touch, request("POST", body));
            assert_eq!((out.status, n, got.as_str()), want);
        };
        check(&config(2, &[]), 1, false, "hello", (200, 2, "hello"));
        check(&config(4, &[]), 3, false, "hello", (200, 4, "hello"));
        check(&config(4, &[]), 9, false, "hello", (502, 4, ""));
        check(&config(4, &[]), 1, true, "hello", (502, 1, "hello"));
        check(&config(2, &[]), 1, false, "", (200, 2, ""));
        let off = Config {
            disable_retry_on_network_error: true,
            ..config(3, &["503"])
        };
        check(&off, 1, false, "", (502, 1, ""));
    }

    #[test]
    fn only_failures_before_the_first_byte_count() {
        let check = |res: fn() -> Response, want: usize| {
            let mut bench = Bench::raw(move |_| res());
            let chain = bench.around(|cx| build(&config(3, &[]), cx));
            let out = bench.get(&chain, "/");
            assert_eq!((bench.asked(), out.upgraded), (want, out.status == 101));
        };
        check(refused, 3);
        check(|| Response::from(Fault::new(FaultKind::Closed, "closed")), 1);
        check(
            || Response::from(Fault::new(FaultKind::Internal, "ours").unsent()),
            1,
        );
        check(|| Response::error(503, "no available server"), 1);
        check(
            || {
                let (io, _) = tokio::io::duplex(1);
                let upgraded = trilithon_flow::Upgraded {
                    io: Box::new(io),
                    early: Bytes::new(),
                };
                Response {
                    upgraded: Some(Box::new(upgraded)),
                    ..Response::new(101)
                }
            },
            1,
        );
    }

    #[test]
    fn waiting() {
        let check = |config: &Config, tries: std::ops::RangeInclusive<usize>, ms: std::ops::Range<u128>| {
            let mut bench = Bench::new(|_| Response::new(500));
            let chain = bench.around(|cx| build(config, cx));
            let (_, took) = testing::block_on(testing::timed(super::super::kit::send(
                &chain,
                request("GET", ""),
            )));
            assert!(
                tries.contains(&bench.asked()) && ms.contains(&took.as_millis()),
                "{} {took:?}",
                bench.asked()
            );
        };
        check(&config(3, &["500"]), 3..=3, 0..5);
        let wait = Config {
            initial_interval: Time::from_millis(300),
            ..config(3, &["500"])
        };
        check(&wait, 3..=3, 300..1_200);
        let limit = Config {
            initial_interval: Time::from_millis(100),
            timeout: Time::from_millis(500),
            ..config(30, &["500"])
        };
        check(&limit, 4..=12, 400..600);
    }

    #[test]
    fn what_cannot_be_built() {
        let check = |config: Config| {
            assert!(
                Bench::new(|_| Response::new(200))
                    .build(|cx| build(&config, cx))
                    .is_err()
            )
        };
        check(config(0, &[]));
        check(config(-1, &["500"]));
        check(config(2, &["5xx"]));
        check(Config {
            disable_retry_on_network_error: true,
            ..config(3, &[])
        });
    }
}
