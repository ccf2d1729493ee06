//! The examples of guards and limits in Traefik Hub's documentation, with exact status, body and headers.
//!
//! | Example | Test |
//! |---|---|
//! | content guard, regex: mask in requests, partly unmasked | `regex_masks` |
//! | content guard, regex: block, default answer and `onDenyResponse` | `denied_in_every_format` |
//! | content guard, Presidio | `guards::presidio` |
//! | content guard, custom bodies by `jsonQueries` | `custom_bodies` |
//! | LLM guard: Llama Guard 3 | `guards::llama_guard` |
//! | LLM guard: jailbreak, topic control, content safety, Granite, all forms of questions | `guards::judges` |
//! | LLM guard: `sendReasonAsError` | `the_reason_as_an_error` |
//! | LLM guard: closed on errors | `guards::a_guard_that_is_away` |
//! | parallel LLM guard | `guards::several_at_once` |
//! | former names of the plugins | `guards::former_names` |
//! | answers of guards that look like a model's | `denied_in_every_format` |
//! | `ai-rate-limit`, `ai-quota`: headers, 429, `onDenyResponse` | `token_limits` |
//! | two limits in a chain | `two_limits_tell_both` |
//! | all of them in the order of the examples | `all_in_a_chain` |
//!
//! Not here, as it is not built: semantic caches, `store.redis`, secrets of `urn:k8s`.

use crate::world::{INSTALL, gateway};
use serde_json::{Value, json};
use trilithon_testkit::{Answer, Gateway, Response, Upstream};

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"my SSN is 536-22-8726"}]}"#;
const ANSWER: &str = r#"{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// One router through these middlewares, in their order; the model always answers the same.
#[track_caller]
fn start(list: &str, middlewares: &str, judge: &'static str) -> Gateway {
    let routing = format!(
        "http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [{list}]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
  middlewares:
{middlewares}"
    );
    let says = |body: &'static str| {
        Upstream::answering(move |_| Answer::new(200, body).header("Content-Type", JSON))
    };
    gateway()
        .install(INSTALL)
        .routing(&routing)
        .upstream("b1", says(ANSWER))
        .upstream("judge", says(judge))
        .start()
}

fn ask(gateway: &Gateway, body: &str) -> Response {
    gateway.post("a.test", "/v1/chat/completions", body)
}

fn sent(gateway: &Gateway) -> String {
    String::from_utf8(gateway.upstream("b1").last().body).unwrap()
}

#[test]
fn regex_masks() {
    let check = |mask: &str, want: &str| {
        let guard = format!(
            "    g: {{plugin: {{content-guard: {{engine: {{regex: {{}}}}, clientRequestFormat: ccr, request: {{rules: [{{entities: ['[0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}'], mask: {mask}, reason: ssn}}]}}}}}}}}\n"
        );
        let gateway = start("g", &guard, "");
        let answer = ask(&gateway, CHAT);
        assert_eq!((answer.status, answer.text().as_str()), (200, ANSWER));
        assert_eq!(sent(&gateway), CHAT.replace("536-22-8726", want));
    };
    check("{}", "***********");
    check("{char: '#', unmaskFromRight: 4}", "#######8726");
    check("{unmaskFromLeft: 2, unmaskFromRight: 4}", "53*****8726");
}

#[test]
fn custom_bodies() {
    let guard = "    g: {plugin: {content-guard: {engine: {regex: {}}, request: {rules: [{jsonQueries: ['.query', '.items[].text'], entities: ['secret'], block: true}]}}}}\n";
    let gateway = start("g", guard, "");
    assert_eq!(ask(&gateway, r#"{"other":"secret"}"#).status, 200);
    let denied = ask(&gateway, r#"{"items":[{"text":"a secret"}]}"#);
    assert_eq!(
        (denied.status, denied.header("content-type")),
        (403, "text/plain; charset=utf-8")
    );
    assert_eq!(denied.text(), "the content was refused by a guard\n");
}

/// What is made anew in every answer.
fn settled(mut value: Value) -> Value {
    for name in ["id", "created", "created_at"] {
        if value.get(name).is_some() {
            value[name] = Value::Null;
        }
    }
    if value.pointer("/output/0/id").is_some() {
        value["output"][0]["id"] = Value::Null;
    }
    value
}

#[test]
fn denied_in_every_format() {
    let check = |format: &str, body: &str, deny: &str, want: (u16, &str), is_it: &dyn Fn(&str) -> bool| {
        let guard = format!(
            "    g: {{plugin: {{content-guard: {{engine: {{builtin: {{}}}}, clientRequestFormat: {format}, request: {{rules: [{{entities: [US_SSN], block: true}}]{deny}}}}}}}}}\n"
        );
        let gateway = start("g", &guard, "");
        let answer = ask(&gateway, body);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            want,
            "{format} {deny}"
        );
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        assert!(is_it(&answer.text()), "{format} {deny}: {}", answer.text());
        assert_eq!(gateway.upstream("b1").requests(), 0);
    };
    let responses = r#"{"model":"m","input":"my SSN is 536-22-8726"}"#;
    let refused = "the content was refused by a guard";
    let own = ", onDenyResponse: {statusCode: 451, message: Not here.}";
    let equals = |want: Value| {
        move |text: &str| serde_json::from_str::<Value>(text).ok().map(settled) == Some(want.clone())
    };
    let openai = |message: &str| {
        equals(
            json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}}),
        )
    };
    check("ccr", CHAT, "", (403, JSON), &openai(refused));
    check("responsesAPI", responses, "", (403, JSON), &openai(refused));
    let messages = |kind: &str, message: &str| {
        equals(json!({"type": "error", "error": {"type": kind, "message": message}}))
    };
    check(
        "messagesAPI",
        CHAT,
        "",
        (403, JSON),
        &messages("permission_error", refused),
    );
    check("ccr", CHAT, own, (451, JSON), &openai("Not here."));
    check(
        "messagesAPI",
        CHAT,
        own,
        (451, JSON),
        &messages("invalid_request_error", "Not here."),
    );

    // 200 looks like an answer.
    let graceful = ", onDenyResponse: {statusCode: 200, message: Not here.}";
    let chat = json!({
        "id": null, "object": "chat.completion", "created": null, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Not here.", "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    });
    check("ccr", CHAT, graceful, (200, JSON), &equals(chat));
    let message = json!({
        "id": null, "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "Not here."}],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 0, "output_tokens": 0},
    });
    check("messagesAPI", CHAT, graceful, (200, JSON), &equals(message));
    let item = json!({
        "type": "message", "id": null, "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": "Not here.", "annotations": [], "logprobs": []}],
    });
    check("responsesAPI", responses, graceful, (200, JSON), &|text| {
        let value: Value = serde_json::from_str(text).unwrap();
        let value = settled(value);
        value["object"] == "response" && value["status"] == "completed" && value["output"] == json!([item])
    });

    // And like a stream, where one was asked for.
    let streamed = |body: &str| body.replace("\"model\"", "\"stream\":true,\"model\"");
    let ends = |last: &'static str, first: &'static str| {
        move |text: &str| text.starts_with(first) && text.ends_with(last) && text.contains("Not here.")
    };
    check(
        "ccr",
        &streamed(CHAT),
        graceful,
        (200, EVENTS),
        &ends("data: [DONE]\n\n", "data: {"),
    );
    check(
        "messagesAPI",
        &streamed(CHAT),
        graceful,
        (200, EVENTS),
        &ends(
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            "event: message_start\n",
        ),
    );
    check(
        "responsesAPI",
        &streamed(responses),
        graceful,
        (200, EVENTS),
        &|text| text.starts_with("event: response.created\n") && text.contains("event: response.completed\n"),
    );
    // The content type decides over what was asked for.
    let typed = |kind: &str| {
        format!(", onDenyResponse: {{statusCode: 200, message: Not here., contentType: {kind}}}")
    };
    check("ccr", &streamed(CHAT), &typed(JSON), (200, JSON), &|text| {
        text.contains("\"chat.completion\"")
    });
    check(
        "ccr",
        CHAT,
        &typed(EVENTS),
        (200, EVENTS),
        &ends("data: [DONE]\n\n", "data: {"),
    );
    check("ccr", CHAT, &typed("text/html"), (200, "text/html"), &|text| {
        text == "Not here."
    });
}

#[test]
fn the_reason_as_an_error() {
    let guard = "    g: {plugin: {llm-guard: {endpoint: 'http://127.0.0.1:@judge@/', clientRequestFormat: ccr, sendReasonAsError: true, clientConfig: {maxRetries: 0},
        format: {custom: {}}, request: {template: '{\"q\":1}', blockConditions: [{condition: 'JSONStringContains(\".label\", \"bad\")', reason: bad words, onDenyResponse: {statusCode: 400, message: no}}]}}}}\n";
    let gateway = start("g", guard, r#"{"label":"very bad"}"#);
    let answer = ask(&gateway, CHAT);
    assert_eq!((answer.status, answer.header("content-type")), (400, JSON));
    assert_eq!(
        answer.text(),
        r#"{"error":{"message":"bad words","type":"invalid_request_error","param":null,"code":null}}"#
    );
}

#[test]
fn token_limits() {
    let check = |kind: &str, deny: &str, want: (u16, &str, &str)| {
        let limit = format!(
            "    l: {{plugin: {{{kind}: {{clientRequestFormat: ccr, totalTokenLimit: {{limit: 10, period: 1h}}, reserve: none{deny}}}}}}}\n"
        );
        let gateway = start("l", &limit, "");
        // One unit is set aside for a call that goes on; 7 tokens are spent by each.
        let first = ask(&gateway, CHAT);
        assert_eq!(
            (first.status, first.header("X-Ratelimit-Remaining-Tokens-Total")),
            (200, "9"),
            "{kind}"
        );
        let second = ask(&gateway, CHAT);
        assert_eq!(
            (second.status, second.header("X-Ratelimit-Remaining-Tokens-Total")),
            (200, "2"),
            "{kind}"
        );
        let third = ask(&gateway, CHAT);
        assert_eq!(
            (third.status, third.header("content-type")),
            (want.0, want.1),
            "{kind} {deny}"
        );
        assert!(third.text().contains(want.2), "{}", third.text());
        assert_eq!(third.header("X-Ratelimit-Remaining-Tokens-Total"), "0");
        // A window of which more than the limit was taken has to pass, and a part of the next.
        let wait = third.header("retry-after").parse::<u64>();
        assert!(
            wait.as_ref().is_ok_and(|s| (1..=2 * 3600).contains(s)),
            "{wait:?}"
        );
    };
    let told = r#"{"error":{"message":"too many tokens were used; try again later","type":"rate_limit_exceeded","param":null,"code":null}}"#;
    check("ai-quota", "", (429, JSON, told));
    check("ai-rate-limit", "", (429, JSON, told));
    let own = ", onDenyResponse: {statusCode: 200, message: Come back tomorrow.}";
    check("ai-quota", own, (200, JSON, r#""content":"Come back tomorrow.""#));
    check(
        "ai-quota",
        ", onDenyResponse: {message: No., contentType: text/plain}",
        (429, "text/plain", "No."),
    );
}

#[test]
fn two_limits_tell_both() {
    let limits = "    a: {ai-rate-limit: {clientRequestFormat: ccr, totalTokenLimit: {limit: 100, period: 1h}, reserve: none}}
    b: {ai-quota: {clientRequestFormat: ccr, totalTokenLimit: {limit: 1000, period: 24h}, reserve: none}}\n";
    let gateway = start("a, b", limits, "");
    let answer = ask(&gateway, CHAT);
    let mut left: Vec<&str> = answer.headers.all("X-Ratelimit-Remaining-Tokens-Total").collect();
    left.sort_unstable();
    assert_eq!(left, ["99", "999"]);
}

/// Clean-up and authentication, mask, judge, format, limit: the order that Hub's examples have.
#[test]
fn all_in_a_chain() {
    let middlewares = "    clean: {headers: {customRequestHeaders: {X-Internal: ''}}}
    auth: {apiKey: {keySource: {header: X-Key}, secretNonBase64Encoded: true, secretValues: ['ann:{SHA}pi8iJb9wv6zLx/HvKjl4NnFzd94=']}}
    mask: {plugin: {content-guard: {engine: {builtin: {}}, clientRequestFormat: ccr, request: {rules: [{entities: [US_SSN], mask: {}}]}}}}
    judge: {plugin: {llm-guard: {endpoint: 'http://127.0.0.1:@judge@/', clientRequestFormat: ccr, clientConfig: {maxRetries: 0}, format: {ccr: {model: j}},
        request: {blockConditions: [{condition: 'Contains(\"unsafe\")', onDenyResponse: {statusCode: 200, message: Sorry.}}]}}}}
    chat: {plugin: {chat-completion: {token: sk-upstream, model: enforced}}}
    limit: {plugin: {ai-rate-limit: {totalTokenLimit: {limit: 100, period: 1h}, reserve: none}}}\n";
    let list = "clean, auth, mask, judge, chat, limit";
    let gateway = start(
        list,
        middlewares,
        r#"{"choices":[{"message":{"content":"safe"}}]}"#,
    );
    let ask = |gateway: &Gateway, key: &str| {
        gateway.client("web").ask(&format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: a.test\r\nX-Key: {key}\r\nX-Internal: me\r\nContent-Length: {}\r\n\r\n{CHAT}",
            CHAT.len()
        ))
    };
    assert_eq!(ask(&gateway, "wrong").status, 401);
    let answer = ask(&gateway, "key");
    assert_eq!((answer.status, answer.text().as_str()), (200, ANSWER));
    assert_eq!(answer.header("X-Ratelimit-Remaining-Tokens-Total"), "99");
    let seen = gateway.upstream("b1").last();
    let want = CHAT
        .replace("536-22-8726", "***********")
        .replace("\"m\"", "\"enforced\"");
    assert_eq!(String::from_utf8(seen.body).unwrap(), want);
    assert_eq!(seen.headers.get("authorization"), "Bearer sk-upstream");
    assert!(!seen.headers.has("x-internal"));
    let judged = String::from_utf8(gateway.upstream("judge").last().body).unwrap();
    assert!(
        judged.contains("***********"),
        "the judge sees what is masked: {judged}"
    );

    let gateway = start(
        list,
        middlewares,
        r#"{"choices":[{"message":{"content":"unsafe"}}]}"#,
    );
    let denied = ask(&gateway, "key");
    assert!(
        denied.status == 200 && denied.text().contains(r#""content":"Sorry.""#),
        "{}",
        denied.text()
    );
    assert_eq!(gateway.upstream("b1").requests(), 0);
}
