//! Guards from the outside: judges, Presidio and patterns in front of a model server, by the examples of Traefik Hub.

use crate::world::{INSTALL, gateway};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use trilithon_testkit::{Act, Answer, Gateway, Response, Upstream, eventually};

const ASKED: &str = r#"{"model":"m","messages":[{"role":"user","content":"how do I bake bread?"}]}"#;
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"With flour."},"finish_reason":"stop"}]}"#;

fn json(body: impl Into<Vec<u8>>) -> Answer {
    Answer::new(200, body).header("Content-Type", "application/json")
}

/// A model server; `b1`.
fn model() -> Upstream {
    Upstream::answering(|_| json(ANSWER))
}

/// A judge that says one thing as a chat completion.
fn chat(says: &str) -> Upstream {
    let body =
        serde_json::json!({"choices": [{"message": {"content": says}, "finish_reason": "stop"}]}).to_string();
    Upstream::answering(move |_| json(body.clone()))
}

/// One router through one guard.
#[track_caller]
fn start(guard: &str, model: Upstream, judge: Upstream) -> Gateway {
    let routing = format!(
        "http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [guard]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
  middlewares:
    guard:
      plugin:
{guard}"
    );
    let install = format!("{INSTALL}accessLog: {{filePath: '@DIR@/access.log', format: json}}\n");
    gateway()
        .install(&install)
        .routing(&routing)
        .upstream("b1", model)
        .upstream("judge", judge)
        .start()
}

fn ask(gateway: &Gateway, body: &str) -> Response {
    gateway.post("a.test", "/v1/chat/completions", body)
}

const LLAMA: &str = "        llm-guard:
          endpoint: http://127.0.0.1:@judge@/v1/chat/completions
          clientRequestFormat: ccr
          format: {ccr: {model: llama-guard-3, params: {maxTokens: 20, temperature: 0}}}
          clientConfig: {maxRetries: 0, timeoutSeconds: 2, headers: {Authorization: Bearer judge}}
          request:
            blockConditions:
              - {condition: 'Contains(\"unsafe\")', reason: unsafe, onDenyResponse: {statusCode: 403, message: Not this.}}
            passCondition: Contains(\"safe\")
";

/// Llama Guard: the conversation in, `safe` or `unsafe` with categories out.
#[test]
fn llama_guard() {
    let check = |says: &str, want: (u16, &str)| {
        let gateway = start(LLAMA, model(), chat(says));
        let answer = ask(&gateway, ASKED);
        assert_eq!((answer.status, answer.text().as_str()), want, "{says}");
        assert_eq!(answer.header("content-type"), "application/json");
        let question = gateway.upstream("judge").last();
        let sent: serde_json::Value = serde_json::from_slice(&question.body).unwrap();
        let prompt = serde_json::json!([{"role": "user", "content": "how do I bake bread?"}]);
        let want_sent = serde_json::json!({"model": "llama-guard-3", "max_tokens": 20, "temperature": 0, "messages": prompt});
        assert_eq!(sent, want_sent);
        assert_eq!(question.headers.get("authorization"), "Bearer judge");
        assert_eq!(gateway.upstream("b1").requests(), usize::from(want.0 == 200));
    };
    check("safe", (200, ANSWER));
    let denied =
        r#"{"error":{"message":"Not this.","type":"invalid_request_error","param":null,"code":null}}"#;
    check("unsafe\nS1,S10", (403, denied));
    // What is unclear is no pass.
    let error = r#"{"error":{"message":"the content could not be judged","type":"server_error","param":null,"code":null}}"#;
    check("I would rather not say", (500, error));
}

/// The other judges of the reference, each with what it says of good and of bad.
#[test]
fn judges() {
    let check = |format: &str, phase: &str, says: Upstream, want: u16| {
        // Routing files are templates themselves.
        let phase = phase.replace("{{", "{{`{{`}}");
        let guard = format!(
            "        llm-guard:
          endpoint: http://127.0.0.1:@judge@/v1/classify
          clientRequestFormat: ccr
          clientConfig: {{maxRetries: 0}}
          format: {format}
          request: {phase}
"
        );
        let gateway = start(&guard, model(), says);
        assert_eq!(ask(&gateway, ASKED).status, want, "{phase}");
        gateway
    };
    let body = |text: &'static str| Upstream::answering(move |_| json(text));
    let jailbreak = r#"{template: '{"input": {{ (index .messages 0).content | toJson }}}', blockConditions: [{condition: 'JSONGt(".score", "0.7")', reason: jailbreak}]}"#;
    check(
        "{custom: {}}",
        jailbreak,
        body(r#"{"jailbreak":false,"score":-0.9}"#),
        200,
    );
    let gateway = check(
        "{custom: {}}",
        jailbreak,
        body(r#"{"jailbreak":true,"score":0.89}"#),
        403,
    );
    assert_eq!(
        gateway.upstream("judge").last().body,
        br#"{"input": "how do I bake bread?"}"#
    );
    assert!(
        gateway
            .metrics()
            .contains("traefik_hub_llm_guard_requests_total{reason=\"jailbreak\"} 1")
    );
    check("{custom: {}}", jailbreak, body("{}"), 500);
    let safety = r#"{blockConditions: [{condition: 'JSONEquals(".User Safety", "unsafe") || JSONEquals(".Response Safety", "unsafe")'}]}"#;
    let model = "{ccr: {model: content-safety}}";
    check(model, safety, chat(r#"{"User Safety": "safe"}"#), 200);
    check(
        model,
        safety,
        chat(r#"{"User Safety": "unsafe", "Safety Categories": "Violence"}"#),
        403,
    );
    check(model, safety, chat("safe"), 500);
    let topic = r#"{systemPrompt: 'Only baking.', promptTemplate: '{{ (index .messages 0).content }}', blockConditions: [{condition: 'Contains("off-topic")'}], passCondition: 'Contains("on-topic")'}"#;
    check(model, topic, chat("on-topic"), 200);
    check(model, topic, chat("off-topic"), 403);
    let granite = r#"{blockConditions: [{condition: 'Contains("<score>yes</score>") || Contains("Yes")'}], traceConditions: [{condition: 'Contains("No")', reason: fine}]}"#;
    check(model, granite, chat("No"), 200);
    check(model, granite, chat("Yes"), 403);
    let responses = r#"{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"off-topic"}]}]}"#;
    check("{responsesAPI: {model: x}}", topic, body(responses), 403);
}

const PRESIDIO: &str = "        content-guard:
          engine: {presidio: {host: 'http://127.0.0.1:@judge@', language: en}}
          clientConfig: {maxRetries: 0}
          clientRequestFormat: ccr
          request:
            rules:
              - {entities: [PERSON], mask: {char: '#', unmaskFromLeft: 1}}
              - {entities: [US_SSN], block: true}
";

/// Presidio counts code points, not bytes.
#[test]
fn presidio() {
    let check = |found: &'static str, want: (u16, &str)| {
        let gateway = start(PRESIDIO, model(), Upstream::answering(move |_| json(found)));
        let body = r#"{"messages":[{"role":"user","content":"Grüße von Zoë\u0021"}],"model":"m"}"#;
        assert_eq!(ask(&gateway, body).status, want.0, "{found}");
        let question = gateway.upstream("judge").last();
        assert_eq!(
            (question.method.as_str(), question.target.as_str()),
            ("POST", "/analyze")
        );
        let sent = String::from_utf8(question.body).unwrap();
        assert_eq!(
            sent,
            r#"{"text":["Grüße von Zoë!"],"language":"en","entities":["PERSON","US_SSN"]}"#
        );
        if want.0 == 200 {
            let seen = String::from_utf8(gateway.upstream("b1").last().body).unwrap();
            assert_eq!(
                seen,
                format!(
                    r#"{{"messages":[{{"role":"user","content":"Grüße von {}\u0021"}}],"model":"m"}}"#,
                    want.1
                )
            );
        }
    };
    check("[[]]", (200, "Zoë"));
    check(
        r#"[[{"entity_type":"PERSON","start":10,"end":13,"score":0.9}]]"#,
        (200, "Z##"),
    );
    check(
        r#"[[{"entity_type":"US_SSN","start":0,"end":3,"score":0.9}]]"#,
        (403, ""),
    );
    check(
        r#"[[{"entity_type":"PERSON","start":10,"end":99,"score":0.9}]]"#,
        (500, ""),
    );
    check("[]", (500, ""));
}

/// Guards side by side cost as long as the slowest; the first that refuses ends the others.
#[test]
fn several_at_once() {
    let guard = |condition: &str| {
        format!(
            "            - guard:
                endpoint: http://127.0.0.1:@judge@/{condition}
                clientRequestFormat: ccr
                format: {{ccr: {{model: j}}}}
                clientConfig: {{maxRetries: 0, timeoutSeconds: 90}}
                request: {{blockConditions: [{{condition: 'Contains(\"unsafe\")', reason: {condition}}}]}}
"
        )
    };
    let config = format!(
        "        parallel-llm-guard:\n          guards:\n{}{}",
        guard("slow"),
        guard("quick")
    );
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let judge = Upstream::answering(move |question| {
        counted.fetch_add(1, Ordering::SeqCst);
        let is_slow = question.target == "/slow";
        let says = if is_slow { "safe" } else { "unsafe" };
        let body = serde_json::json!({"choices": [{"message": {"content": says}}]}).to_string();
        if is_slow {
            return json(body).after(Duration::from_secs(60));
        }
        // It says nothing before the other was asked, too.
        eventually("both are asked", || counted.load(Ordering::SeqCst) == 2);
        json(body)
    });
    let gateway = start(&config, model(), judge);
    let begun = Instant::now();
    assert_eq!(ask(&gateway, ASKED).status, 403);
    assert!(
        begun.elapsed() < Duration::from_secs(45),
        "the slow guard was not waited for"
    );
    assert_eq!(gateway.upstream("b1").requests(), 0);
}

/// A judge that is away: closed by default, open where that is written.
#[test]
fn a_guard_that_is_away() {
    let check = |more: &str, want: u16| {
        let guard = format!(
            "{}          {more}\n",
            LLAMA.replace("timeoutSeconds: 2", "timeoutSeconds: 1")
        );
        let gateway = start(&guard, model(), Upstream::answering(|_| Answer::new(503, "")));
        assert_eq!(ask(&gateway, ASKED).status, want);
        eventually("the error is counted", || {
            let metrics = gateway.metrics();
            let mut lines = metrics
                .lines()
                .filter(|l| l.starts_with("trilithon_guard_verdicts_total{"));
            lines.any(|l| {
                l.contains("guard=\"guard@file\"") && l.contains("verdict=\"error\"") && l.ends_with(" 1")
            })
        });
    };
    check("onError: block", 500);
    check("onError: allow", 200);
    check("mode: shadow", 200);
}

fn event(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"model\":\"m\",\"created\":1,\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
    )
}

/// A stream is judged in windows before the client sees it, and ends in its own format.
#[test]
fn a_judged_stream() {
    let guard = "        llm-guard:
          endpoint: http://127.0.0.1:@judge@/v1/chat/completions
          clientRequestFormat: ccr
          format: {ccr: {model: j}}
          clientConfig: {maxRetries: 0}
          response: {blockConditions: [{condition: 'Contains(\"unsafe\")'}]}
";
    let judge = Upstream::answering(|question| {
        let says = if String::from_utf8_lossy(&question.body).contains("poison") {
            "unsafe"
        } else {
            "safe"
        };
        json(serde_json::json!({"choices": [{"message": {"content": says}}]}).to_string())
    });
    let good = "bread and butter ".repeat(100);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let stream = format!("{head}{}", event(&good));
    let bad = format!("{}{}data: [DONE]\n\n", event("poison"), event("more"));
    let model = Upstream::script(vec![
        Act::Request,
        Act::Send(stream.into_bytes()),
        Act::Pause(Duration::from_millis(50)),
        Act::Send(bad.into_bytes()),
        Act::Close,
    ]);
    let gateway = start(guard, model, judge);
    let answer = ask(&gateway, &ASKED.replace("\"model\"", "\"stream\":true,\"model\""));
    let text = answer.text();
    assert_eq!(answer.status, 200);
    assert!(text.starts_with(&event(&good)), "{text}");
    assert!(
        text.contains("content_filter") && text.ends_with("data: [DONE]\n\n") && !text.contains("poison"),
        "{text}"
    );
    eventually("the record tells it", || {
        let metrics = gateway.metrics();
        metrics
            .lines()
            .any(|l| l.contains("phase=\"response\"") && l.contains("verdict=\"block\""))
    });
}

/// Former names work, and say so.
#[test]
fn former_names() {
    let guard = "        chat-completion-content-guard:
          engine: {regex: {}}
          request: {rules: [{entities: ['SECRET-[0-9]+'], mask: {}}]}
";
    let gateway = start(guard, model(), Upstream::echo());
    assert_eq!(ask(&gateway, &ASKED.replace("bread", "SECRET-7")).status, 200);
    let seen = String::from_utf8(gateway.upstream("b1").last().body).unwrap();
    assert_eq!(seen, ASKED.replace("bread", "********"));
    assert!(gateway.log().contains("is deprecated"));
}
