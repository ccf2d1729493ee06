//! What `ai-rate-limit` and `ai-quota` are: limits on the tokens and the money that calls of language models take. What a call
//! will take is set aside before it, all limits or none, and settled after it, however it ends.

mod ask;
mod custom;
mod expect;
mod quantity;
mod rules;
mod settle;
mod tell;

use super::ip_strategy::IpStrategy;
use super::model_call::{OnDeny, Reckoner, body_limit, meter};
use super::rollout::rollout;
use super::source_criterion::SourceCriterion;
use ask::Asked;
use custom::Queries;
use expect::Reserve;
use quantity::Quantity;
use rules::{Four, Rule};
use settle::{End, Learned, Settling};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use trilithon_ai::price::Prices;
use trilithon_ai::tokens::{Forecasts, Ratios};
use trilithon_flow::metrics::{Value, registry};
use trilithon_flow::model_call::Tariff;
use trilithon_flow::{
    Build, BuildError, Exchange, Format, Mode, Next, Reply, Request, Response, Rollout, Step, Wrap, hold,
};
use trilithon_limit::{Caller, Charges, Limit, Outcomes, Refused, clock};
use trilithon_model::dynamic::http::{ClientRequestFormat, LimitStore, TokenLimits as Config};

pub use rules::Shape;

/// How long a call waits for the store of durable limits before they are counted in memory.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

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
        cx.record.decisions.push(self.unpriced_decision(&asked, mode));
        self.refusals.inc();
        if mode != Mode::Enforce {
            return self.read(&asked, cx.record.started, next.run(req, cx).await);
        }
        self.unpriced_refusal(&asked)
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
            before: asked.call.borrow().taken().count(),
            kind: asked.expected.kind,
            open: self.open.clone(),
            end: End::Unknown,
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
