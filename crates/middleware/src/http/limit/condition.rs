//! Rules that count some requests only: `match` and `expression`.

use super::Kind;
use crate::http::policy::seconds;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;
use trilithon_flow::{BuildError, Exchange, Request};
use trilithon_limit::Limit;
use trilithon_model::dynamic::http::{Effect, LimitRule};
use trilithon_policy::decide::{Ordered, Policy};
use trilithon_policy::fact::Facts;

/// The rules that count a request.
pub struct Chosen<'a> {
    pub limits: Cow<'a, [Arc<Limit>]>,
    pub kinds: Cow<'a, [Kind]>,
}

impl<'a> Chosen<'a> {
    pub fn all(limits: &'a [Arc<Limit>], kinds: &'a [Kind]) -> Chosen<'a> {
        Chosen {
            limits: limits.into(),
            kinds: kinds.into(),
        }
    }
}

/// Of each rule, which requests it counts; `None` for all.
pub struct Conditions(Box<[Option<Policy>]>);

impl Conditions {
    /// Compiles them; `None` where every rule counts all.
    ///
    /// # Errors
    /// Both `match` and `expression`, or one that does not compile.
    pub fn build(rules: &[LimitRule]) -> Result<Option<Conditions>, BuildError> {
        let conditions: Vec<_> = rules.iter().map(condition).collect::<Result<_, _>>()?;
        let is_any = conditions.iter().any(Option::is_some);
        Ok(is_any.then(|| Conditions(conditions.into())))
    }

    pub fn choose<'a>(
        &self,
        limits: &'a [Arc<Limit>],
        kinds: &'a [Kind],
        req: &Request,
        cx: &Exchange,
    ) -> Chosen<'a> {
        let facts = Facts {
            request: req,
            exchange: cx,
            client_ip: &cx.connection.peer_ip,
            now: seconds(cx.record.started_at.unwrap_or_else(SystemTime::now)),
            mcp: cx.mcp.as_deref(),
        };
        // What cannot be judged is counted: nobody gets around a limit by how something is written.
        let counts =
            |condition: &Option<Policy>| condition.as_ref().is_none_or(|c| !c.decide(&facts).allowed);
        let chosen = self.0.iter().zip(limits.iter().zip(kinds));
        let chosen = chosen
            .filter(|(condition, _)| counts(condition))
            .map(|(_, rule)| rule);
        let (limits, kinds): (Vec<_>, Vec<_>) = chosen.map(|(limit, kind)| (limit.clone(), *kind)).unzip();
        Chosen {
            limits: limits.into(),
            kinds: kinds.into(),
        }
    }
}

/// A policy that denies what the rule counts.
fn condition(rule: &LimitRule) -> Result<Option<Policy>, BuildError> {
    if rule.matches.is_empty() && rule.expression.is_empty() {
        return Ok(None);
    }
    let counted = Ordered {
        // Nobody sees it: a limit's name is its own, and may be one that policies do not take.
        name: "counted",
        effect: Some(Effect::Deny),
        matches: &rule.matches,
        expression: &rule.expression,
        words: ["action", "allow", "deny"],
    };
    let policy = Policy::in_order(&[counted], Effect::Allow).map_err(|mistake| BuildError {
        message: format!("rule `{}` of `limit`: {}", rule.name, mistake.message),
        help: mistake.help,
        at: mistake.at,
    })?;
    Ok(Some(policy))
}
