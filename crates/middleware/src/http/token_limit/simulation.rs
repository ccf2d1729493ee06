//! Five hundred calls at a time: clients that leave, upstreams that break, answers longer than was asked for. Whatever
//! happens, every call is settled once, by exactly what it took.

use super::super::ai_quota;
use super::super::kit::{Act, Script};
use super::super::testing::{self, block_on, connection, request};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::metrics::registry;
use trilithon_flow::{
    Body, Chain, Exchange, Fault, FaultKind, Keep, Known, Reply, Request, Response, Service, Step,
};
use trilithon_model::duration::Duration as Written;
use trilithon_model::dynamic::http::{AiQuota, ClientRequestFormat, TokenLimit, TokenLimits};

const CALLS: usize = 500;
/// Tokens of the prompt by our count, and by the upstream's.
const PROMPT: u64 = 7;
const REPORTED: u64 = 9;
/// Tokens that each call asks for at most; upstreams may give twice as many.
const ASKED: u64 = 20;
const SET_ASIDE: u64 = PROMPT + ASKED;

/// What the upstream does.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// All at once, with its usage.
    Whole(u64),
    /// A token an event, then its usage.
    Stream(u64),
    /// The same, but it breaks.
    Cut(u64),
    Error,
    Unreached,
}

/// When the client leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Never,
    BeforeTheHead,
    AfterEvents(u64),
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    answer: Answer,
    leaves: Leaves,
    millis: u64,
}

impl Plan {
    fn draw(random: &mut fastrand::Rng) -> Plan {
        let tokens = random.u64(1..=2 * ASKED);
        Plan {
            answer: match random.u8(0..8) {
                0..=2 => Answer::Whole(tokens),
                3 | 4 => Answer::Stream(tokens),
                5 => Answer::Cut(tokens),
                6 => Answer::Error,
                _ => Answer::Unreached,
            },
            leaves: match random.u8(0..4) {
                0 => Leaves::BeforeTheHead,
                1 => Leaves::AfterEvents(random.u64(1..=2 * ASKED)),
                _ => Leaves::Never,
            },
            millis: random.u64(20..200),
        }
    }

    /// Tokens that it takes once it is let in.
    fn takes(&self) -> u64 {
        let seen = match self.leaves {
            // Nobody can tell what was made of it: what was set aside stands.
            Leaves::BeforeTheHead => return SET_ASIDE,
            Leaves::AfterEvents(n) => n,
            Leaves::Never => u64::MAX,
        };
        match self.answer {
            Answer::Whole(tokens) => REPORTED + tokens,
            // Its last event, the usage, was not seen.
            Answer::Stream(tokens) if seen <= tokens => PROMPT + seen,
            Answer::Stream(tokens) => REPORTED + tokens,
            Answer::Cut(tokens) => PROMPT + tokens.min(seen),
            Answer::Error | Answer::Unreached => 0,
        }
    }

    fn answer(&self) -> Response {
        let typed = |status, kind: &str, body| {
            let mut res = Response::new(status);
            res.headers.set_known(Known::ContentType, kind);
            res.body = body;
            res
        };
        let event: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"abcd\"}}]}\n\n";
        let events = |n: u64| (0..n).map(move |_| Act::Data(event));
        let stream = |acts: Vec<Act>| typed(200, "text/event-stream", Script::new(acts).body());
        match self.answer {
            Answer::Whole(tokens) => {
                let body = format!(
                    r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{REPORTED},"completion_tokens":{tokens}}}}}"#
                );
                typed(200, "application/json", Body::from(body))
            }
            Answer::Stream(tokens) => {
                let usage = format!(
                    "data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":{REPORTED},\"completion_tokens\":{tokens}}}}}\n\n"
                );
                stream(
                    events(tokens)
                        .chain([Act::Data(usage.leak().as_bytes())])
                        .collect(),
                )
            }
            Answer::Cut(tokens) => {
                let broken = Fault::new(FaultKind::Broken, "cut");
                stream(events(tokens).chain([Act::Fail(broken)]).collect())
            }
            Answer::Error => typed(503, "application/json", Body::from(r#"{"error":{}}"#)),
            Answer::Unreached => Response::from(Fault::new(FaultKind::Connect, "refused")),
        }
    }
}

/// The upstream: it answers each call by the plan that the call names.
struct Upstream(Arc<[Plan]>);

fn plan_of(req: &Request) -> usize {
    req.headers
        .get_str("X-Plan")
        .and_then(|n| n.parse().ok())
        .expect("a call has a plan")
}

impl Service for Upstream {
    fn call<'a>(&'a self, req: Request, _: &'a mut Exchange) -> Reply<'a> {
        let plan = self.0[plan_of(&req)];
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(plan.millis)).await;
            plan.answer()
        })
    }
}

fn step(keep: &Keep, name: &'static str, limit: u64) -> Step {
    let config = AiQuota {
        limits: TokenLimits {
            total_token_limit: Some(TokenLimit {
                limit: i64::try_from(limit).unwrap(),
                period: Some(Written::from_secs(86_400 * 365)),
                ..TokenLimit::default()
            }),
            client_request_format: ClientRequestFormat::Ccr,
            ..TokenLimits::default()
        },
        ..AiQuota::default()
    };
    testing::build(keep, |cx| {
        cx.name = name;
        ai_quota::build(&config, cx).unwrap()
    })
}

fn call(plan: usize) -> Request {
    let mut req = request("POST", "/v1/chat/completions", &[("X-Plan", &plan.to_string())]);
    req.body =
        Body::from(r#"{"model":"gpt-4o","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#);
    req
}

/// Makes one call as its plan has it; true when it was let in.
async fn make(chain: &Chain, at: usize, plan: Plan) -> bool {
    let mut cx = Exchange::new(Rc::new(connection("1.1.1.1:1", None)), Rc::default());
    let answer = chain.run(call(at), &mut cx);
    if let Leaves::BeforeTheHead = plan.leaves {
        let refused = tokio::time::timeout(Duration::from_millis(10), answer).await;
        return refused.is_err();
    }
    let mut res = answer.await;
    let mut left = match plan.leaves {
        Leaves::AfterEvents(n) => n,
        _ => u64::MAX,
    };
    while left > 0 && matches!(res.body.chunk().await, Some(Ok(_))) {
        left -= 1;
    }
    res.status != 429
}

fn open_calls(name: &str) -> i64 {
    let gauge = registry().gauge("trilithon_token_limit_open_calls", "", &[("policy", name)]);
    gauge.get()
}

/// Tokens that were taken under a limit, calls that were refused, and what is left.
fn simulate(name: &'static str, limit: u64, seed: u64) -> (u64, usize, u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let plans: Arc<[Plan]> = (0..CALLS).map(|_| Plan::draw(&mut random)).collect();
    let probe = Plan {
        answer: Answer::Error,
        leaves: Leaves::Never,
        millis: 0,
    };
    let all: Arc<[Plan]> = plans.iter().copied().chain([probe]).collect();
    let keep = Keep::default();
    let chain = Rc::new(Chain::new(
        vec![step(&keep, name, limit)],
        Arc::new(Upstream(all)),
    ));
    let (taken, refused) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    block_on(async {
        let local = tokio::task::LocalSet::new();
        for (at, plan) in plans.iter().copied().enumerate() {
            let (chain, taken, refused) = (chain.clone(), taken.clone(), refused.clone());
            let begin = Duration::from_millis(random.u64(0..100));
            local.spawn_local(async move {
                tokio::time::sleep(begin).await;
                match make(&chain, at, plan).await {
                    true => taken.set(taken.get() + plan.takes()),
                    false => refused.set(refused.get() + 1),
                }
            });
        }
        local.await;
        assert_eq!(open_calls(name), 0, "every call is settled");
        let mut cx = Exchange::new(Rc::new(connection("1.1.1.1:1", None)), Rc::default());
        let res = chain.run(call(CALLS), &mut cx).await;
        let left = res
            .headers
            .get_str("X-Ratelimit-Remaining-Tokens-Total")
            .expect("a limit tells");
        let set_aside = if res.status == 429 { 0 } else { SET_ASIDE };
        (
            taken.get(),
            refused.get(),
            left.parse::<u64>().unwrap() + set_aside,
        )
    })
}

#[test]
fn every_call_is_settled_by_exactly_what_it_took() {
    for seed in 0..8 {
        let (taken, refused, left) = simulate("settled@file", 1_000_000, seed);
        assert_eq!((refused, left), (0, 1_000_000 - taken), "seed {seed}");
    }
}

#[test]
fn a_limit_is_not_exceeded_by_more_than_what_calls_take_beyond_what_was_set_aside() {
    for seed in 0..8 {
        let limit = 3_000;
        let (taken, refused, left) = simulate("bounded@file", limit, seed);
        let at_a_time = limit / SET_ASIDE;
        let beyond = REPORTED + 2 * ASKED - SET_ASIDE;
        assert!(refused > 0, "seed {seed}: the limit was met");
        assert!(taken <= limit + at_a_time * beyond, "seed {seed}: {taken}");
        assert_eq!(left, limit.saturating_sub(taken), "seed {seed}");
    }
}
