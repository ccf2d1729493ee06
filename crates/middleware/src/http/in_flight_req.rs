//! `inFlightReq`: limits how many requests of one source are under way. One is under way until its answer's body has ended, or
//! the connection that it became.

use super::limit_facts;
use super::rollout::rollout;
use super::source_criterion::SourceCriterion;
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{
    Build, BuildError, Decision, Exchange, Mode, Next, Reply, Request, Response, Rollout, Step, Wrap, hold,
};
use trilithon_limit::{InFlight, Slot};
use trilithon_model::dynamic::http::InFlightReq as Config;

/// Builds the step. Counts stay while the same middleware serves the same router with the same options.
///
/// # Errors
/// Two criteria.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let criterion = SourceCriterion::build(config.source_criterion.as_ref(), SourceCriterion::Host)
        .map_err(|e| BuildError::new(format!("error creating requests limiter: {e}")))?;
    let counts = cx
        .keep
        .get(&cx.state_name(), &(config.amount, &criterion), InFlight::default);
    let refusal = format!("max connections reached: {}", config.amount).into();
    Ok(Step::wrap(InFlightReq {
        criterion,
        counts,
        amount: u64::try_from(config.amount).unwrap_or(0),
        refusal,
        rollout: rollout(
            config.mode.unwrap_or_default(),
            config.percent.unwrap_or_default(),
        ),
        policy: cx.name.into(),
        rule: "inFlightReq".into(),
    }))
}

struct InFlightReq {
    criterion: SourceCriterion,
    counts: Arc<InFlight>,
    /// How many of one source may be under way.
    amount: u64,
    /// What the others are told.
    refusal: Bytes,
    rollout: Rollout,
    policy: Arc<str>,
    rule: Arc<str>,
}

impl Wrap for InFlightReq {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        let mode = self.rollout.of(cx.caller());
        if mode == Mode::Off {
            return next.reply(req, cx);
        }
        let source = self.criterion.source(&req, cx);
        let Some(slot) = Slot::take(&self.counts, source, self.amount) else {
            let decision = self.refused(mode);
            let refuses = decision.refuses();
            cx.record.decisions.push(decision);
            return match refuses {
                true => {
                    let refusal = Response {
                        is_plain: true,
                        ..Response::bare(429, self.refusal.clone())
                    };
                    Box::pin(std::future::ready(refusal))
                }
                false => next.reply(req, cx),
            };
        };
        Box::pin(async move { hold(slot, next.run(req, cx).await) })
    }
}

impl InFlightReq {
    fn refused(&self, mode: Mode) -> Decision {
        Decision {
            policy: self.policy.clone(),
            rule: self.rule.clone(),
            allowed: false,
            mode,
            facts: limit_facts::of_units(self.amount, 1, 0, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, block_on, build_error, get, step, text};
    use trilithon_flow::Upgraded;
    use trilithon_model::Mode as ModeConfig;
    use trilithon_model::dynamic::http::SourceCriterion as CriterionConfig;

    fn config(amount: i64) -> Config {
        Config {
            amount,
            ..Config::default()
        }
    }

    fn bench(amount: i64, answer: impl Fn() -> Response + Send + Sync + 'static) -> Bench {
        Bench::answering(vec![step(|cx| build(&config(amount), cx))], move |_| answer())
    }

    fn check(bench: &Bench, host: &str, want: u16) -> Response {
        let res = bench.run(get("/", &[("Host", host)]));
        assert_eq!(res.status, want, "{host}");
        res
    }

    #[test]
    fn a_request_is_under_way_while_its_answer_is() {
        let bench = bench(2, || Response::bare(200, "body"));
        let first = check(&bench, "a", 200);
        let mut second = check(&bench, "a", 200);
        let mut refused = check(&bench, "a", 429);
        assert_eq!(
            (text(&mut refused).as_str(), refused.headers.len()),
            ("max connections reached: 2", 0)
        );
        check(&bench, "b", 200);
        drop(first);
        let third = check(&bench, "a", 200);
        check(&bench, "a", 429);
        assert_eq!(text(&mut second), "body");
        let fourth = check(&bench, "a", 200);
        check(&bench, "a", 429);
        drop((third, fourth));
        check(&bench, "a", 200);
    }

    #[test]
    fn an_answer_without_a_body_is_over() {
        let bench = bench(1, || Response::new(204));
        let _first = check(&bench, "a", 204);
        check(&bench, "a", 204);
    }

    #[test]
    fn a_connection_that_left_http_is_under_way() {
        let upgrade = || Response {
            upgraded: Some(Box::new(Upgraded {
                io: Box::new(tokio::io::empty()),
                early: Bytes::new(),
            })),
            ..Response::new(101)
        };
        let bench = bench(1, upgrade);
        let first = check(&bench, "a", 101);
        check(&bench, "a", 429);
        drop(first);
        check(&bench, "a", 101);
    }

    #[test]
    fn a_body_keeps_its_length() {
        let bench = bench(1, || Response::bare(200, "body"));
        let mut res = check(&bench, "a", 200);
        assert_eq!(res.body.length(), Some(4));
        assert_eq!(block_on(res.body.chunk()).unwrap().unwrap(), "body");
        assert!(block_on(res.body.chunk()).is_none());
        check(&bench, "a", 200);
    }

    #[test]
    fn amounts_that_let_nobody_in() {
        check(&bench(0, || Response::new(200)), "a", 429);
        let mut res = check(&bench(-1, || Response::new(200)), "a", 429);
        assert_eq!(text(&mut res), "max connections reached: -1");
    }

    #[test]
    fn in_shadow_nobody_is_refused() {
        let config = Config {
            mode: Some(ModeConfig::Shadow),
            ..config(0)
        };
        let bench = Bench::new(vec![step(|cx| build(&config, cx))]);
        check(&bench, "a", 200);
    }

    #[test]
    fn errors() {
        let two = CriterionConfig {
            request_header_name: "a".into(),
            request_host: true,
            ..CriterionConfig::default()
        };
        let config = Config {
            amount: 1,
            source_criterion: Some(two),
            ..Config::default()
        };
        let want =
            "error creating requests limiter: requestHost and RequestHeaderName are mutually exclusive";
        assert_eq!(build_error(|cx| build(&config, cx)), want);
    }
}
