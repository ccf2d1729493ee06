//! What `ai-rate-limit` and `ai-quota` are: limits on the tokens and the money that calls of language models take. What a call
//! will take is set aside before it, all limits or none, and settled after it, however it ends.

mod custom;
mod expect;
mod rules;
mod settle;

use super::ip_strategy::IpStrategy;
use super::limit_headers;
use super::model_call::{OnDeny, Opened, Reckoner, body_limit, meter, open};
use super::rollout::rollout;
use super::source_criterion::SourceCriterion;
use custom::Queries;
use expect::{Expected, Reserve};
use rules::{Four, Rule};
use settle::{End, Learned, Settling};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use trilithon_ai::dialect::Dialect;
use trilithon_ai::price::{Dollars, Price, Prices};
use trilithon_ai::tokens::{Forecasts, Ratios};
use trilithon_flow::metrics::{Value, registry};
use trilithon_flow::model_call::Tariff;
use trilithon_flow::{
    Build, BuildError, Decision, Exchange, Format, Headers, Mode, ModelCall, Next, Reply, Request, Response,
    Rollout, SharedCall, Step, Usage, Wrap, hold,
};
use trilithon_limit::{Caller, Charges, Limit, Nanos, Outcomes, Refused, clock};
use trilithon_model::dynamic::http::{ClientRequestFormat, LimitStore, TokenLimits as Config};

pub use rules::Shape;

/// How long a call waits for the store of durable limits before they are counted in memory.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Quantity {
    Input,
    Output,
    Total,
    /// Billionths of a dollar.
    Cost,
}

impl Quantity {
    fn as_str(self) -> &'static str {
        match self {
            Quantity::Input => "input",
            Quantity::Output => "output",
            Quantity::Total => "total",
            Quantity::Cost => "cost",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Quantity::Input => "inputTokenLimit",
            Quantity::Output => "outputTokenLimit",
            Quantity::Total => "totalTokenLimit",
            Quantity::Cost => "costLimit",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Quantity::Input => "X-Ratelimit-Remaining-Tokens-Input",
            Quantity::Output => "X-Ratelimit-Remaining-Tokens-Output",
            Quantity::Total => "X-Ratelimit-Remaining-Tokens-Total",
            Quantity::Cost => "X-Ratelimit-Remaining-Cost",
        }
    }

    /// Units of a call that took so much.
    fn of(self, usage: &Usage, cost: u64) -> u64 {
        match self {
            Quantity::Input => usage.input,
            Quantity::Output => usage.output,
            Quantity::Total => usage.total(),
            Quantity::Cost => cost,
        }
    }
}

/// Builds the step of one of the two middlewares.
///
/// # Errors
/// Redis; no limit; a number out of its bounds; an option that would do nothing.
pub(super) fn build(
    config: &Config,
    store: Option<&LimitStore>,
    shape: Shape,
    cx: &mut Build<'_>,
) -> Result<Step, BuildError> {
    if store.is_some_and(|store| store.redis.is_some()) {
        return Err(BuildError::new("`store.redis` is not built yet")
            .help("remove `store`: each gateway counts for itself"));
    }
    let peer = SourceCriterion::Ip(IpStrategy::PEER);
    let criterion = SourceCriterion::build(config.source_criterion.as_ref(), peer)?;
    let own = Four {
        input: config.input_token_limit.as_ref(),
        output: config.output_token_limit.as_ref(),
        total: config.total_token_limit.as_ref(),
        cost: config.cost_limit.as_ref(),
    };
    let rules = rules::rules(&own, criterion, &config.levels, shape, cx)?;
    let labels = [("policy", cx.name)];
    let learned = Learned {
        forecasts: cx
            .keep
            .get(&format!("forecasts {}", cx.name), &(), Forecasts::default),
        ratios: cx.keep.get("token ratios", &(), Ratios::default),
    };
    Ok(Step::wrap(TokenLimits {
        limits: rules.iter().map(|rule| rule.limit.clone()).collect(),
        quantities: rules.iter().map(|rule| rule.quantity).collect(),
        is_durable: shape == Shape::Window { durable: true },
        rules: rules.into(),
        format: format(config.client_request_format),
        queries: config.usage.as_ref().map(Queries::build).transpose()?,
        reserve: reserve(&config.reserve),
        refuses_unpriced: config.unpriced != "allow",
        body_limit: body_limit(config.max_request_body_size, cx.keep)?,
        deny: OnDeny::build(
            config.on_deny_response.as_ref(),
            429,
            "too many tokens were used; try again later",
        )?,
        rollout: rollout(config.mode, config.percent),
        prices: Prices::of(cx.keep),
        tariff: Reckoner::of(cx.keep),
        learned: Arc::new(learned),
        name: cx.name.into(),
        refusals: registry().counter(
            "trilithon_token_limit_refusals_total",
            "Calls of models that a token limit or budget refused, or would have refused in shadow.",
            &labels,
        ),
        open: registry().gauge(
            "trilithon_token_limit_open_calls",
            "Calls of models for which tokens are set aside and not settled.",
            &labels,
        ),
    }))
}

fn format(config: ClientRequestFormat) -> Format {
    match config {
        ClientRequestFormat::Custom => Format::Custom,
        ClientRequestFormat::Ccr => Format::Ccr,
        ClientRequestFormat::ResponsesApi => Format::ResponsesApi,
        ClientRequestFormat::MessagesApi => Format::MessagesApi,
    }
}

fn reserve(word: &str) -> Reserve {
    match word {
        "worstCase" => Reserve::WorstCase,
        "none" => Reserve::Nothing,
        _ => Reserve::Adaptive,
    }
}

struct TokenLimits {
    /// In the order that they are asked in.
    rules: Box<[Rule]>,
    limits: Box<[Arc<Limit>]>,
    quantities: Arc<[Quantity]>,
    /// Of bodies that nobody in front has made out.
    format: Format,
    queries: Option<Queries>,
    reserve: Reserve,
    refuses_unpriced: bool,
    body_limit: u64,
    deny: OnDeny,
    rollout: Rollout,
    /// Whether a call may have to wait for the store.
    is_durable: bool,
    prices: Arc<Prices>,
    tariff: Arc<dyn Tariff>,
    learned: Arc<Learned>,
    name: Arc<str>,
    /// Calls that were refused, or would have been.
    refusals: Arc<Value>,
    /// Calls that are not settled.
    open: Arc<Value>,
}

/// What is known of a call before it is made.
struct Asked {
    call: SharedCall,
    dialect: Option<Dialect>,
    expected: Expected,
    price: Option<Price>,
}

impl Wrap for TokenLimits {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        let mode = self.rollout.of(cx.caller());
        if mode == Mode::Off {
            return next.reply(req, cx);
        }
        Box::pin(async move {
            match self.ask(&mut req, cx).await {
                Ok(Some(asked)) => self.limited(asked, mode, req, cx, next).await,
                Ok(None) => next.run(req, cx).await,
                Err(res) => res,
            }
        })
    }
}

impl TokenLimits {
    /// Makes out what is asked for; `None` when that is nothing of a model.
    async fn ask(&self, req: &mut Request, cx: &mut Exchange) -> Result<Option<Asked>, Response> {
        let format = cx
            .model_call
            .as_ref()
            .map_or(self.format, |call| call.borrow().format);
        let caller: SmallVec<[u8; 64]> = SmallVec::from_slice(cx.caller());
        let Some(dialect) = Dialect::of(format) else {
            return Ok(self.ask_custom(req, cx, &caller));
        };
        let Some(opened) = open(dialect, req, cx, self.body_limit).await? else {
            return Ok(None);
        };
        let Opened { body, request, call } = opened;
        cx.tariff.get_or_insert_with(|| self.tariff.clone());
        let model = model(&call.borrow());
        let learned = (&*self.learned.forecasts, &*self.learned.ratios);
        let expected = Expected::of((&body, &request), &model, &caller, learned, self.reserve);
        call.borrow_mut().prompt = Some((expected.input, expected.basis));
        Ok(Some(Asked {
            call,
            dialect: Some(dialect),
            expected,
            price: self.prices.table().price(&model).cloned(),
        }))
    }

    /// The same of a format that says nothing of itself but where its answers tell their tokens.
    fn ask_custom(&self, req: &Request, cx: &mut Exchange, caller: &[u8]) -> Option<Asked> {
        if req.body.is_empty() {
            return None;
        }
        let call = cx
            .model_call
            .get_or_insert_with(|| ModelCall::new(Format::Custom).shared());
        let length = req
            .body
            .length()
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        Some(Asked {
            call: call.clone(),
            dialect: None,
            expected: Expected::of_length(length, caller, &self.learned.forecasts),
            price: None,
        })
    }

    async fn limited(
        &self,
        asked: Asked,
        mode: Mode,
        req: Request,
        cx: &mut Exchange,
        next: Next<'_>,
    ) -> Response {
        if self.is_unpriced(&asked) {
            return self.unpriced(asked, mode, req, cx, next).await;
        }
        let answer = self.reserve(&asked, mode, &req, cx).await;
        let decision = self.decision(&answer, &asked, mode);
        let refuses = decision.refuses();
        cx.record.decisions.push(decision);
        let (charges, outcomes) = match answer {
            Ok(reserved) => reserved,
            Err(refused) => {
                self.refusals.inc();
                return match refuses {
                    true => self.refusal(&asked, &refused),
                    // What shadow lets by is read all the same: others may stand behind.
                    false => self.read(&asked, cx.record.started, next.run(req, cx).await),
                };
            }
        };
        let started = cx.record.started;
        let mut settling = self.settling(&asked, charges);
        let mut res = next.run(req, cx).await;
        settling.end = match res.fault.is_some() || !(200..400).contains(&res.status) {
            true => End::Refused,
            false => End::Answered,
        };
        if mode == Mode::Enforce {
            self.tell(&outcomes, &mut res.headers);
        }
        hold(settling, self.read(&asked, started, res))
    }

    /// Reads the tokens of an answer as it goes by.
    fn read(&self, asked: &Asked, started: Option<std::time::Instant>, res: Response) -> Response {
        match (asked.dialect, &self.queries) {
            (Some(dialect), _) => meter(dialect, &asked.call, started, res),
            (None, Some(queries)) => custom::read(queries, &asked.call, res),
            (None, None) => res,
        }
    }

    fn is_unpriced(&self, asked: &Asked) -> bool {
        self.refuses_unpriced && asked.price.is_none() && self.quantities.contains(&Quantity::Cost)
    }

    /// A budget that a name nobody knows could get around would be none.
    async fn unpriced(
        &self,
        asked: Asked,
        mode: Mode,
        req: Request,
        cx: &mut Exchange,
        next: Next<'_>,
    ) -> Response {
        cx.record.decisions.push(Decision {
            policy: self.name.clone(),
            rule: "unpriced".into(),
            allowed: false,
            mode,
            facts: vec![("ai.model".into(), model(&asked.call.borrow()).into_string())],
        });
        self.refusals.inc();
        if mode != Mode::Enforce {
            return self.read(&asked, cx.record.started, next.run(req, cx).await);
        }
        let mut call = asked.call.borrow_mut();
        call.denied_by = Some(self.name.clone());
        let why = format!(
            "the model `{}` has no price, and this budget is in dollars",
            model(&call)
        );
        self.deny.saying(&why).answer(asked.dialect, Some(&call))
    }

    /// In shadow nobody waits.
    async fn reserve(
        &self,
        asked: &Asked,
        mode: Mode,
        req: &Request,
        cx: &Exchange,
    ) -> Result<(Charges, Outcomes<'_>), Refused<'_>> {
        let names: SmallVec<[SmallVec<[u8; 64]>; 4]> = self
            .rules
            .iter()
            .map(|rule| match &rule.criterion {
                Some(criterion) => SmallVec::from_slice(&criterion.name(req, cx)),
                None => SmallVec::new(),
            })
            .collect();
        let asks: SmallVec<[(Caller<'_>, u64); 4]> = self
            .rules
            .iter()
            .zip(&names)
            .map(|(rule, name)| {
                let units = rule.limit.units();
                let cost = asked
                    .expected
                    .units(rule.quantity, self.reserve, units, asked.price.as_ref());
                (Caller::new(name), cost)
            })
            .collect();
        if self.is_durable && mode == Mode::Enforce {
            let reserving = Charges::reserve_each(&self.limits, &asks, clock::now);
            if let Ok(answer) = tokio::time::timeout(STORE_PATIENCE, reserving).await {
                return answer;
            }
        }
        Charges::reserve_each_now(&self.limits, &asks, clock::now())
    }

    fn settling(&self, asked: &Asked, charges: Charges) -> Settling {
        self.open.inc();
        Settling {
            charges,
            quantities: self.quantities.clone(),
            call: asked.call.clone(),
            prices: self.prices.clone(),
            learned: self.learned.clone(),
            family: asked.expected.family,
            counted: asked.expected.counted,
            kind: asked.expected.kind,
            open: self.open.clone(),
            end: End::Unknown,
        }
    }

    fn decision(
        &self,
        answer: &Result<(Charges, Outcomes<'_>), Refused<'_>>,
        asked: &Asked,
        mode: Mode,
    ) -> Decision {
        let (allowed, at) = match answer {
            Ok(_) => (true, 0),
            Err(refused) => (false, refused.at),
        };
        let expected = &asked.expected;
        Decision {
            policy: self.name.clone(),
            rule: self.limits[at].policy().rule.clone(),
            allowed,
            mode,
            facts: vec![
                ("ai.input_tokens".into(), expected.input.to_string()),
                ("ai.input_tokens.basis".into(), expected.basis.as_str().into()),
                ("ai.output_tokens.expected".into(), expected.output.to_string()),
            ],
        }
    }

    /// What is left, by each limit of the middleware itself.
    fn tell(&self, outcomes: &[trilithon_limit::Outcome<'_>], headers: &mut Headers) {
        for (rule, outcome) in self.rules.iter().zip(outcomes).filter(|(rule, _)| rule.told) {
            remaining(rule.quantity, outcome.remaining, headers);
        }
    }

    /// The answer of a limit that has nothing left, and when to come back if that would help.
    fn refusal(&self, asked: &Asked, refused: &Refused<'_>) -> Response {
        let mut call = asked.call.borrow_mut();
        call.denied_by = Some(self.name.clone());
        let mut res = self.deny.answer(asked.dialect, Some(&call));
        let outcome = &refused.outcome;
        if outcome.retry_after < Nanos::MAX {
            let seconds = limit_headers::seconds(outcome.retry_after);
            res.headers
                .append("Retry-After", itoa::Buffer::new().format(seconds));
        }
        remaining(
            self.rules[refused.at].quantity,
            outcome.remaining,
            &mut res.headers,
        );
        res
    }
}

fn remaining(quantity: Quantity, units: u64, headers: &mut Headers) {
    match quantity {
        Quantity::Cost => headers.append(quantity.header(), Dollars(units.into()).to_string()),
        _ => headers.append(quantity.header(), itoa::Buffer::new().format(units)),
    }
}

/// The model that is asked, as it is sent on.
fn model(call: &ModelCall) -> Box<str> {
    let named = call.sent.as_ref().or(call.asked.as_ref());
    named.map_or("", |name| name).into()
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
