use super::super::super::kit::{Asked, Bench, Outcome};
use super::super::super::{chat_completion, messages_api, testing};
use bytes::Bytes;
use trilithon_flow::{Body, Chain, FaultKind, Known, Request, Response};
use trilithon_model::dynamic::http::{ChatCompletion, MessagesApi, ModelApi};

const ASK: &str = r#"{ "messages":[{"role":"user","content":"caf\u00e9"}], "model":"own", "new":{"z":1,"a":12345678901234567890.50} }"#;
const SAID: &str = r#"{"id":"c","model":"served","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;

fn post(body: &str, headers: &[(&str, &str)]) -> Request {
    let mut req = testing::request("POST", "/v1/chat/completions", headers);
    req.body = Body::from(Bytes::copy_from_slice(body.as_bytes()));
    req
}

fn json(body: &'static str) -> Response {
    let mut res = Response::bare(200, body);
    res.headers.set_known(Known::ContentType, "application/json");
    res
}

fn events(body: &'static str) -> Response {
    let mut res = Response::bare(200, body);
    res.headers.set_known(Known::ContentType, "text/event-stream");
    res
}

fn chat(api: &ModelApi) -> ChatCompletion {
    ChatCompletion {
        api: api.clone(),
        ..ChatCompletion::default()
    }
}

/// What was answered and asked with this configuration.
fn run(
    config: &ChatCompletion,
    req: Request,
    said: impl Fn() -> Response + Send + Sync + 'static,
) -> (Outcome, Asked) {
    let mut bench = Bench::new(move |_| said());
    let chain: Chain = bench.around(|cx| chat_completion::build(config, cx));
    let outcome = bench.send(&chain, req);
    (outcome, bench.last())
}

#[test]
fn what_is_not_set_stays_byte_for_byte() {
    let config = ChatCompletion::default();
    let headers = [("Accept-Encoding", "gzip"), ("Authorization", "Bearer mine")];
    let (outcome, asked) = run(&config, post(ASK, &headers), || json(SAID));
    assert_eq!(
        (asked.body.as_str(), asked.header("Accept-Encoding")),
        (ASK, None)
    );
    assert_eq!(asked.header("Authorization"), Some("Bearer mine"));
    assert_eq!((outcome.status, outcome.text().as_str()), (200, SAID));
}

#[test]
fn model_and_key_are_the_gateways() {
    let api = ModelApi {
        token: "sk".into(),
        model: "gpt".into(),
        ..ModelApi::default()
    };
    let (_, asked) = run(
        &chat(&api),
        post(ASK, &[("Authorization", "Bearer mine")]),
        || json(SAID),
    );
    assert_eq!(asked.header("Authorization"), Some("Bearer sk"));
    assert_eq!(asked.body, ASK.replace("\"own\"", "\"gpt\""));
    let allowed = ModelApi {
        allow_model_override: Some(true),
        ..api
    };
    assert_eq!(run(&chat(&allowed), post(ASK, &[]), || json(SAID)).1.body, ASK);
}

#[test]
fn requests_that_are_none_are_refused_in_the_dialect() {
    let check = |req: Request, status: u16, part: &str| {
        let mut bench = Bench::new(|_| json(SAID));
        let config = chat(&ModelApi {
            max_request_body_size: Some(1000),
            ..ModelApi::default()
        });
        let chain = bench.around(|cx| chat_completion::build(&config, cx));
        let outcome = bench.send(&chain, req);
        assert_eq!((outcome.status, bench.asked()), (status, 0), "{part}");
        assert_eq!(outcome.header("Content-Type"), Some("application/json"));
        assert!(outcome.text().contains(part), "{}", outcome.text());
    };
    check(post("{}", &[]), 400, r#""param":"messages""#);
    check(
        post("hello", &[("Content-Type", "text/plain")]),
        400,
        "not valid JSON",
    );
    check(post(&" ".repeat(1001), &[]), 413, "larger than 1000 bytes");
    check(
        post(ASK, &[("Content-Encoding", "gzip")]),
        415,
        "must not be compressed",
    );
    let upgrade = Request {
        upgrade: Some("websocket".into()),
        ..testing::get("/v1/responses", &[])
    };
    check(upgrade, 501, "not governed");
}

#[test]
fn requests_without_a_body_pass_with_the_key() {
    let config = chat(&ModelApi {
        token: "sk".into(),
        ..ModelApi::default()
    });
    let (outcome, asked) = run(
        &config,
        testing::get("/v1/models", &[("Accept-Encoding", "gzip")]),
        || json("{}"),
    );
    assert_eq!(
        (outcome.status, asked.header("Accept-Encoding")),
        (200, Some("gzip"))
    );
    assert_eq!(asked.header("Authorization"), Some("Bearer sk"));
}

#[test]
fn a_stream_tells_its_usage_to_the_gateway_alone() {
    const CHUNKS: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n";
    const TOLD: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
    let check = |more: &str, want: &str| {
        let ask = ASK.replacen('{', &format!("{{\"stream\":true{more},"), 1);
        let (outcome, asked) = run(&ChatCompletion::default(), post(&ask, &[]), || events(TOLD));
        assert!(asked.body.contains(r#""include_usage":true"#), "{}", asked.body);
        assert_eq!(outcome.text(), want);
    };
    check("", CHUNKS);
    check(r#","stream_options":{"include_usage":true}"#, TOLD);
}

#[test]
fn failures_are_told_in_the_dialect() {
    let fail = || Response::from(trilithon_flow::Fault::new(FaultKind::Connect, "refused"));
    let (outcome, _) = run(&ChatCompletion::default(), post(ASK, &[]), fail);
    assert_eq!(outcome.status, 502);
    assert!(
        outcome.text().contains(r#""type":"server_error""#),
        "{}",
        outcome.text()
    );
    let own = || Response::bare(429, "{\"error\":1}");
    let (outcome, _) = run(&ChatCompletion::default(), post(ASK, &[]), own);
    assert_eq!(
        (outcome.status, outcome.text().as_str()),
        (429, "{\"error\":1}"),
        "the upstream's word stays"
    );
}

#[test]
fn messages_have_their_own_headers_and_prompt() {
    let config = MessagesApi {
        api: ModelApi {
            token: "sk".into(),
            ..ModelApi::default()
        },
        anthropic_version: "2023-06-01".into(),
        system: "be kind".into(),
        prompt_caching: true,
        ..MessagesApi::default()
    };
    let mut bench = Bench::new(|_| json("{}"));
    let chain = bench.around(|cx| messages_api::build(&config, cx));
    let ask = r#"{"max_tokens":5,"messages":[{"role":"user","content":"a"}]}"#;
    bench.send(&chain, post(ask, &[("Authorization", "Bearer mine")]));
    let asked = bench.last();
    assert_eq!(
        (asked.header("X-Api-Key"), asked.header("Authorization")),
        (Some("sk"), None)
    );
    assert_eq!(asked.header("Anthropic-Version"), Some("2023-06-01"));
    assert_eq!(
        asked.body,
        r#"{"system":"be kind","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}"#
    );
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let check = |api: ModelApi, part: &str| {
        let message = testing::build_error(|cx| chat_completion::build(&chat(&api), cx));
        assert!(message.contains(part), "{message}");
    };
    let plain = ModelApi::default;
    check(
        ModelApi {
            allow_model_override: Some(false),
            ..plain()
        },
        "allowModelOverride",
    );
    check(
        ModelApi {
            max_request_body_size: Some(0),
            ..plain()
        },
        "maxRequestBodySize",
    );
    check(
        ModelApi {
            token: "urn:k8s:secret:a:b".into(),
            ..plain()
        },
        "secret store",
    );
}
