//! `policy`: lets a request pass, or refuses it, by rules over facts. What a rule is, and how rules come to a decision, is in
//! crate `policy`; here a decision is made of a request, obeyed as far as `mode` and `percent` say, and recorded.

mod counters;

use super::idle;
use super::ip_strategy::IpStrategy;
use super::rollout::rollout;
pub(super) use counters::Counters;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use trilithon_flow::{
    Build, BuildError, Decision, Edit, Exchange, Mode, Request, Response, Rollout, Step, status,
};
use trilithon_model::dynamic::http::Policy as Config;
use trilithon_policy::decide::{Mistake, Policy, Verdict, Why};
use trilithon_policy::fact::Facts;

/// Builds the step. The rules are compiled once, however many routers use the policy, and again when they change.
///
/// # Errors
/// Rules that do not compile; a status without a name; addresses of `ipStrategy` that are none.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let named = |n: &i64| u16::try_from(*n).ok().filter(|s| !status::text(*s).is_empty());
    let status = named(&config.status).filter(|s| *s >= 400).ok_or_else(|| {
        BuildError::new(format!("`status` {} is no status of a refusal", config.status))
            .help("write 403, or another from 400 on")
    })?;
    let compiled = cx.keep.get(cx.name, config, || Policy::compile(config));
    let places = match &*compiled {
        Ok(policy) => policy.places(),
        Err(mistake) => return Err(error(mistake)),
    };
    let rollout = rollout(config.mode, config.percent);
    if rollout.mode == Mode::Off {
        return Ok(idle::step());
    }
    Ok(Step::edit(Gate {
        name: cx.name.into(),
        compiled,
        strategy: IpStrategy::build(config.ip_strategy.as_ref())?,
        status,
        rollout,
        counters: Counters::new(cx.name, places),
    }))
}

fn error(mistake: &Mistake) -> BuildError {
    BuildError {
        message: mistake.message.clone(),
        help: mistake.help.clone(),
        at: mistake.at.clone(),
    }
}

struct Gate {
    name: Arc<str>,
    /// A policy, for one that is none is not built into a step.
    compiled: Arc<Result<Policy, Mistake>>,
    strategy: IpStrategy,
    /// What those who are refused are answered.
    status: u16,
    rollout: Rollout,
    counters: Counters,
}

impl Edit for Gate {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let mode = self.rollout.of(cx.caller());
        let (false, Ok(policy)) = (mode == Mode::Off, &*self.compiled) else {
            return Ok(());
        };
        let (decision, message) = self.decide(policy, mode, req, cx);
        let refused = decision.refuses();
        cx.record.decisions.push(decision);
        if refused {
            Err(self.refusal(message))
        } else {
            Ok(())
        }
    }
}

impl Gate {
    /// The decision, and what the rule says to a caller who is refused.
    fn decide<'p>(
        &self,
        policy: &'p Policy,
        mode: Mode,
        req: &Request,
        cx: &Exchange,
    ) -> (Decision, &'p str) {
        let ip = self.strategy.source(req, cx);
        let facts = Facts {
            request: req,
            exchange: cx,
            client_ip: std::str::from_utf8(&ip).unwrap_or_default(),
            now: seconds(cx.record.started_at.unwrap_or_else(SystemTime::now)),
            mcp: cx.mcp.as_deref(),
        };
        let verdict = policy.decide(&facts);
        self.counters.count(&verdict, mode);
        let decision = recorded(&self.name, policy, &verdict, mode, &facts);
        (decision, verdict.message)
    }

    fn refusal(&self, message: &str) -> Response {
        let text = if message.is_empty() {
            status::text(self.status)
        } else {
            message
        };
        Response::error(self.status, text)
    }
}

/// The decision, as the record has it.
pub(super) fn recorded(
    name: &Arc<str>,
    policy: &Policy,
    verdict: &Verdict<'_>,
    mode: Mode,
    facts: &Facts<'_>,
) -> Decision {
    tracing::debug!(
        policy = &**name,
        rule = &**verdict.rule,
        allowed = verdict.allowed,
        mode = mode.as_str(),
        why = %verdict.why,
        "policy decided"
    );
    // Facts cost text: they are told of denials, which somebody will ask about.
    let mut told = Vec::new();
    if !verdict.allowed || facts.exchange.record.tell_facts {
        told = policy.used(verdict, facts);
    }
    if let Why::Failed(failure) = &verdict.why {
        told.push((Cow::Borrowed("error"), failure.to_string()));
    }
    Decision {
        policy: name.clone(),
        rule: verdict.rule.clone(),
        allowed: verdict.allowed,
        mode,
        facts: told,
    }
}

/// A moment as facts have it.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let seconds = |d: std::time::Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => seconds(after),
        Err(before) => -seconds(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::kit::{Bench, Outcome};
    use crate::http::testing::{self, build_error};
    use trilithon_model::dynamic::http::{Effect, PolicyRule};
    use trilithon_model::rollout::{self, Percent};

    fn config(mode: rollout::Mode, percent: &str, rules: &[(&str, Effect, &str)]) -> Config {
        let rule = |(name, effect, expression): &(&str, Effect, &str)| PolicyRule {
            name: (*name).into(),
            effect: Some(*effect),
            expression: (*expression).into(),
            message: "not for you".into(),
            ..PolicyRule::default()
        };
        Config {
            rules: rules.iter().map(rule).collect(),
            mode,
            percent: Percent::parse(percent).unwrap(),
            ..Config::default()
        }
    }

    fn run(config: &Config, target: &str) -> Outcome {
        let mut bench = Bench::new(|_| Response::bare(200, "backend"));
        let chain = bench.around(|cx| build(config, cx));
        bench.send(&chain, testing::get(target, &[]))
    }

    const READERS: &[(&str, Effect, &str)] = &[
        ("no-admin", Effect::Deny, "http.path.startsWith(\"/admin\")"),
        ("readers", Effect::Allow, "http.method == \"GET\""),
    ];

    #[test]
    fn answers_and_records() {
        let check = |mode, percent: &str, target: &str, want: (u16, &str, Option<(&str, bool, Mode)>)| {
            let outcome = run(&config(mode, percent, READERS), target);
            let decision = outcome.record.decisions.first();
            let told = decision.map(|d| (&*d.rule, d.allowed, d.mode));
            assert_eq!(
                (outcome.status, outcome.text().trim_end(), told),
                want,
                "{mode:?} {percent} {target}"
            );
        };
        use rollout::Mode::{Enforce, Off, Shadow};
        check(
            Enforce,
            "100",
            "/",
            (200, "backend", Some(("readers", true, Mode::Enforce))),
        );
        check(
            Enforce,
            "100",
            "/admin",
            (403, "not for you", Some(("no-admin", false, Mode::Enforce))),
        );
        check(
            Shadow,
            "100",
            "/admin",
            (200, "backend", Some(("no-admin", false, Mode::Shadow))),
        );
        check(
            Enforce,
            "0",
            "/admin",
            (200, "backend", Some(("no-admin", false, Mode::Shadow))),
        );
        check(Shadow, "0", "/admin", (200, "backend", None));
        check(Off, "100", "/admin", (200, "backend", None));
    }

    #[test]
    fn a_denial_tells_the_record_its_facts_and_the_caller_nothing() {
        let outcome = run(&config(rollout::Mode::Enforce, "100", READERS), "/admin/x");
        let decision = &outcome.record.decisions[0];
        assert_eq!(&*decision.policy, "m@file");
        let facts: Vec<String> = decision.facts.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(facts, ["http.path=/admin/x"]);
        assert!(!outcome.text().contains("admin"));
        let allowed = run(&config(rollout::Mode::Enforce, "100", READERS), "/");
        assert!(allowed.record.decisions[0].facts.is_empty());
    }

    #[test]
    fn a_policy_that_is_off_is_still_read() {
        let broken = config(rollout::Mode::Off, "100", &[("x", Effect::Allow, "http.nope")]);
        let message = build_error(|cx| build(&broken, cx));
        assert_eq!(message, "`expression` of rule `x`: there is no fact `http.nope`");
    }

    #[test]
    fn errors() {
        let check = |config: &Config, want: &str| assert_eq!(build_error(|cx| build(config, cx)), want);
        check(&Config::default(), "`rules` is empty");
        for bad in [200, 0, -1, 999, 70_000] {
            let config = Config {
                status: bad,
                ..config(rollout::Mode::Enforce, "100", READERS)
            };
            check(&config, &format!("`status` {bad} is no status of a refusal"));
        }
    }
}
