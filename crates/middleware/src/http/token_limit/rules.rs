//! From the options to limits: every number is bounded here, and an option that would do nothing is refused.

use super::Quantity;
use crate::http::source_criterion::SourceCriterion;
use std::sync::Arc;
use trilithon_ai::price;
use trilithon_flow::{Build, BuildError};
use trilithon_limit::{Algorithm, Book, Gcra, Limit, Nanos, Policy, Span, Window};
use trilithon_model::duration::Duration;
use trilithon_model::dynamic::http::{CostLimit, LimitLevel, TokenLimit};

/// Levels of one middleware.
const MAX_LEVELS: usize = 8;
/// Bytes of a level's name.
const MAX_NAME: usize = 64;
const SECOND: Nanos = 1_000_000_000;
/// The longest period: ten years.
const MAX_PERIOD: Nanos = 3_652 * 86_400 * SECOND;

/// How a middleware counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A token bucket.
    Bucket,
    /// A sliding window, or one of the calendar.
    Window { durable: bool },
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Bucket => "ai-rate-limit",
            Shape::Window { .. } => "ai-quota",
        }
    }
}

/// One limit, what it counts, and of whom.
pub(super) struct Rule {
    pub quantity: Quantity,
    /// `None`: of everybody.
    pub criterion: Option<Arc<SourceCriterion>>,
    pub limit: Arc<Limit>,
    /// It belongs to the middleware itself, not to a further level: clients are told of it.
    pub told: bool,
}

/// The four limits of a level, as they are configured.
pub(super) struct Four<'c> {
    pub input: Option<&'c TokenLimit>,
    pub output: Option<&'c TokenLimit>,
    pub total: Option<&'c TokenLimit>,
    pub cost: Option<&'c CostLimit>,
}

impl<'c> Four<'c> {
    fn of(level: &'c LimitLevel) -> Four<'c> {
        Four {
            input: level.input_token_limit.as_ref(),
            output: level.output_token_limit.as_ref(),
            total: level.total_token_limit.as_ref(),
            cost: level.cost_limit.as_ref(),
        }
    }
}

/// The limits of the middleware itself, then those of its levels, in their order.
///
/// # Errors
/// None of them; a level without a name, or with that of another; whatever is wrong with one.
pub(super) fn rules(
    own: &Four<'_>,
    criterion: SourceCriterion,
    levels: &[LimitLevel],
    shape: Shape,
    cx: &mut Build<'_>,
) -> Result<Vec<Rule>, BuildError> {
    if levels.len() > MAX_LEVELS {
        return Err(BuildError::new(format!("`levels` holds {} levels", levels.len()))
            .help(format!("write at most {MAX_LEVELS}")));
    }
    let mut rules = level(own, "", Some(criterion), shape, cx)?;
    for (at, one) in levels.iter().enumerate() {
        check_name(&levels[..at], one)?;
        let criterion = one
            .source_criterion
            .as_ref()
            .map(|c| SourceCriterion::build(Some(c), SourceCriterion::Host))
            .transpose()?;
        rules.extend(level(&Four::of(one), &one.name, criterion, shape, cx)?);
    }
    if rules.is_empty() {
        return Err(BuildError::new(format!("`{}` limits nothing", shape.name()))
            .help("give it `totalTokenLimit`, `inputTokenLimit`, `outputTokenLimit` or `costLimit`"));
    }
    Ok(rules)
}

fn check_name(before: &[LimitLevel], level: &LimitLevel) -> Result<(), BuildError> {
    let name = &level.name;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_word) {
        return Err(BuildError::new(format!("`{name}` cannot name a level"))
            .help(format!("1 to {MAX_NAME} letters, digits, `_`, `-` or `.`")));
    }
    if before.iter().any(|other| other.name == *name) {
        return Err(
            BuildError::new(format!("two levels are called `{name}`")).help("give each a name of its own")
        );
    }
    Ok(())
}

fn level(
    four: &Four<'_>,
    name: &str,
    criterion: Option<SourceCriterion>,
    shape: Shape,
    cx: &mut Build<'_>,
) -> Result<Vec<Rule>, BuildError> {
    let criterion = criterion.map(Arc::new);
    let tokens = [
        (Quantity::Input, four.input),
        (Quantity::Output, four.output),
        (Quantity::Total, four.total),
    ];
    let tokens = tokens
        .into_iter()
        .filter_map(|(q, limit)| Some((q, Amounts::tokens(limit?))));
    let cost = four.cost.map(|limit| (Quantity::Cost, Amounts::money(limit)));
    let mut rules = Vec::new();
    for (quantity, amounts) in tokens.chain(cost) {
        let of = |e: BuildError| BuildError {
            message: format!("`{}` of `{}`: {}", quantity.option(), shape.name(), e.message),
            ..e
        };
        let algorithm = amounts.and_then(|a| a.algorithm(shape)).map_err(of)?;
        let rule = match name {
            "" => quantity.as_str().to_owned(),
            level => format!("{level}.{}", quantity.as_str()),
        };
        rules.push(Rule {
            quantity,
            limit: keep(rule, algorithm, shape, criterion.as_deref(), cx),
            criterion: criterion.clone(),
            told: name.is_empty(),
        });
    }
    Ok(rules)
}

/// The limit of this name, with what it has counted.
fn keep(
    rule: String,
    algorithm: Algorithm,
    shape: Shape,
    criterion: Option<&SourceCriterion>,
    cx: &mut Build<'_>,
) -> Arc<Limit> {
    let name = format!("token limit {} {rule}", cx.name);
    let policy = Policy {
        tenant: "".into(),
        policy: cx.name.into(),
        rule: rule.as_str().into(),
    };
    let book = Book::of(cx.keep);
    let limit = cx.keep.get(&name, &(algorithm, shape, criterion), || {
        match (algorithm, shape) {
            (Algorithm::Window(window), Shape::Window { durable: true }) => {
                Limit::durable(policy, window, &book)
            }
            _ => Limit::new(policy, algorithm),
        }
    });
    if let Some(why) = limit.not_stored() {
        cx.warnings
            .push(format!("`{rule}` is durable and counts in memory: {why}"));
    }
    limit
}

/// The numbers of one limit, in units.
struct Amounts<'c> {
    limit: u64,
    burst: Option<u64>,
    period: Option<Duration>,
    calendar: &'c str,
}

impl<'c> Amounts<'c> {
    fn tokens(config: &'c TokenLimit) -> Result<Amounts<'c>, BuildError> {
        let at_least_one = |option: &str, value: i64| {
            let value = u64::try_from(value).ok().filter(|n| *n > 0);
            value.ok_or_else(|| {
                BuildError::new(format!("`{option}` must be at least 1"))
                    .help("to limit nothing, leave the limit out")
            })
        };
        Ok(Amounts {
            limit: at_least_one("limit", config.limit)?,
            burst: config.burst.map(|n| at_least_one("burst", n)).transpose()?,
            period: config.period,
            calendar: &config.calendar,
        })
    }

    fn money(config: &'c CostLimit) -> Result<Amounts<'c>, BuildError> {
        let dollars = |option: &str, text: &str| {
            let amount = price::dollars(text.trim().trim_start_matches('$'));
            let amount = amount.map_err(|e| {
                BuildError::new(format!("`{option}`: {e}"))
                    .help("write US dollars, such as \"25\" or \"0.50\"")
            })?;
            match amount {
                0 => Err(BuildError::new(format!("`{option}` is nothing"))
                    .help("to limit nothing, leave the limit out")),
                amount => Ok(amount),
            }
        };
        let burst = Some(config.burst.as_str()).filter(|b| !b.is_empty());
        Ok(Amounts {
            limit: dollars("limit", &config.limit)?,
            burst: burst.map(|b| dollars("burst", b)).transpose()?,
            period: config.period,
            calendar: &config.calendar,
        })
    }

    fn algorithm(&self, shape: Shape) -> Result<Algorithm, BuildError> {
        let useless =
            |option: &str| Err(BuildError::new(format!("`{option}` does nothing here")).help("remove it"));
        let built = match shape {
            Shape::Bucket if !self.calendar.is_empty() => return useless("calendar"),
            Shape::Bucket => {
                let burst = self.burst.unwrap_or(self.limit);
                Gcra::new(self.limit, self.length(1_000_000)?, burst).map(Algorithm::Gcra)
            }
            Shape::Window { .. } if self.burst.is_some() => return useless("burst"),
            Shape::Window { .. } => Window::new(self.limit, self.span()?).map(Algorithm::Window),
        };
        built.ok_or_else(|| {
            BuildError::new("`limit` and `period` do not go together").help("choose a longer `period`")
        })
    }

    fn span(&self) -> Result<Span, BuildError> {
        if self.period.is_some() && !self.calendar.is_empty() {
            return Err("`period` and `calendar` are mutually exclusive".into());
        }
        Ok(match self.calendar {
            "hour" => Span::Hour,
            "day" => Span::Day,
            "week" => Span::Week,
            "month" => Span::Month,
            _ => Span::Sliding(self.length(SECOND)?),
        })
    }

    /// The period, within its bounds.
    fn length(&self, shortest: Nanos) -> Result<Nanos, BuildError> {
        let Some(period) = self.period else {
            return Err(BuildError::new("there is no `period`")
                .help("write the time that `limit` is meant for, such as `1m`"));
        };
        let nanos = u64::try_from(period.as_nanos()).unwrap_or(0);
        if !(shortest..=MAX_PERIOD).contains(&nanos) {
            let least = if shortest == SECOND { "1s" } else { "1ms" };
            return Err(
                BuildError::new(format!("`period` is {period}")).help(format!("write {least} to 87648h"))
            );
        }
        Ok(nanos)
    }
}
