//! `models`: spreads calls of language models over services, and asks another one when one fails.
//!
//! A target is an ordinary service with its own middlewares, so each attempt has its own token, model and format. Another
//! one is asked until the first byte of an answer is there, and never after that: from then on the answer is the client's.

mod breaker;
mod class;

use crate::balancer::Wrr;
use crate::replay::{Held, Replay};
use crate::service::{Backend, Child};
use breaker::{Breaker, Permit};
use class::{Class, Classes};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use trilithon_flow::model_call::{Leg, LegOutcome};
use trilithon_flow::record::Name;
use trilithon_flow::trace::What;
use trilithon_flow::{BuildError, Exchange, Fault, FaultKind, Keep, Reply, Request, Response, Service};
use trilithon_model::dynamic::http::{ModelTarget, Models as Config};

/// As many as bits in the set of those that were asked.
const MOST_TARGETS: usize = 64;

/// A `models` service.
pub struct Models {
    targets: Vec<Target>,
    kept: Arc<Kept>,
    on: Classes,
    attempts: u32,
    /// Until the first byte of the answer's body.
    first_byte: Option<Duration>,
    max_body: u64,
}

struct Target {
    /// As the configuration writes it.
    name: Name,
    backend: Arc<dyn Backend>,
}

/// What outlives reloads: a breaker for each target, and the turns of each priority, the highest first.
struct Kept {
    breakers: Vec<Breaker>,
    groups: Vec<Group>,
}

struct Group {
    wrr: Wrr,
    /// Which target each candidate is.
    targets: Vec<usize>,
}

impl Models {
    /// The service with the qualified name `name`. `targets` are those of the configuration, in order.
    ///
    /// # Errors
    /// No target or too many, an unknown class of failure, numbers that are none.
    pub fn build(
        name: &str,
        config: &Config,
        targets: Vec<Child>,
        keep: &Keep,
    ) -> Result<Models, BuildError> {
        let failover = config.failover.clone().unwrap_or_default();
        let breaker = config.breaker.clone().unwrap_or_default();
        let attempts = number("failover.attempts", failover.attempts, 1)?;
        let max_body = number("failover.maxRequestBodyBytes", failover.max_request_body_bytes, 0)?;
        let failures = number("breaker.failures", breaker.failures, 0)?;
        if targets.is_empty() || targets.len() > MOST_TARGETS {
            let count = targets.len();
            return Err(
                BuildError::new(format!("`models` has {count} targets, not 1 to {MOST_TARGETS}"))
                    .help("name the services to ask in `targets`"),
            );
        }
        let kept = keep.get(name, config, || Kept {
            breakers: targets
                .iter()
                .map(|_| Breaker::new(failures, breaker.open_for.to_std()))
                .collect(),
            groups: groups(config, &targets),
        });
        let named = |(as_written, child): (&ModelTarget, Child)| Target {
            name: as_written.service.as_str().into(),
            backend: child.backend,
        };
        Ok(Models {
            targets: config.targets.iter().zip(targets).map(named).collect(),
            kept,
            on: Classes::of(&failover.on)?,
            attempts,
            first_byte: Some(failover.first_byte_timeout.to_std()).filter(|limit| !limit.is_zero()),
            max_body: max_body.into(),
        })
    }

    /// The next target that was not asked yet and is not put aside.
    fn pick(&self, asked: &mut u64) -> Option<(usize, Permit<'_>)> {
        let now = Instant::now();
        for group in &self.kept.groups {
            let free = |at: usize| {
                let target = group.targets[at];
                *asked & 1 << target == 0 && self.kept.breakers[target].may(now)
            };
            if let Some(at) = group.wrr.pick(free) {
                let target = group.targets[at];
                *asked |= 1 << target;
                return match self.kept.breakers[target].admit(now) {
                    Some(permit) => Some((target, permit)),
                    // Another worker was quicker.
                    None => self.pick(asked),
                };
            }
        }
        None
    }

    async fn ask(&self, req: Request, cx: &mut Exchange) -> Response {
        match Replay::of(req, Some(self.max_body)).await {
            Ok(Held::Whole(replay)) => self.ask_each(&replay, cx).await,
            Ok(Held::Larger(req)) => self.ask_once(req, cx).await,
            Err(fault) => Response::from(fault),
        }
    }

    async fn ask_each(&self, replay: &Replay, cx: &mut Exchange) -> Response {
        let (mut asked, mut last) = (0, None);
        for _ in 0..self.attempts {
            let Some((target, permit)) = self.pick(&mut asked) else {
                break;
            };
            // Nothing of the answer that nobody got; its body, and with it the call upstream, ends here.
            drop(last.take());
            (cx.record.fault, cx.origin_streamed) = (None, None);
            // Interim answers belong to an answer that may not be given.
            let (interim, outer) = (std::mem::take(&mut cx.interim), cx.attempt);
            let (res, class) = self.attempt(target, permit, replay.request(), cx).await;
            (cx.interim, cx.attempt) = (interim, outer);
            if !class.is_some_and(|class| self.on.has(class)) {
                return res;
            }
            last = Some(res);
        }
        last.unwrap_or_else(|| self.all_aside())
    }

    /// A request that cannot be made again.
    async fn ask_once(&self, req: Request, cx: &mut Exchange) -> Response {
        match self.pick(&mut 0) {
            Some((target, permit)) => self.attempt(target, permit, req, cx).await.0,
            None => self.all_aside(),
        }
    }

    /// Asks one target, and tells its breaker and the call what came of it.
    async fn attempt(
        &self,
        target: usize,
        permit: Permit<'_>,
        req: Request,
        cx: &mut Exchange,
    ) -> (Response, Option<Class>) {
        let before = legs(cx);
        let target = &self.targets[target];
        let span = cx.record.enter(|| What::Service {
            name: target.name.clone(),
        });
        let answer = async {
            let mut res = target.backend.call(req, cx).await;
            let class = match Class::of(&res) {
                None if (200..300).contains(&res.status) => first_byte(&mut res).await,
                other => other,
            };
            (res, class)
        };
        let (res, class) = match self.first_byte {
            None => answer.await,
            Some(limit) => match tokio::time::timeout(limit, answer).await {
                Ok(answered) => answered,
                Err(_) => (too_late(limit), Some(Class::Timeout)),
            },
        };
        match class {
            None => {
                cx.record.leave(&span);
                permit.succeeded();
            }
            Some(class) => {
                cx.record.end(&span);
                permit.failed(Instant::now(), retry_after(&res));
                note(cx, before, class);
            }
        }
        (res, class)
    }

    /// Nobody may be asked now: the answer says when somebody may.
    fn all_aside(&self) -> Response {
        let soonest = self.kept.breakers.iter().filter_map(Breaker::aside_until).min();
        let left = soonest.map_or(Duration::ZERO, |until| {
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

/// The targets with a share, by priority.
fn groups(config: &Config, children: &[Child]) -> Vec<Group> {
    let mut by_priority: BTreeMap<Reverse<i64>, Vec<(usize, f64)>> = BTreeMap::new();
    for (index, (target, child)) in config.targets.iter().zip(children).enumerate() {
        if let Some(share) = child.share() {
            let group = by_priority.entry(Reverse(target.priority)).or_default();
            group.push((index, share));
        }
    }
    let group = |members: Vec<(usize, f64)>| Group {
        wrr: Wrr::new(members.iter().map(|(_, share)| *share)),
        targets: members.into_iter().map(|(index, _)| index).collect(),
    };
    by_priority.into_values().map(group).collect()
}

fn number(option: &str, value: i64, least: u32) -> Result<u32, BuildError> {
    let fits = u32::try_from(value).ok().filter(|n| *n >= least);
    fits.ok_or_else(|| {
        BuildError::new(format!("`{option}` is {value}")).help(format!("write a number from {least} on"))
    })
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

/// `Retry-After` in seconds (RFC 9110, section 10.2.3); a date is not read.
fn retry_after(res: &Response) -> Option<Duration> {
    let seconds = res.headers.get_str("Retry-After")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn legs(cx: &Exchange) -> usize {
    cx.model_call.as_ref().map_or(0, |call| call.borrow().legs.len())
}

/// Tells the call of a failure that the target's own middlewares did not see, or saw as a good answer.
fn note(cx: &Exchange, before: usize, class: Class) {
    let Some(call) = &cx.model_call else { return };
    let mut call = call.borrow_mut();
    let outcome = LegOutcome::Error(class.as_str());
    if call.legs.len() == before {
        let leg = Leg {
            provider: call.provider.clone(),
            model: call.sent.clone().unwrap_or_default(),
            outcome,
        };
        call.legs.push(leg);
    } else if let Some(leg) = call.legs.last_mut()
        && matches!(leg.outcome, LegOutcome::Status(200..300))
    {
        leg.outcome = outcome;
    }
}

impl Service for Models {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(self.ask(req, cx))
    }
}

impl Backend for Models {
    fn status_refusal(&self) -> String {
        "a `models` service does not report its health".to_owned()
    }
}

#[cfg(test)]
mod tests;
