//! `rateLimit`: a token bucket per source. What comes a little too early is held back, what comes much too early gets 429.
//! Counters shared through Redis are not built yet.

use super::idle;
use super::ip_strategy::IpStrategy;
use super::limit_facts;
use super::limit_headers::{self, Format, Standing, Unit};
use super::rollout::rollout;
use super::source_criterion::SourceCriterion;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::{
    Build, BuildError, Decision, Exchange, Headers, Mode, Next, Reply, Request, Response, Rollout, Step, Wrap,
};
use trilithon_limit::{Level, TokenBuckets, Verdict, clock};
use trilithon_model::duration::Duration as Shown;
use trilithon_model::dynamic::http::RateLimit as Config;

/// Builds the step. Buckets stay while the same middleware serves the same router with the same options.
///
/// # Errors
/// A negative period; two criteria; Redis.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    if config.redis.is_some() {
        return Err(BuildError::new("`rateLimit.redis` is not built yet")
            .help("remove `redis`: each gateway counts for itself"));
    }
    let criterion = SourceCriterion::build(
        config.source_criterion.as_ref(),
        SourceCriterion::Ip(IpStrategy::PEER),
    )
    .map_err(|e| BuildError::new(format!("getting source extractor: {e}")))?;
    if config.period.is_negative() {
        return Err(BuildError::new(format!(
            "negative value not valid for period: {}",
            config.period
        )));
    }
    if config.average <= 0 {
        return Ok(idle::step());
    }
    let period = config.period.to_std_opt().unwrap_or(Duration::from_secs(1));
    let options = (config.average, period, config.burst, &criterion);
    let buckets = cx.keep.get(&cx.state_name(), &options, || {
        TokenBuckets::new(config.average, period, config.burst)
    });
    Ok(Step::wrap(RateLimit {
        criterion,
        telling: Telling::build(config, &buckets, cx.name),
        buckets,
        rollout: rollout(
            config.mode.unwrap_or_default(),
            config.percent.unwrap_or_default(),
        ),
        policy: cx.name.into(),
        rule: "rateLimit".into(),
    }))
}

struct RateLimit {
    criterion: SourceCriterion,
    buckets: Arc<TokenBuckets>,
    rollout: Rollout,
    /// What clients are told of it; Traefik tells nothing.
    telling: Option<Telling>,
    policy: Arc<str>,
    rule: Arc<str>,
}

impl Wrap for RateLimit {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        let mode = self.rollout.of(cx.caller());
        if mode == Mode::Off {
            return next.reply(req, cx);
        }
        let source = self.criterion.source(&req, cx);
        let (verdict, level) = match &self.telling {
            None => (self.buckets.take(source, clock::now()), None),
            Some(_) => {
                let (verdict, level) = self.buckets.take_and_look(source, clock::now());
                (verdict, Some(level))
            }
        };
        let refused = match verdict {
            Verdict::Refuse(delay) => Some(delay),
            _ => None,
        };
        if refused.is_some() || mode == Mode::Shadow {
            cx.record.decisions.push(self.decision(refused, mode));
        }
        if mode == Mode::Shadow {
            return next.reply(req, cx);
        }
        match (verdict, level.zip(self.telling.as_ref())) {
            (Verdict::Pass, None) => next.reply(req, cx),
            (Verdict::Refuse(delay), told) => {
                let mut res = refusal(delay);
                if let Some((level, telling)) = told {
                    telling.write(level, Some(delay), &mut res.headers);
                }
                Box::pin(std::future::ready(res))
            }
            (verdict, told) => Box::pin(async move {
                if let Verdict::Wait(delay) = verdict {
                    tokio::time::sleep(delay).await;
                }
                let mut res = next.run(req, cx).await;
                if let Some((level, telling)) = told {
                    telling.write(level, None, &mut res.headers);
                }
                res
            }),
        }
    }
}

impl RateLimit {
    /// `refused` says when to come back.
    fn decision(&self, refused: Option<Duration>, mode: Mode) -> Decision {
        let facts = refused.map(|delay| {
            let wait = u64::try_from(delay.as_nanos()).ok();
            limit_facts::of_units(self.buckets.full().0, 1, 0, wait)
        });
        Decision {
            policy: self.policy.clone(),
            rule: self.rule.clone(),
            allowed: refused.is_none(),
            mode,
            facts: facts.unwrap_or_default(),
        }
    }
}

/// What clients are told of a rate limit.
struct Telling {
    format: Format,
    name: Box<str>,
    policy: String,
}

impl Telling {
    fn build(config: &Config, buckets: &TokenBuckets, name: &str) -> Option<Telling> {
        let format = Format::of(&config.headers);
        let name = name.split('@').next().unwrap_or(name);
        let (burst, fills) = buckets.full();
        let fills = u64::try_from(fills.as_nanos()).ok();
        (format != Format::None).then(|| Telling {
            format,
            name: name.into(),
            policy: limit_headers::policy(name, burst, fills, Unit::Requests),
        })
    }

    fn write(&self, level: Level, wait: Option<Duration>, headers: &mut Headers) {
        let standing = Standing {
            name: &self.name,
            limit: level.limit,
            remaining: level.remaining,
            reset: u64::try_from(wait.unwrap_or(level.reset).as_nanos()).ok(),
            is_quota: false,
        };
        limit_headers::write(self.format, &self.policy, &[standing], headers);
    }
}

/// 429, and when to come back.
fn refusal(delay: Duration) -> Response {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    let nanos = i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX);
    let mut res = Response::status_text(429);
    res.headers
        .append("Retry-After", itoa::Buffer::new().format(seconds));
    res.headers
        .append("X-Retry-In", Shown::from_nanos(nanos).to_string());
    res
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{
        self, Bench, block_on, build_error, connection, get, lines, step, text, timed,
    };
    use trilithon_flow::Keep;
    use trilithon_model::dynamic::http::{Redis, SourceCriterion as CriterionConfig};

    fn config(average: i64, burst: i64) -> Config {
        Config {
            average,
            burst,
            ..Config::default()
        }
    }

    /// Status and milliseconds of requests one after the other.
    fn check(config: &Config, want: &[(u16, u64)]) {
        let bench = Bench::new(vec![step(|cx| build(config, cx))]);
        block_on(async {
            for want in want {
                let (res, took) = timed(bench.send(get("/", &[]), connection("1.1.1.1:1", None))).await;
                assert_eq!((res.status, took.as_millis() as u64), *want, "{config:?}");
            }
        });
    }

    #[test]
    fn answers() {
        check(&config(2, 1), &[(200, 0), (429, 0)]);
        check(&config(2, 2), &[(200, 0), (200, 0), (429, 0)]);
        check(&config(0, 1), &[(200, 0), (200, 0), (200, 0)]);
        check(&config(-1, 1), &[(200, 0), (200, 0), (200, 0)]);
        check(
            &Config {
                period: Shown::ZERO,
                ..config(1, 0)
            },
            &[(200, 0), (429, 0)],
        );
    }

    #[test]
    fn what_is_a_little_early_waits() {
        let bench = Bench::new(vec![step(|cx| build(&config(2, 1), cx))]);
        block_on(async {
            let send = || timed(bench.send(get("/", &[]), connection("1.1.1.1:1", None)));
            assert_eq!(send().await.0.status, 200);
            tokio::time::advance(Duration::from_millis(300)).await;
            let (res, took) = send().await;
            assert_eq!(res.status, 200);
            assert!((199..=202).contains(&took.as_millis()), "{took:?}");
        });
    }

    #[test]
    fn the_whole_refusal() {
        let check = |delay: Duration, after: &str, shown: &str| {
            let mut res = refusal(delay);
            let want = [format!("Retry-After: {after}"), format!("X-Retry-In: {shown}")];
            assert_eq!((res.status, lines(&res.headers)), (429, want.to_vec()));
            assert_eq!(text(&mut res), "Too Many Requests");
        };
        check(Duration::from_millis(500), "1", "500ms");
        check(Duration::from_secs(2), "2", "2s");
        check(Duration::from_nanos(1_000_000_001), "2", "1.000000001s");
        check(Duration::from_secs(3599), "3599", "59m59s");
    }

    #[test]
    fn headers_on_request() {
        let config = Config {
            headers: "ietf".into(),
            ..config(1, 2)
        };
        let bench = Bench::new(vec![step(|cx| build(&config, cx))]);
        let told = |res: Response| (res.status, res.headers.get_str("RateLimit").unwrap().to_owned());
        block_on(async {
            let send = || bench.send(get("/", &[]), connection("1.1.1.1:1", None));
            let first = send().await;
            assert_eq!(first.headers.get_str("RateLimit-Policy"), Some("\"m\";q=2;w=2"));
            assert_eq!(told(first), (200, "\"m\";r=1;t=1".into()));
            assert_eq!(told(send().await), (200, "\"m\";r=0;t=2".into()));
            let refused = send().await;
            assert_eq!(refused.headers.get_str("Retry-After"), Some("1"));
            assert_eq!(told(refused), (429, "\"m\";r=0;t=1".into()));
        });
    }

    #[test]
    fn in_shadow_nobody_waits_or_is_refused() {
        let config = Config {
            mode: Some(trilithon_model::Mode::Shadow),
            headers: "ietf".into(),
            ..config(2, 1)
        };
        check(&config, &[(200, 0), (200, 0), (200, 0)]);
        let bench = Bench::new(vec![step(|cx| build(&config, cx))]);
        assert_eq!(bench.run(get("/", &[])).headers.len(), 0);
    }

    #[test]
    fn sources() {
        let by_header = CriterionConfig {
            request_header_name: "X-Id".into(),
            ..CriterionConfig::default()
        };
        let config = Config {
            source_criterion: Some(by_header),
            ..config(1, 1)
        };
        let bench = Bench::new(vec![step(|cx| build(&config, cx))]);
        for (id, status) in [("a", 200), ("b", 200), ("a", 429), ("", 200), ("", 429)] {
            assert_eq!(bench.run(get("/", &[("X-Id", id)])).status, status, "{id}");
        }
    }

    #[test]
    fn buckets_outlive_a_reload_that_changes_nothing() {
        let keep = Keep::default();
        let built =
            |config: &Config| testing::build(&keep, |cx| build(config, cx).unwrap_or_else(|e| panic!("{e}")));
        let first = Bench::new(vec![built(&config(1, 1))]);
        assert_eq!(first.run(get("/", &[])).status, 200);
        assert_eq!(
            Bench::new(vec![built(&config(1, 1))]).run(get("/", &[])).status,
            429
        );
        assert_eq!(
            Bench::new(vec![built(&config(2, 1))]).run(get("/", &[])).status,
            200
        );
    }

    #[test]
    fn errors() {
        let check = |config: Config, want: &str| assert_eq!(build_error(|cx| build(&config, cx)), want);
        let period = Config {
            period: Shown::from_secs(-1),
            ..config(1, 1)
        };
        check(period, "negative value not valid for period: -1s");
        check(
            Config {
                redis: Some(Redis::default()),
                ..config(1, 1)
            },
            "`rateLimit.redis` is not built yet",
        );
        let two = CriterionConfig {
            request_header_name: "a".into(),
            request_host: true,
            ..CriterionConfig::default()
        };
        let want = "getting source extractor: requestHost and RequestHeaderName are mutually exclusive";
        check(
            Config {
                source_criterion: Some(two),
                ..config(1, 1)
            },
            want,
        );
    }
}
