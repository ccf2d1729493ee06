//! Asking one target after the other.

use super::breaker::Permit;
use super::class::Class;
use super::told::{broke, legs, note};
use super::{Models, Target, context};
use crate::replay::{Held, Replay};
use std::future::poll_fn;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use trilithon_flow::trace::What;
use trilithon_flow::{Exchange, Fault, FaultKind, Method, Request, Response};
use trilithon_wire::date;

/// What came of an attempt.
type Outcome = (Response, Option<Failure>);

/// Why an answer is none.
#[derive(Clone, Copy)]
struct Failure {
    class: Class,
    /// It had begun well: what went wrong was found by holding it.
    begun: bool,
}

impl Models {
    pub(super) async fn ask(&self, req: Request, cx: &mut Exchange) -> Response {
        match Replay::of(req, Some(self.max_body)).await {
            Ok(Held::Whole(replay)) => self.ask_each(&replay, cx).await,
            Ok(Held::Larger(req)) => self.ask_once(req, cx).await,
            Err(fault) => Response::from(fault),
        }
    }

    async fn ask_each(&self, replay: &Replay, cx: &mut Exchange) -> Response {
        let (mut asked, mut last) = (0, None);
        for _ in 0..self.attempts {
            let after = last.as_ref().map(|(_, class)| *class);
            let Some((target, permit)) = self.pick(&mut asked, after) else {
                break;
            };
            // Of the answer that nobody got the body, and with it the call upstream, ends here.
            drop(last.take());
            match self.ask_one(target, permit, replay, cx).await {
                (res, Some(failure)) if self.is_failover(failure.class) => last = Some((res, failure.class)),
                (res, _) => return res,
            }
        }
        last.map_or_else(|| self.all_aside(), |(res, _)| res)
    }

    /// Asks one target, more than once if that is configured.
    async fn ask_one(
        &self,
        target: &Target,
        mut permit: Permit<'_>,
        replay: &Replay,
        cx: &mut Exchange,
    ) -> Outcome {
        let mut before = 0;
        loop {
            forget(cx);
            // Interim answers belong to an answer that may not be given.
            let (interim, outer) = (std::mem::take(&mut cx.interim), cx.attempt);
            let (res, failure) = self.attempt(target, permit, replay.request(), cx).await;
            (cx.interim, cx.attempt) = (interim, outer);
            // Who has taken time over an answer that came to nothing is not given it once more.
            let may = |failure: &Failure| !failure.begun && self.is_failover(failure.class);
            let Some(failed) = failure.filter(may) else {
                return (res, failure);
            };
            let again = self.again.as_ref();
            let Some(wait) = again.and_then(|again| again.wait(before, failed.class, retry_after(&res)))
            else {
                return (res, failure);
            };
            tokio::time::sleep(wait).await;
            let Some(next) = target.breaker.admit(Instant::now()) else {
                return (res, failure);
            };
            (permit, before) = (next, before + 1);
        }
    }

    /// A request that cannot be made again.
    async fn ask_once(&self, req: Request, cx: &mut Exchange) -> Response {
        match self.pick(&mut 0, None) {
            Some((target, permit)) => self.attempt(target, permit, req, cx).await.0,
            None => self.all_aside(),
        }
    }

    /// Makes one attempt, and tells breaker, call and metrics what came of it.
    async fn attempt(&self, target: &Target, permit: Permit<'_>, req: Request, cx: &mut Exchange) -> Outcome {
        let before = legs(cx);
        let span = cx.record.enter(|| What::Attempt {
            target: target.name.clone(),
            failure: None,
        });
        let (res, failure) = self.answer(target, req, cx).await;
        let class = failure.map(|failure| failure.class);
        target.told.count(class);
        match class {
            None => cx.record.leave(&span),
            Some(class) => {
                cx.record.fail(&span, class.as_str());
                note(cx, before, class);
            }
        }
        match class {
            // That a call is too long says nothing against who says so.
            None | Some(Class::ContextLength) => permit.succeeded(),
            Some(_) => permit.failed(Instant::now(), retry_after(&res)),
        }
        (res, failure)
    }

    /// Asks, and waits until it is clear what the answer is.
    async fn answer(&self, target: &Target, req: Request, cx: &mut Exchange) -> Outcome {
        let has_body = req.method != Method::Head;
        let beginning = self.beginning(target, req, cx);
        let (mut res, class) = match self.first_byte {
            None => beginning.await,
            Some(limit) => match tokio::time::timeout(limit, beginning).await {
                Ok(begun) => begun,
                Err(_) => (too_late(limit), Some(Class::Timeout)),
            },
        };
        let begun = class.is_none();
        let class = match class {
            None if (200..300).contains(&res.status) => self.hold.check(&mut res, has_body, cx).await,
            other => other,
        };
        (res, class.map(|class| Failure { class, begun }))
    }

    /// Asks, and waits for the first byte.
    async fn beginning(&self, target: &Target, req: Request, cx: &mut Exchange) -> (Response, Option<Class>) {
        let mut res = target.backend.call(req, cx).await;
        let class = match Class::of(&res) {
            None if (200..300).contains(&res.status) => {
                let class = first_byte(&mut res).await;
                // What the target's middlewares say of it is nearer to what happened.
                broke(cx).or(class)
            }
            None if self.is_failover(Class::ContextLength) => context::is_too_long(&mut res)
                .await
                .then_some(Class::ContextLength),
            other => other,
        };
        (res, class)
    }

    /// Nobody may be asked now: the answer says when somebody may.
    fn all_aside(&self) -> Response {
        let aside = self
            .targets
            .iter()
            .filter_map(|target| target.breaker.aside_until());
        let left = aside.min().map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        });
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let mut res = Response::error(503, "no model can be asked now");
        res.fault = Some(Box::new(
            Fault::new(FaultKind::Connect, "every target is put aside").unsent(),
        ));
        res.headers.append("Retry-After", seconds.max(1).to_string());
        res
    }
}

/// Nothing of an answer that nobody got is the exchange's.
fn forget(cx: &mut Exchange) {
    (cx.record.fault, cx.origin_streamed) = (None, None);
    if let Some(call) = &cx.model_call {
        call.borrow_mut().anew();
    }
}

/// Waits until a byte of the body is there, or its end. The byte stays where it is.
async fn first_byte(res: &mut Response) -> Option<Class> {
    let mut body = res.body.take();
    let class = poll_fn(|cx| {
        body.poll_fill(cx).map(|first| match first {
            Ok(first) => Class::of_first(res, first),
            Err(fault) => Some(Class::of_fault(&fault).unwrap_or(Class::Broken)),
        })
    })
    .await;
    res.body = body;
    class
}

fn too_late(limit: Duration) -> Response {
    let detail = format!("no byte of an answer within {limit:?}");
    Response::from(Fault::new(FaultKind::ResponseTimeout, detail))
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn retry_after(res: &Response) -> Option<Duration> {
    let text = res.headers.get_str("Retry-After")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(date::parse(text)?).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_back() {
        let check = |text: &str, want: Option<u64>| {
            let mut res = Response::new(429);
            res.headers.append("Retry-After", text);
            assert_eq!(retry_after(&res).map(|wait| wait.as_secs()), want, "{text}");
        };
        check("17", Some(17));
        check(" 0 ", Some(0));
        check("-1", None);
        check("soon", None);
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(0));
        let mut res = Response::new(429);
        res.headers.append("Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT");
        assert!(retry_after(&res).unwrap() > Duration::from_secs(365 * 24 * 3600));
    }
}
