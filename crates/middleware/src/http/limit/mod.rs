//! `limit`: so much for each source, by one rule or several, all or none. What a request costs is known when it comes, told
//! by the answer, or counted to its last byte; it is reserved first and settled once.

mod build;
mod condition;

use self::condition::{Chosen, Conditions};
use super::limit_facts;
use super::limit_headers::{self, Format, Standing};
use super::mcp::denial::{Told, era};
use super::source_criterion::SourceCriterion;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::metrics::Value;
use trilithon_flow::{
    Decision, Exchange, Held, Known, McpCall, Mode, Next, Reply, Request, Response, Rollout, Side, Wrap, hold,
};
use trilithon_limit::{Caller, Charges, Limit, Nanos, Outcome, Outcomes, Refused, clock};

pub use build::build;

/// How long a request waits for the store of durable limits before they are counted in memory.
const STORE_PATIENCE: Duration = Duration::from_secs(1);
/// The type of problem that the refusal is (draft-ietf-httpapi-ratelimit-headers-10 §6.1).
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

struct Limiting {
    criterion: SourceCriterion,
    limits: Box<[Arc<Limit>]>,
    kinds: Box<[Kind]>,
    /// Which requests each counts, where some do not count all.
    conditions: Option<Conditions>,
    cost: Cost,
    format: Format,
    /// The value of `RateLimit-Policy`.
    policies: Box<str>,
    rollout: Rollout,
    /// Whether a request may have to wait for the store.
    is_durable: bool,
    /// Requests that were refused, or would have been.
    refusals: Arc<Value>,
}

/// What headers need to know of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rate,
    Quota,
    InFlight,
}

/// What a request costs.
enum Cost {
    Units(u64),
    Header { reserve: u64, name: Box<str> },
    Bytes { reserve: u64 },
}

impl Cost {
    /// Units that are taken when the request comes.
    fn reserve(&self) -> u64 {
        match self {
            Cost::Units(n) | Cost::Header { reserve: n, .. } | Cost::Bytes { reserve: n } => *n,
        }
    }
}

impl Wrap for Limiting {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        let mode = self.rollout.of(cx.caller());
        if mode == Mode::Off {
            return next.reply(req, cx);
        }
        let chosen = self.chosen(&req, cx);
        if chosen.limits.is_empty() {
            return next.reply(req, cx);
        }
        let name: SmallVec<[u8; 64]> = SmallVec::from_slice(&self.criterion.name(&req, cx));
        Box::pin(async move {
            let answer = self.reserve(&chosen.limits, Caller::new(&name), mode).await;
            let decision = self.decision(&chosen, &answer, mode);
            let refuses = decision.refuses();
            cx.record.decisions.push(decision);
            match answer {
                Err(refused) => {
                    self.refusals.inc();
                    if refuses {
                        self.refusal(&chosen, &refused, cx)
                    } else {
                        next.run(req, cx).await
                    }
                }
                Ok((charges, outcomes)) => {
                    let mut res = next.run(req, cx).await;
                    if mode == Mode::Enforce {
                        self.tell(&chosen, &outcomes, &mut res);
                    }
                    self.settle(charges, res)
                }
            }
        })
    }
}

impl Limiting {
    /// The rules that count a request.
    fn chosen(&self, req: &Request, cx: &Exchange) -> Chosen<'_> {
        match &self.conditions {
            None => Chosen::all(&self.limits, &self.kinds),
            Some(conditions) => conditions.choose(&self.limits, &self.kinds, req, cx),
        }
    }

    /// In shadow nobody waits.
    async fn reserve<'l>(
        &self,
        limits: &'l [Arc<Limit>],
        caller: Caller<'_>,
        mode: Mode,
    ) -> Result<(Charges, Outcomes<'l>), Refused<'l>> {
        let cost = self.cost.reserve();
        if self.is_durable && mode == Mode::Enforce {
            let reserving = Charges::reserve(limits, caller, cost, clock::now);
            if let Ok(answer) = tokio::time::timeout(STORE_PATIENCE, reserving).await {
                return answer;
            }
        }
        Charges::reserve_now(limits, caller, cost, clock::now())
    }

    fn decision(
        &self,
        chosen: &Chosen<'_>,
        answer: &Result<(Charges, Outcomes<'_>), Refused<'_>>,
        mode: Mode,
    ) -> Decision {
        let (allowed, outcome) = match answer {
            Ok((_, outcomes)) => (true, outcomes.iter().min_by_key(|o| o.remaining)),
            Err(refused) => (false, Some(&refused.outcome)),
        };
        // There is at least one rule.
        let policy = outcome.map_or_else(|| chosen.limits[0].policy(), |o| o.policy);
        Decision {
            policy: policy.policy.clone(),
            rule: policy.rule.clone(),
            allowed,
            mode,
            facts: match outcome {
                Some(o) if !allowed => {
                    limit_facts::of_units(o.limit, self.cost.reserve(), o.remaining, Some(o.retry_after))
                }
                _ => Vec::new(),
            },
        }
    }

    fn standing<'o>(chosen: &Chosen<'_>, at: usize, outcome: &Outcome<'o>) -> Standing<'o> {
        let wait = if outcome.allowed {
            outcome.reset
        } else {
            outcome.retry_after
        };
        let is_known = chosen.kinds[at] != Kind::InFlight && wait < Nanos::MAX;
        Standing {
            name: &outcome.policy.rule,
            limit: outcome.limit,
            remaining: outcome.remaining,
            reset: is_known.then_some(wait),
            is_quota: chosen.kinds[at] == Kind::Quota,
        }
    }

    fn tell(&self, chosen: &Chosen<'_>, outcomes: &[Outcome<'_>], res: &mut Response) {
        if self.format == Format::None {
            return;
        }
        let standings = outcomes
            .iter()
            .enumerate()
            .map(|(at, o)| Self::standing(chosen, at, o));
        let standings: SmallVec<[Standing<'_>; 2]> = standings.collect();
        limit_headers::write(self.format, &self.policies, &standings, &mut res.headers);
    }

    /// 429, and when to come back if that would help. Clients of tools are told in their protocol.
    fn refusal(&self, chosen: &Chosen<'_>, refused: &Refused<'_>, cx: &Exchange) -> Response {
        let outcome = &refused.outcome;
        let call = cx.mcp_call.as_ref().filter(|_| cx.mcp.is_some());
        let mut res = match (call, self.format) {
            (Some(call), _) => self.refused_call(outcome, &mut call.borrow_mut()),
            (None, Format::Ietf) => problem(&outcome.policy.rule),
            (None, _) => Response::status_text(429),
        };
        if outcome.retry_after < Nanos::MAX {
            let seconds = limit_headers::seconds(outcome.retry_after);
            res.headers
                .append("Retry-After", itoa::Buffer::new().format(seconds));
        }
        if self.format != Format::None {
            let standing = Self::standing(chosen, refused.at, outcome);
            limit_headers::write(self.format, &self.policies, &[standing], &mut res.headers);
        }
        res
    }

    /// The refusal of a message to a server of tools.
    fn refused_call(&self, outcome: &Outcome<'_>, call: &mut McpCall) -> Response {
        call.denied_by = Some(outcome.policy.policy.clone());
        let seconds = Some(outcome.retry_after).filter(|wait| *wait < Nanos::MAX);
        let later = seconds.map(|wait| format!(" Try again in {} s.", limit_headers::seconds(wait)));
        let told = Told {
            status: 429,
            code: trilithon_mcp::error::limited(era(call)),
            message: "Too Many Requests",
            result: &format!(
                "Too many calls: the gateway allows no more.{}",
                later.unwrap_or_default()
            ),
        };
        told.answer(call, call.answering.graceful)
    }

    /// Settles what is known with the answer's head, and holds the rest until its end.
    fn settle(&self, mut charges: Charges, res: Response) -> Response {
        match &self.cost {
            Cost::Units(_) => charges.stand(),
            Cost::Header { name, .. } => match cost_of(name, &res) {
                Some(actual) => charges.settle_units(actual, clock::now()),
                None if no_server_answered(&res) => charges.settle_units(0, clock::now()),
                None => charges.stand(),
            },
            Cost::Bytes { .. } => return hold(Meter { charges, bytes: 0 }, res),
        }
        if charges.is_empty() {
            res
        } else {
            hold(Slots(charges), res)
        }
    }
}

/// Whether the gateway answered because a server did not. A client that left its own body unfinished is another matter: what
/// the server did with the rest, nobody can tell.
fn no_server_answered(res: &Response) -> bool {
    res.fault.as_ref().is_some_and(|f| f.side() != Side::Client)
}

/// What an answer says that it cost.
fn cost_of(name: &str, res: &Response) -> Option<u64> {
    let text = res.headers.get_str(name)?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // More than a number can hold costs as much as one can.
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// RFC 9457, with the names of the rules that refused.
fn problem(rule: &str) -> Response {
    let body = format!(
        "{{\"type\":\"{QUOTA_EXCEEDED}\",\"title\":\"Too Many Requests\",\"status\":429,\"violated-policies\":[\"{rule}\"]}}"
    );
    let mut res = Response::bare(429, body);
    res.headers
        .set_known(Known::ContentType, "application/problem+json");
    res
}

/// Slots of what is under way, as long as it is.
struct Slots(#[allow(dead_code, reason = "held to be dropped")] Charges);
impl Held for Slots {}

/// Counts an answer's bytes and settles with them, however it ends.
struct Meter {
    charges: Charges,
    bytes: u64,
}

impl Held for Meter {
    fn passed(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        std::mem::take(&mut self.charges).settle(self.bytes, clock::now());
    }
}

#[cfg(test)]
mod tests;
