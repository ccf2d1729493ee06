use super::*;
use crate::http::testing::{Bench, block_on, build_error, connection, get, lines, step, text};
use trilithon_flow::{Fault, FaultKind};
use trilithon_model::duration::Duration as Period;
use trilithon_model::dynamic::http::{
    Limit as Config, LimitCost, LimitRule, SourceCriterion as CriterionConfig,
};
use trilithon_model::{Mode as ModeConfig, Percent};

fn rule(name: &str, algorithm: &str, limit: i64) -> LimitRule {
    LimitRule {
        name: name.into(),
        algorithm: algorithm.into(),
        limit,
        period: (algorithm != "inFlight").then_some(Period::from_secs(3_600)),
        ..LimitRule::default()
    }
}

fn config(rules: Vec<LimitRule>) -> Config {
    Config {
        rules,
        ..Config::default()
    }
}

fn bench(config: &Config, answer: impl Fn(&mut Request) -> Response + Send + Sync + 'static) -> Bench {
    Bench::answering(vec![step(|cx| build(config, cx))], answer)
}

fn ok() -> Response {
    Response::bare(200, "backend")
}

/// A rule without a name of its own can have a condition too; what cannot be judged is counted.
#[test]
fn rules_count_what_they_are_for() {
    let conditional = |expression: &str| LimitRule {
        expression: expression.into(),
        ..rule("default", "fixedWindow", 1)
    };
    let bench = bench(&config(vec![conditional("http.path == '/dear'")]), |_| ok());
    let asked = |path: &str| bench.run(get(path, &[])).status;
    assert_eq!(
        ["/dear", "/cheap", "/dear", "/cheap"].map(asked),
        [200, 200, 429, 200]
    );
    let both = LimitRule {
        matches: "Equals(`http.path`, `/a`)".into(),
        ..conditional("true")
    };
    for bad in [both, conditional("http.path +")] {
        let error = build_error(|cx| build(&config(vec![bad.clone()]), cx));
        assert!(error.contains("rule `default` of `limit`"), "{}", error);
    }
}

/// Statuses of requests one after the other.
fn check(config: &Config, want: &[u16]) {
    let bench = bench(config, |_| ok());
    for (n, want) in want.iter().enumerate() {
        let mut res = bench.run(get("/", &[]));
        assert_eq!(res.status, *want, "request {n} of {config:?}");
        text(&mut res);
    }
}

#[test]
fn algorithms() {
    for algorithm in ["gcra", "fixedWindow", "slidingWindow"] {
        check(&config(vec![rule("a", algorithm, 2)]), &[200, 200, 429, 429]);
    }
    check(&config(vec![rule("a", "inFlight", 1)]), &[200, 200, 200]);
    let monthly = LimitRule {
        calendar: "month".into(),
        period: None,
        ..rule("a", "fixedWindow", 1)
    };
    check(&config(vec![monthly]), &[200, 429]);
    let burst = LimitRule {
        burst: Some(1),
        ..rule("a", "gcra", 100)
    };
    check(&config(vec![burst]), &[200, 429]);
    let dear = Config {
        cost: Some(LimitCost {
            units: 3,
            ..LimitCost::default()
        }),
        ..config(vec![rule("a", "fixedWindow", 8)])
    };
    check(&dear, &[200, 200, 429]);
    check(
        &config(vec![rule("a", "fixedWindow", 5), rule("b", "fixedWindow", 1)]),
        &[200, 429],
    );
}

#[test]
fn a_rate_comes_back() {
    let config = config(vec![LimitRule {
        period: Some(Period::from_secs(10)),
        ..rule("a", "gcra", 1)
    }]);
    let bench = bench(&config, |_| ok());
    block_on(async {
        let send = || bench.send(get("/", &[]), connection("1.1.1.1:1", None));
        assert_eq!(send().await.status, 200);
        let refused = send().await;
        assert_eq!(
            (refused.status, lines(&refused.headers)),
            (429, vec!["Retry-After: 10".to_owned()])
        );
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(send().await.status, 200);
    });
}

#[test]
fn a_slot_is_taken_until_the_end_of_the_answer() {
    let bench = bench(&config(vec![rule("a", "inFlight", 1)]), |_| ok());
    let mut first = bench.run(get("/", &[]));
    let refused = bench.run(get("/", &[]));
    assert_eq!(
        (refused.status, lines(&refused.headers)),
        (429, vec!["Retry-After: 1".to_owned()])
    );
    text(&mut first);
    let second = bench.run(get("/", &[]));
    assert_eq!(second.status, 200);
    drop(second);
    assert_eq!(bench.run(get("/", &[])).status, 200);
}

#[test]
fn headers() {
    let check = |headers: &str, allowed: &[&str], refused: &[&str]| {
        let config = Config {
            headers: headers.into(),
            ..config(vec![rule("burst", "gcra", 2), rule("slots", "inFlight", 9)])
        };
        let bench = bench(&config, |_| {
            let mut res = ok();
            res.headers.append("RateLimit", "\"theirs\";r=1");
            res.headers.append("X-RateLimit-Remaining", "1");
            res
        });
        let sorted = |res: Response| {
            let mut lines = lines(&res.headers);
            lines.sort();
            lines
        };
        assert_eq!(sorted(bench.run(get("/", &[]))), allowed, "{headers}");
        bench.run(get("/", &[]));
        assert_eq!(sorted(bench.run(get("/", &[]))), refused, "{headers}");
    };
    let theirs = ["Ratelimit: \"theirs\";r=1", "X-Ratelimit-Remaining: 1"];
    check("none", &theirs, &["Retry-After: 1800"]);
    let policies = "RateLimit-Policy: \"burst\";q=2;w=3600, \"slots\";q=9;qu=\"concurrent-requests\"";
    check(
        "ietf",
        &[
            policies,
            "RateLimit: \"burst\";r=1;t=1800, \"slots\";r=8",
            theirs[1],
        ],
        &[
            "Content-Type: application/problem+json",
            policies,
            "RateLimit: \"burst\";r=0;t=1800",
            "Retry-After: 1800",
        ],
    );
    check(
        "x-ratelimit",
        &[
            theirs[0],
            "X-RateLimit-Limit: 2",
            "X-RateLimit-Remaining: 1",
            "X-RateLimit-Reset: 1800",
        ],
        &[
            "Retry-After: 1800",
            "X-RateLimit-Limit: 2",
            "X-RateLimit-Remaining: 0",
            "X-RateLimit-Reset: 1800",
        ],
    );
}

#[test]
fn the_refusal_names_its_rule() {
    let config = Config {
        headers: "ietf".into(),
        ..config(vec![rule("daily", "fixedWindow", 1)])
    };
    let bench = bench(&config, |_| ok());
    bench.run(get("/", &[]));
    let body = text(&mut bench.run(get("/", &[])));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["violated-policies"], serde_json::json!(["daily"]));
    assert_eq!(
        (&body["status"], &body["type"]),
        (&429.into(), &QUOTA_EXCEEDED.into())
    );
}

/// Requests until one is refused, each answered by `answer`.
fn served(cost: LimitCost, limit: i64, answer: impl Fn() -> Response + Send + Sync + 'static) -> usize {
    let config = Config {
        cost: Some(cost),
        ..config(vec![rule("a", "fixedWindow", limit)])
    };
    let bench = bench(&config, move |_| answer());
    let mut served = 0;
    loop {
        let mut res = bench.run(get("/", &[]));
        if res.status == 429 || served == 50 {
            return served;
        }
        text(&mut res);
        served += 1;
    }
}

#[test]
fn the_answer_says_what_it_cost() {
    let check = |said: &'static str, want: usize| {
        let cost = LimitCost {
            units: 2,
            header: "X-Cost".into(),
            ..LimitCost::default()
        };
        let answer = move || {
            let mut res = ok();
            if !said.is_empty() {
                res.headers.append("X-Cost", said);
            }
            res
        };
        assert_eq!(served(cost, 10, answer), want, "{said}");
    };
    check("5", 2);
    check("1", 9);
    check("0", 50);
    check("10", 1);
    check("99999999999999999999999", 1);
    for reserved in ["", "-1", "1.5", "x", "+3"] {
        check(reserved, 5);
    }
}

#[test]
fn what_no_server_answered_costs_nothing() {
    let cost = || LimitCost {
        header: "X-Cost".into(),
        ..LimitCost::default()
    };
    let failed = || Response::from(Fault::new(FaultKind::Connect, "nobody is there"));
    assert_eq!(served(cost(), 3, failed), 50);
    assert_eq!(
        served(LimitCost::default(), 3, failed),
        3,
        "requests count as such"
    );
}

#[test]
fn bytes_are_counted_to_the_end() {
    let bytes = |units| LimitCost {
        units,
        response_bytes: true,
        ..LimitCost::default()
    };
    assert_eq!(
        served(bytes(1), 71, ok),
        11,
        "over the limit by one answer at most"
    );
    assert_eq!(served(bytes(7), 71, ok), 10, "what is reserved is not exceeded");
    assert_eq!(served(bytes(20), 71, ok), 8, "what is not used is given back");
}

#[test]
fn an_answer_that_nobody_reads_costs_what_was_read() {
    let config = Config {
        cost: Some(LimitCost {
            units: 5,
            response_bytes: true,
            ..LimitCost::default()
        }),
        headers: "x-ratelimit".into(),
        ..config(vec![rule("a", "fixedWindow", 100)])
    };
    let bench = bench(&config, |_| ok());
    let left = |res: &Response| res.headers.get_str("X-RateLimit-Remaining").unwrap().to_owned();
    let mut first = bench.run(get("/", &[]));
    assert_eq!(left(&first), "95", "reserved");
    first.body.consume(3);
    drop(first);
    let second = bench.run(get("/", &[]));
    assert_eq!(left(&second), "92", "three were read");
    drop(second);
    assert_eq!(left(&bench.run(get("/", &[]))), "92", "none was read");
}

#[test]
fn shadow_decides_and_changes_nothing() {
    let config = Config {
        mode: ModeConfig::Shadow,
        headers: "ietf".into(),
        ..config(vec![rule("a", "fixedWindow", 1)])
    };
    let bench = bench(&config, |_| ok());
    for allowed in [true, false, false] {
        block_on(async {
            let mut cx = Exchange::new(
                std::rc::Rc::new(connection("1.1.1.1:1", None)),
                Default::default(),
            );
            let res = bench.chain.run(get("/", &[]), &mut cx).await;
            assert_eq!((res.status, res.headers.len()), (200, 0));
            let [decision] = &cx.record.decisions[..] else {
                panic!("one decision")
            };
            assert_eq!((decision.allowed, decision.mode), (allowed, Mode::Shadow));
            assert_eq!((&*decision.policy, &*decision.rule), ("m@file", "a"));
        });
    }
    let nobody = Config {
        mode: ModeConfig::Off,
        ..config
    };
    check(&nobody, &[200, 200, 200]);
    let none = Config {
        percent: Percent::parse("0").unwrap(),
        mode: ModeConfig::Enforce,
        ..nobody
    };
    check(&none, &[200, 200, 200]);
}

#[test]
fn sources_are_apart() {
    let config = Config {
        source_criterion: Some(CriterionConfig {
            request_header_name: "X-Id".into(),
            ..CriterionConfig::default()
        }),
        ..config(vec![rule("a", "fixedWindow", 1)])
    };
    let bench = bench(&config, |_| ok());
    for (id, status) in [("a", 200), ("b", 200), ("a", 429), ("", 200), ("", 429)] {
        assert_eq!(bench.run(get("/", &[("X-Id", id)])).status, status, "{id}");
    }
}

#[test]
fn errors() {
    let check = |config: Config, want: &str| {
        let error = build_error(|cx| build(&config, cx));
        assert!(error.contains(want), "{error}");
    };
    let one = |change: fn(&mut LimitRule)| {
        let mut rule = rule("a", "gcra", 1);
        change(&mut rule);
        config(vec![rule])
    };
    check(config(vec![]), "holds 0 rules");
    check(
        config(vec![rule("a", "gcra", 1), rule("a", "gcra", 2)]),
        "two rules of `limit` are called `a`",
    );
    check(config(vec![rule("a b", "gcra", 1)]), "cannot name a rule");
    check(
        one(|r| r.limit = 0),
        "rule `a` of `limit`: `limit` must be at least 1",
    );
    check(one(|r| r.limit = -5), "`limit` must be at least 1");
    check(one(|r| r.burst = Some(0)), "`burst` must be at least 1");
    check(one(|r| r.period = None), "there is no `period`");
    check(one(|r| r.period = Some(Period::ZERO)), "`period` is 0s");
    check(one(|r| r.period = Some(Period::from_secs(-1))), "`period` is -1s");
    check(
        one(|r| r.calendar = "day".into()),
        "`calendar` does nothing with `gcra`",
    );
    check(one(|r| r.durable = true), "`durable` does nothing with `gcra`");
    check(
        one(|r| {
            r.algorithm = "slidingWindow".into();
            r.burst = Some(1);
        }),
        "`burst` does nothing with `slidingWindow`",
    );
    check(
        one(|r| r.algorithm = "inFlight".into()),
        "`period` does nothing with `inFlight`",
    );
    check(
        one(|r| {
            r.algorithm = "fixedWindow".into();
            r.calendar = "day".into();
        }),
        "`period` and `calendar` are mutually exclusive",
    );
    check(
        one(|r| {
            r.algorithm = "fixedWindow".into();
            r.durable = true;
            r.period = Some(Period::from_millis(500));
        }),
        "`period` is 500ms",
    );
    let cost = |cost| Config {
        cost: Some(cost),
        ..one(|_| {})
    };
    let none = LimitCost {
        units: 0,
        ..LimitCost::default()
    };
    check(cost(none), "`limit.cost.units` must be at least 1");
    let both = LimitCost {
        header: "X".into(),
        response_bytes: true,
        ..LimitCost::default()
    };
    check(cost(both), "mutually exclusive");
}
