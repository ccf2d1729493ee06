use super::super::kit::{Act, Script};
use super::super::testing::{self, Bench, block_on, build_error, connection, lines, request, step, text};
use super::super::{ai_quota, ai_rate_limit, chat_completion};
use super::*;
use trilithon_flow::{Body, Fault, FaultKind, Keep, Known};
use trilithon_model::duration::Duration as Written;
use trilithon_model::dynamic::http::{
    AiQuota, AiRateLimit, ChatCompletion, CostLimit, LimitLevel, OnDenyResponse, Redis,
    SourceCriterion as Criterion, TokenLimit,
};

const TOTAL: &str = "X-Ratelimit-Remaining-Tokens-Total";

fn tokens(limit: i64) -> Option<TokenLimit> {
    Some(TokenLimit {
        limit,
        period: Some(Written::from_secs(60)),
        ..TokenLimit::default()
    })
}

fn dollars(limit: &str) -> Option<CostLimit> {
    Some(CostLimit {
        limit: limit.into(),
        period: Some(Written::from_secs(60)),
        ..CostLimit::default()
    })
}

/// A limit of so many tokens together, for chat completions.
fn total(limit: i64) -> Config {
    Config {
        total_token_limit: tokens(limit),
        client_request_format: ClientRequestFormat::Ccr,
        ..Config::default()
    }
}

fn quota(limits: Config) -> AiQuota {
    AiQuota {
        limits,
        ..AiQuota::default()
    }
}

fn built(limits: Config) -> Step {
    step(|cx| ai_quota::build(&quota(limits), cx))
}

fn chat(more: &str) -> Request {
    let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    let mut req = request(
        "POST",
        "/v1/chat/completions",
        &[("Content-Type", "application/json")],
    );
    req.body = Body::from(body);
    req
}

fn json(status: u16, body: &str) -> Response {
    let mut res = Response::bare(status, body.to_owned());
    res.headers.set_known(Known::ContentType, "application/json");
    res
}

/// A model's answer that reports so much.
fn reporting(input: u64, output: u64) -> Response {
    json(
        200,
        &format!(
            r#"{{"id":"c","model":"gpt-4o","choices":[{{"message":{{"content":"hello"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}}}"#
        ),
    )
}

fn stream(events: &'static str) -> Response {
    let mut res = Response::bare(200, events);
    res.headers.set_known(Known::ContentType, "text/event-stream");
    res
}

/// The status of each of so many calls in a row, and what was left by their heads.
async fn calls(bench: &Bench, more: &str, times: usize) -> Vec<(u16, Option<String>)> {
    let mut all = Vec::new();
    for _ in 0..times {
        let mut res = bench.send(chat(more), connection("1.1.1.1:1", None)).await;
        let left = res.headers.get_str(TOTAL).map(str::to_owned);
        let _ = res.body.collect(1 << 20).await;
        all.push((res.status, left));
    }
    all
}

/// Statuses of calls in a row, all of which this is the answer to.
fn check(limits: Config, answer: fn() -> Response, want: &[u16]) {
    let told = format!("{limits:?}");
    let bench = Bench::answering(vec![built(limits)], move |_| answer());
    let got = block_on(calls(&bench, "", want.len()));
    assert_eq!(
        got.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
        want,
        "{told}"
    );
}

#[test]
fn what_was_used_counts_and_no_more() {
    check(total(100), || reporting(40, 20), &[200, 200, 429]);
    check(total(200), || reporting(10, 5), &[200; 6]);
    let only = |quantity: Quantity| Config {
        total_token_limit: None,
        input_token_limit: tokens(50).filter(|_| quantity == Quantity::Input),
        output_token_limit: tokens(50).filter(|_| quantity == Quantity::Output),
        ..total(1)
    };
    check(only(Quantity::Input), || reporting(45, 1_000), &[200, 429]);
    check(only(Quantity::Output), || reporting(1_000, 45), &[200, 429]);
}

#[test]
fn who_took_nothing_is_charged_nothing() {
    check(total(100), || json(500, r#"{"error":{}}"#), &[500; 5]);
    check(total(100), || json(429, r#"{"error":{}}"#), &[429; 5]);
    check(
        total(100),
        || Response::from(Fault::new(FaultKind::Connect, "refused")),
        &[502; 5],
    );
    // An answer that tells nothing and says nothing took the prompt.
    check(total(100), || json(200, "{}"), &[200; 5]);
}

#[test]
fn an_answer_without_usage_is_counted_here() {
    let long = || {
        stream(
            "data: {\"choices\":[{\"delta\":{\"content\":\"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"}}]}\n\ndata: [DONE]\n\n",
        )
    };
    // A digit is half a token, and the prompt is 7.
    check(total(400), long, &[200, 200, 200, 429]);
    let whole = || {
        json(
            200,
            r#"{"choices":[{"message":{"content":"0123456789012345678901234567890123456789"}}]}"#,
        )
    };
    check(total(60), whole, &[200, 200, 429]);
}

#[test]
fn several_calls_at_a_time_find_room() {
    let bench = Bench::answering(vec![built(total(100))], |_| reporting(10, 5));
    block_on(async {
        let mut open = Vec::new();
        loop {
            let res = bench.send(chat(""), connection("1.1.1.1:1", None)).await;
            if res.status == 429 {
                break;
            }
            open.push(res);
        }
        assert_eq!(
            open.len(),
            3,
            "7 tokens of prompt and a quarter of the limit each"
        );
        drop(open);
    });
}

#[test]
fn a_client_that_leaves_pays_for_what_was_said() {
    let bench = Bench::answering(vec![built(total(100))], |_| {
        let mut res = stream("");
        let said = b"data: {\"choices\":[{\"delta\":{\"content\":\"01234567890123456789\"}}]}\n\n";
        let reported = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":90}}\n\n";
        res.body = Script::new([Act::Data(said), Act::Data(reported)]).body();
        res
    });
    block_on(async {
        let mut res = bench.send(chat(""), connection("1.1.1.1:1", None)).await;
        assert!(res.body.chunk().await.unwrap().is_ok());
        drop(res);
        let left = calls(&bench, "", 1).await.remove(0).1.unwrap();
        // 100, less 7 and 10 that were taken, less 7 and 25 that are set aside.
        assert_eq!(left, "51");
    });
}

/// Asks twice, as `models` does when the first answer comes to nothing.
struct Twice;

impl Wrap for Twice {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let body = req.body.collect(1 << 20).await.unwrap();
            let mut first = req.clone_head();
            first.body = Body::from(body.clone());
            req.body = Body::from(body);
            let mut lost = next.run(first, cx).await;
            lost.body.collect(1 << 20).await.unwrap();
            next.run(req, cx).await
        })
    }
}

#[test]
fn answers_that_nobody_got_count_too() {
    let api = ChatCompletion::default();
    let own = step(|cx| chat_completion::build(&api, cx));
    let steps = vec![built(total(1_000)), Step::wrap(Twice), built(total(900)), own];
    let bench = Bench::answering(steps, |_| reporting(40, 60));
    let left = || {
        let res = bench.run(chat(r#","max_tokens":10"#));
        let all = lines(&res.headers).into_iter();
        let all = all.filter_map(|l| l.strip_prefix(TOTAL)?.strip_prefix(": ").map(str::to_owned));
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        left(),
        ["783", "983"],
        "a limit of the attempts, and one in front of them"
    );
    assert_eq!(left(), ["583", "783"], "each counts an attempt once");
}

#[test]
fn the_heads_say_what_is_left() {
    let bench = Bench::answering(vec![built(total(1_000))], |_| reporting(40, 60));
    let got = block_on(calls(&bench, r#","max_tokens":10"#, 2));
    let left = |n: u64| Some(n.to_string());
    assert_eq!(got, [(200, left(1_000 - 17)), (200, left(900 - 17))]);
    let two = Bench::answering(vec![built(total(1_000)), built(total(500))], |_| reporting(1, 1));
    let res = two.run(chat(r#","max_tokens":10"#));
    let all: Vec<_> = lines(&res.headers)
        .into_iter()
        .filter(|l| l.starts_with(TOTAL))
        .collect();
    assert_eq!(all, [format!("{TOTAL}: 483"), format!("{TOTAL}: 983")]);
}

#[test]
fn the_whole_refusal() {
    let refused = |on: Option<OnDenyResponse>, more: &str| {
        let limits = Config {
            on_deny_response: on,
            ..total(1)
        };
        let bench = Bench::answering(vec![built(limits)], |_| reporting(9, 9));
        block_on(async {
            assert_eq!(calls(&bench, "", 1).await[0].0, 200);
            bench.send(chat(more), connection("1.1.1.1:1", None)).await
        })
    };
    let mut res = refused(None, "");
    assert_eq!(res.status, 429);
    assert_eq!(res.headers.get_str("Content-Type"), Some("application/json"));
    assert_eq!(res.headers.get_str(TOTAL), Some("0"));
    assert!(res.headers.get_str("Retry-After").is_some());
    assert!(text(&mut res).contains("too many tokens were used"));
    let on = |status_code, content_type: &str| {
        Some(OnDenyResponse {
            status_code: Some(status_code),
            message: "no more".into(),
            content_type: content_type.into(),
        })
    };
    let mut res = refused(on(429, "text/plain"), "");
    assert_eq!((res.status, text(&mut res).as_str()), (429, "no more"));
    let mut res = refused(on(200, ""), "");
    assert_eq!(res.status, 200);
    assert!(text(&mut res).contains(r#""content":"no more""#));
    let mut res = refused(on(200, ""), r#","stream":true"#);
    assert_eq!(res.headers.get_str("Content-Type"), Some("text/event-stream"));
    assert!(text(&mut res).ends_with("data: [DONE]\n\n"));
}

#[test]
fn money_is_counted_to_the_billionth() {
    let limits = |limit: &str| Config {
        total_token_limit: None,
        cost_limit: dollars(limit),
        ..total(1)
    };
    // 1000 tokens in are 0.0025 dollars, 100 out are 0.001.
    check(limits("0.0090"), || reporting(1_000, 100), &[200, 200, 429]);
    check(limits("0.0095"), || reporting(1_000, 100), &[200, 200, 200, 429]);
    let bench = Bench::answering(vec![built(limits("1"))], |_| reporting(1_000, 100));
    block_on(calls(&bench, r#","max_tokens":1"#, 1));
    let res = block_on(bench.send(chat(r#","max_tokens":1"#), connection("1.1.1.1:1", None)));
    let left = res.headers.get_str("X-Ratelimit-Remaining-Cost").unwrap();
    // Less 7 tokens in and 1 out that are set aside.
    assert_eq!(left, "0.9964725");
}

#[test]
fn a_model_without_a_price_is_not_free() {
    let limits = |unpriced: &str| Config {
        total_token_limit: None,
        cost_limit: dollars("1"),
        unpriced: unpriced.into(),
        ..total(1)
    };
    let ask = |limits| {
        let bench = Bench::answering(vec![built(limits)], |_| reporting(1, 1));
        let mut req = chat("");
        req.body = Body::from(r#"{"model":"nobody-knows","messages":[{"role":"user","content":"hi"}]}"#);
        let mut res = bench.run(req);
        (res.status, text(&mut res))
    };
    let (status, body) = ask(limits("refuse"));
    assert_eq!(status, 429);
    assert!(body.contains("`nobody-knows` has no price"), "{body}");
    assert_eq!(ask(limits("allow")).0, 200);
}

#[test]
fn all_levels_or_none() {
    let by = |name: &str| Criterion {
        request_header_name: name.into(),
        ..Criterion::default()
    };
    let limits = Config {
        source_criterion: Some(by("X-Key")),
        levels: vec![LimitLevel {
            name: "team".into(),
            source_criterion: Some(by("X-Team")),
            total_token_limit: tokens(100),
            ..LimitLevel::default()
        }],
        ..total(60)
    };
    let bench = Bench::answering(vec![built(limits)], |_| reporting(20, 30));
    block_on(async {
        for (key, team, want) in [
            ("a", "x", 200),
            // The key has too little left; the team is not charged for it.
            ("a", "x", 429),
            ("b", "x", 200),
            // The team has nothing left; the key is not charged for it.
            ("c", "x", 429),
            ("c", "y", 200),
        ] {
            let mut req = chat("");
            req.headers.append("X-Key", key);
            req.headers.append("X-Team", team);
            let mut res = bench.send(req, connection("1.1.1.1:1", None)).await;
            let _ = res.body.collect(1 << 20).await;
            assert_eq!(res.status, want, "{key} {team}");
        }
    });
}

#[test]
fn in_shadow_nothing_changes() {
    let shadow = || Config {
        mode: trilithon_model::Mode::Shadow,
        ..total(10)
    };
    check(shadow(), || reporting(40, 20), &[200; 5]);
    let bench = Bench::answering(vec![built(shadow())], |_| reporting(40, 20));
    assert_eq!(bench.run(chat("")).headers.get_str(TOTAL), None);
}

#[test]
fn how_much_is_set_aside() {
    let with = |reserve: &str| Config {
        reserve: reserve.into(),
        ..total(1_000)
    };
    let statuses = |reserve: &str, more: &str| {
        let bench = Bench::answering(vec![built(with(reserve))], |_| reporting(900, 50));
        block_on(calls(&bench, more, 3))
            .into_iter()
            .map(|(s, _)| s)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        statuses("none", ""),
        [200, 200, 429],
        "one more while anything is left"
    );
    assert_eq!(
        statuses("worstCase", ""),
        [429; 3],
        "no call without a bound fits"
    );
    assert_eq!(statuses("worstCase", r#","max_tokens":900"#), [200, 429, 429]);
}

#[test]
fn a_bucket_fills_and_takes_bursts() {
    let config = AiRateLimit {
        limits: Config {
            total_token_limit: Some(TokenLimit {
                limit: 60,
                period: Some(Written::from_secs(60)),
                burst: Some(120),
                ..TokenLimit::default()
            }),
            ..total(1)
        },
        ..AiRateLimit::default()
    };
    let bench = Bench::answering(vec![step(|cx| ai_rate_limit::build(&config, cx))], |_| {
        reporting(60, 50)
    });
    block_on(async {
        let status = |all: Vec<(u16, Option<String>)>| all.into_iter().map(|(s, _)| s).collect::<Vec<_>>();
        assert_eq!(status(calls(&bench, "", 2).await), [200, 429]);
        tokio::time::advance(Duration::from_secs(120)).await;
        assert_eq!(status(calls(&bench, "", 2).await), [200, 429]);
    });
}

#[test]
fn answers_of_no_known_format_tell_their_tokens_by_queries() {
    let limits = Config {
        client_request_format: ClientRequestFormat::Custom,
        usage: Some(trilithon_model::dynamic::http::UsageQueries {
            input_tokens: ".meta.in".into(),
            output_tokens: ".meta.out".into(),
        }),
        ..total(100)
    };
    check(
        limits,
        || json(200, r#"{"meta":{"in":30,"out":30}}"#),
        &[200, 200, 429],
    );
}

#[test]
fn a_request_without_a_body_is_no_call() {
    let bench = Bench::answering(vec![built(total(1))], |_| json(200, r#"{"data":[]}"#));
    for _ in 0..3 {
        let res = bench.run(testing::get("/v1/models", &[]));
        assert_eq!((res.status, res.headers.get_str(TOTAL)), (200, None));
    }
}

#[test]
fn counts_outlive_a_reload_that_changes_nothing() {
    let keep = Keep::default();
    let make = |limit| {
        let step = testing::build(&keep, |cx| ai_quota::build(&quota(total(limit)), cx));
        Bench::answering(vec![step.unwrap()], |_| reporting(40, 60))
    };
    let first = make(100);
    assert_eq!(block_on(calls(&first, "", 1))[0].0, 200);
    assert_eq!(block_on(calls(&make(100), "", 1))[0].0, 429);
    assert_eq!(
        block_on(calls(&make(200), "", 1))[0].0,
        200,
        "another limit, another count"
    );
}

#[test]
fn errors() {
    let quota_error = |limits: Config| build_error(|cx| ai_quota::build(&quota(limits), cx));
    let rate_error = |limits: Config| {
        let config = AiRateLimit {
            limits,
            ..AiRateLimit::default()
        };
        build_error(|cx| ai_rate_limit::build(&config, cx))
    };
    assert_eq!(quota_error(Config::default()), "`ai-quota` limits nothing");
    assert_eq!(
        quota_error(total(0)),
        "`totalTokenLimit` of `ai-quota`: `limit` must be at least 1"
    );
    let with = |change: fn(&mut TokenLimit)| {
        let mut limits = total(10);
        change(limits.total_token_limit.as_mut().unwrap());
        limits
    };
    assert_eq!(
        quota_error(with(|l| l.period = None)),
        "`totalTokenLimit` of `ai-quota`: there is no `period`"
    );
    assert_eq!(
        quota_error(with(|l| l.burst = Some(1))),
        "`totalTokenLimit` of `ai-quota`: `burst` does nothing here"
    );
    assert_eq!(
        rate_error(with(|l| l.calendar = "day".into())),
        "`totalTokenLimit` of `ai-rate-limit`: `calendar` does nothing here"
    );
    assert_eq!(
        quota_error(with(|l| l.calendar = "day".into())),
        "`totalTokenLimit` of `ai-quota`: `period` and `calendar` are mutually exclusive"
    );
    let cost = |limit: &str| Config {
        cost_limit: dollars(limit),
        ..Config::default()
    };
    assert_eq!(
        quota_error(cost("5 USD")),
        "`costLimit` of `ai-quota`: `limit`: `5 USD` is not a decimal number of dollars"
    );
    assert_eq!(
        quota_error(cost("0")),
        "`costLimit` of `ai-quota`: `limit` is nothing"
    );
    let store = LimitStore {
        redis: Some(Redis::default()),
    };
    let redis = AiQuota {
        store: Some(store),
        ..quota(total(1))
    };
    assert_eq!(
        build_error(|cx| ai_quota::build(&redis, cx)),
        "`store.redis` is not built yet"
    );
}
