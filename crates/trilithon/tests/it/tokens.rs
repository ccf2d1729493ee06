//! Token limits and budgets in a running gateway: what was set aside for a call is settled once, however the call ends.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use trilithon_testkit::{Act, Answer, Gateway, RawClient, Upstream, eventually};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
log: {level: DEBUG}
providers: {providersThrottleDuration: 50ms, file: {filename: '@DIR@/routing.yml', watch: true}}
";

/// Everything goes through middleware `m` to `b1` and `b2` in turns.
fn routing(limit: &str) -> String {
    format!(
        "\
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: w, middlewares: [m]}}}}
  services:
    w: {{weighted: {{services: [{{name: s1, weight: 3}}, {{name: s2, weight: 1}}]}}}}
    s1: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}
    s2: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b2@'}}]}}}}
  middlewares: {{m: {{{limit}}}}}
"
    )
}

const BODY: &str = r#"{"model":"gpt-4o","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;
/// What each whole answer reports: more than was asked for.
const INPUT: u64 = 9;
const OUTPUT: u64 = 30;

fn ask() -> String {
    let length = BODY.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{BODY}"
    )
}

/// Reports its usage, after some time.
fn whole() -> Upstream {
    Upstream::answering(|_| {
        let body = format!(
            r#"{{"model":"gpt-4o","choices":[{{"message":{{"content":"hello"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{INPUT},"completion_tokens":{OUTPUT}}}}}"#
        );
        Answer::new(200, body)
            .header("Content-Type", "application/json")
            .after(std::time::Duration::from_millis(20))
    })
}

/// Begins a stream and breaks it.
fn cut() -> Upstream {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"abcd\"}}]}\n\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let begun = format!("{head}{:x}\r\n{event}\r\n", event.len());
    Upstream::script([Act::Request, Act::Send(begun.into_bytes()), Act::Reset])
}

fn open_calls(gateway: &Gateway) -> i64 {
    let series = "trilithon_token_limit_open_calls{policy=\"m@file\"} ";
    let metrics = gateway.metrics();
    let value = metrics.lines().find_map(|line| line.strip_prefix(series));
    value.map_or(-1, |v| v.parse().expect("a gauge is a number"))
}

/// One of many clients; gives the status, 0 for one that left or was left.
fn call(gateway: &Gateway, at: usize) -> u16 {
    let mut client = gateway.client("web");
    if client.try_send(ask()).is_err() {
        return 0;
    }
    match at % 5 {
        0 => {
            client.reset();
            0
        }
        _ => match client.response_to("POST") {
            Ok(Some(res)) if res.text().contains("data: {\"error\"") => 0,
            Ok(Some(res)) => res.status,
            _ => 0,
        },
    }
}

/// Five hundred calls at a time; `note` is told what each came to.
fn many(gateway: &Gateway, note: impl Fn(u16) + Sync) {
    std::thread::scope(|scope| {
        for at in 0..500 {
            let note = &note;
            std::thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn_scoped(scope, move || note(call(gateway, at)))
                .expect("a thread can be made");
        }
    });
}

#[test]
fn five_hundred_calls_at_a_time_keep_a_budget() {
    const LIMIT: u64 = 4_000;
    /// 7 tokens of the prompt and 20 of the answer.
    const SET_ASIDE: u64 = 27;
    let limit = format!(
        "ai-quota: {{totalTokenLimit: {{limit: {LIMIT}, period: 87648h}}, clientRequestFormat: ccr}}"
    );
    let gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(&routing(&limit))
        .upstream("b1", whole())
        .upstream("b2", cut())
        .start();
    let (served, refused) = (AtomicU64::new(0), AtomicUsize::new(0));
    many(&gateway, |status| match status {
        200 => _ = served.fetch_add(1, Ordering::SeqCst),
        429 => _ = refused.fetch_add(1, Ordering::SeqCst),
        _ => {}
    });
    let taken = served.into_inner() * (INPUT + OUTPUT);
    let at_a_time = LIMIT / SET_ASIDE;
    let bound = LIMIT + at_a_time * (INPUT + OUTPUT - SET_ASIDE);
    assert!(taken <= bound, "{taken} of {bound} tokens");
    assert!(refused.into_inner() > 0, "the budget was met");
    eventually("every call is settled", || open_calls(&gateway) == 0);
}

/// What the log says that calls came to: what was used, or the one unit that is set aside where nobody can tell.
fn spent(gateway: &Gateway) -> u64 {
    let log = std::fs::read_to_string(gateway.folder().path().join("access.log")).unwrap_or_default();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let calls = lines.filter(|line| line["RequestPath"] != "/last" && !line["ModelCall"].is_null());
    calls
        .map(|line| match line["ModelCall"].get("usage") {
            Some(usage) => usage["input"].as_u64().unwrap_or(0) + usage["output"].as_u64().unwrap_or(0),
            None => u64::from(matches!(line["DownstreamStatus"].as_u64(), Some(200 | 499))),
        })
        .sum()
}

/// However calls end, what is left of the limit is all but what they came to: nothing is lost, nothing is counted twice.
#[test]
fn what_is_left_is_what_was_not_spent() {
    const LIMIT: u64 = 1_000_000;
    let install = format!("{INSTALL}accessLog: {{filePath: '@DIR@/access.log', format: json}}\n");
    let limit = format!(
        "ai-quota: {{totalTokenLimit: {{limit: {LIMIT}, period: 87648h}}, clientRequestFormat: ccr, reserve: none}}"
    );
    let gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(&install)
        .routing(&routing(&limit))
        .upstream("b1", whole())
        .upstream("b2", cut())
        .start();
    many(&gateway, |_| {});
    eventually("every call is settled", || open_calls(&gateway) == 0);
    let last = gateway
        .client("web")
        .ask(&ask().replace("/v1/chat/completions", "/last"));
    let left: u64 = last
        .header("X-Ratelimit-Remaining-Tokens-Total")
        .parse()
        .expect("a number");
    // One is set aside for the last call itself.
    let gone = LIMIT - left - 1;
    assert!(gone > 0);
    let agrees = || spent(&gateway) == gone;
    if trilithon_testkit::until(trilithon_testkit::PATIENCE, || agrees().then_some(())).is_none() {
        panic!("{gone} are gone, {} were spent", spent(&gateway));
    }
}

#[test]
fn a_budget_in_dollars_goes_by_the_users_own_prices() {
    let install = format!("{INSTALL}ai: {{prices: '@DIR@/prices.json'}}\n");
    let prices = r#"{"date": "2026-02-03", "models": {"gpt-4o": {"input": 1000, "output": 1000}}}"#;
    // A tenth of a cent a token: 39 a call are 3.9 cents.
    let limit = "ai-quota: {costLimit: {limit: '0.10', period: 87648h}, clientRequestFormat: ccr}";
    let gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(&install)
        .file("prices.json", prices)
        .routing(&routing(limit))
        .upstream("b1", whole())
        .upstream("b2", whole())
        .start();
    let mut client: RawClient = gateway.client("web");
    let statuses: Vec<u16> = (0..4).map(|_| client.ask(&ask()).status).collect();
    assert_eq!(
        statuses,
        [200, 200, 429, 429],
        "after two there is less left than is set aside"
    );
    let metrics = gateway.metrics();
    let spent = "trilithon_model_cost_nano_usd_total{application=\"\",key=\"\",model=\"gpt-4o\"} 7.8e+07";
    assert!(metrics.contains(spent), "{metrics}");
    assert!(
        metrics.contains("trilithon_model_prices{epoch=\"2026-02-03-"),
        "{metrics}"
    );
}
