//! From the options to limits: every number is bounded here, and an option that would do nothing is refused.

use super::condition::Conditions;
use super::{Cost, Kind, Limiting};
use crate::http::ip_strategy::IpStrategy;
use crate::http::limit_headers::{self, Format, Unit};
use crate::http::rollout::rollout;
use crate::http::source_criterion::SourceCriterion;
use std::sync::Arc;
use trilithon_flow::metrics::registry;
use trilithon_flow::{Build, BuildError, Step};
use trilithon_limit::{Algorithm, Book, Gcra, Limit, Nanos, Policy, Span, Window};
use trilithon_model::dynamic::http::{Limit as Config, LimitCost, LimitRule};

/// Rules of one middleware.
const MAX_RULES: usize = 16;
/// Bytes of a rule's name.
const MAX_NAME: usize = 64;
const SECOND: Nanos = 1_000_000_000;
/// The longest period: ten years.
const MAX_PERIOD: Nanos = 3_652 * 86_400 * SECOND;

/// Builds the step. Counts stay while the same middleware has the same rules, whichever routers use it.
///
/// # Errors
/// No rules; a number out of its bounds; an option that the algorithm has no use for.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let peer = SourceCriterion::Ip(IpStrategy::PEER);
    let criterion = SourceCriterion::build(config.source_criterion.as_ref(), peer)?;
    if config.rules.is_empty() || config.rules.len() > MAX_RULES {
        let message = format!("`limit.rules` holds {} rules", config.rules.len());
        return Err(BuildError::new(message).help(format!("write 1 to {MAX_RULES} rules")));
    }
    let cost = cost(config.cost.as_ref())?;
    let (mut limits, mut kinds, mut policies) = (Vec::new(), Vec::new(), Vec::new());
    for (at, rule) in config.rules.iter().enumerate() {
        check_name(&config.rules[..at], rule)?;
        let algorithm = algorithm(rule).map_err(|e| of_rule(rule, e))?;
        let limit = limit(rule, algorithm, &criterion, cx);
        policies.push(limit_headers::policy(
            &rule.name,
            limit.units(),
            period(rule, algorithm),
            unit(&cost, algorithm),
        ));
        kinds.push(kind(algorithm));
        limits.push(limit);
    }
    let labels = [("policy", cx.name)];
    Ok(Step::wrap(Limiting {
        criterion,
        is_durable: config.rules.iter().any(|r| r.durable),
        limits: limits.into(),
        kinds: kinds.into(),
        conditions: Conditions::build(&config.rules)?,
        cost,
        format: Format::of(&config.headers),
        policies: policies.join(", ").into(),
        rollout: rollout(config.mode, config.percent),
        refusals: registry().counter(
            "trilithon_limit_refusals_total",
            "Requests that a limit refused, or would have refused in shadow.",
            &labels,
        ),
    }))
}

fn limit(
    rule: &LimitRule,
    algorithm: Algorithm,
    criterion: &SourceCriterion,
    cx: &mut Build<'_>,
) -> Arc<Limit> {
    let policy = Policy {
        tenant: "".into(),
        policy: cx.name.into(),
        rule: rule.name.as_str().into(),
    };
    let name = format!("limit {} {}", policy.policy, policy.rule);
    let book = Book::of(cx.keep);
    let limit = cx
        .keep
        .get(&name, &(algorithm, rule.durable, criterion), || match algorithm {
            Algorithm::Window(window) if rule.durable => Limit::durable(policy, window, &book),
            _ => Limit::new(policy, algorithm),
        });
    if let Some(why) = limit.not_stored() {
        cx.warnings.push(format!(
            "rule `{}` is durable and counts in memory: {why}",
            rule.name
        ));
    }
    limit
}

fn of_rule(rule: &LimitRule, error: BuildError) -> BuildError {
    let message = format!("rule `{}` of `limit`: {}", rule.name, error.message);
    BuildError { message, ..error }
}

fn check_name(before: &[LimitRule], rule: &LimitRule) -> Result<(), BuildError> {
    let name = &rule.name;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_word) {
        return Err(BuildError::new(format!("`{name}` cannot name a rule of `limit`"))
            .help(format!("1 to {MAX_NAME} letters, digits, `_`, `-` or `.`")));
    }
    if before.iter().any(|other| other.name == *name) {
        return Err(
            BuildError::new(format!("two rules of `limit` are called `{name}`"))
                .help("give each rule a name of its own"),
        );
    }
    Ok(())
}

/// The algorithm, with every number within its bounds and no option that it has no use for.
fn algorithm(rule: &LimitRule) -> Result<Algorithm, BuildError> {
    let useless = |option: &str| {
        Err(BuildError::new(format!("`{option}` does nothing with `{}`", rule.algorithm)).help("remove it"))
    };
    let limit = at_least_one("limit", rule.limit)?;
    if rule.burst.is_some() && rule.algorithm != "gcra" {
        return useless("burst");
    }
    if !rule.calendar.is_empty() && rule.algorithm != "fixedWindow" {
        return useless("calendar");
    }
    if rule.durable && !rule.algorithm.ends_with("Window") {
        return useless("durable");
    }
    let window = |span: Span| Window::new(limit, span).map(Algorithm::Window);
    let built = match (rule.algorithm.as_str(), rule.calendar.as_str()) {
        ("inFlight", _) if rule.period.is_some() => return useless("period"),
        ("inFlight", _) => Some(Algorithm::InFlight(limit)),
        ("fixedWindow", "") => window(Span::Fixed(length(rule)?)),
        ("fixedWindow", _) if rule.period.is_some() => {
            return Err("`period` and `calendar` are mutually exclusive".into());
        }
        ("fixedWindow", "hour") => window(Span::Hour),
        ("fixedWindow", "day") => window(Span::Day),
        ("fixedWindow", "week") => window(Span::Week),
        ("fixedWindow", "month") => window(Span::Month),
        ("slidingWindow", _) => window(Span::Sliding(length(rule)?)),
        ("gcra", _) => {
            let burst = at_least_one("burst", rule.burst.unwrap_or(rule.limit))?;
            Gcra::new(limit, length(rule)?, burst).map(Algorithm::Gcra)
        }
        _ => None,
    };
    built.ok_or_else(|| BuildError::new(format!("there is no algorithm `{}`", rule.algorithm)))
}

fn at_least_one(option: &str, value: i64) -> Result<u64, BuildError> {
    let value = u64::try_from(value).ok().filter(|n| *n > 0);
    value.ok_or_else(|| {
        BuildError::new(format!("`{option}` must be at least 1"))
            .help("to refuse everything, use `ipAllowList`; to limit nothing, `mode: off`")
    })
}

/// The period, within its bounds.
fn length(rule: &LimitRule) -> Result<Nanos, BuildError> {
    let Some(period) = rule.period else {
        return Err(BuildError::new("there is no `period`")
            .help("write the time that `limit` is meant for, such as `1m`"));
    };
    let shortest = if rule.durable { SECOND } else { 1_000_000 };
    let nanos = u64::try_from(period.as_nanos()).unwrap_or(0);
    if !(shortest..=MAX_PERIOD).contains(&nanos) {
        let least = if rule.durable { "1s" } else { "1ms" };
        return Err(BuildError::new(format!("`period` is {period}")).help(format!("write {least} to 87648h")));
    }
    Ok(nanos)
}

fn cost(config: Option<&LimitCost>) -> Result<Cost, BuildError> {
    let Some(config) = config else {
        return Ok(Cost::Units(1));
    };
    let reserve = at_least_one("limit.cost.units", config.units)?;
    match (config.header.as_str(), config.response_bytes) {
        ("", false) => Ok(Cost::Units(reserve)),
        ("", true) => Ok(Cost::Bytes { reserve }),
        (name, false) => Ok(Cost::Header {
            reserve,
            name: name.into(),
        }),
        (_, true) => Err("`header` and `responseBytes` of `limit.cost` are mutually exclusive".into()),
    }
}

fn kind(algorithm: Algorithm) -> Kind {
    match algorithm {
        Algorithm::Gcra(_) => Kind::Rate,
        Algorithm::Window(_) => Kind::Quota,
        Algorithm::InFlight(_) => Kind::InFlight,
    }
}

fn unit(cost: &Cost, algorithm: Algorithm) -> Unit {
    match (algorithm, cost) {
        (Algorithm::InFlight(_), _) => Unit::InFlight,
        (_, Cost::Bytes { .. }) => Unit::Bytes,
        (_, Cost::Header { .. }) => Unit::Other,
        (_, Cost::Units(_)) => Unit::Requests,
    }
}

/// What clients are told as the window (`w`). Of `gcra` that is the time in which a burst comes back.
fn period(rule: &LimitRule, algorithm: Algorithm) -> Option<Nanos> {
    match algorithm {
        Algorithm::Gcra(gcra) => Some(gcra.full_after()),
        Algorithm::InFlight(_) => None,
        Algorithm::Window(window) => match window.span() {
            Span::Hour => Some(3_600 * SECOND),
            Span::Day => Some(86_400 * SECOND),
            Span::Week => Some(7 * 86_400 * SECOND),
            // Months differ.
            Span::Month => None,
            Span::Fixed(_) | Span::Sliding(_) => rule.period.and_then(|p| u64::try_from(p.as_nanos()).ok()),
        },
    }
}
