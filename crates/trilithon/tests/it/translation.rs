//! Clients of one format before model servers of another: records, limits, failover between formats, streams that break.

use crate::world::gateway;
use serde_json::Value;
use trilithon_testkit::{Act, Answer, Gateway, PATIENCE, Response, Seen, Upstream, until};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
providers: {providersThrottleDuration: 50ms, file: {filename: '@DIR@/routing.yml', watch: true}}
accessLog: {filePath: '@DIR@/access.log', format: json}
";

const CHAT: &str =
    r#"{"model":"gpt-4o","seed":7,"max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGES: &str =
    r#"{"model":"claude","max_tokens":20,"top_k":5,"messages":[{"role":"user","content":"hi"}]}"#;

/// A router for clients of either format; what stands before and behind the translation.
fn routing(before: &str, behind: &str) -> String {
    let list = |kind: &str| {
        let all = [before, kind, behind];
        all.into_iter()
            .filter(|m| !m.is_empty())
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!(
        "\
http:
  routers:
    chat: {{rule: 'Path(`/v1/chat/completions`)', service: messages, middlewares: [{}]}}
    messages: {{rule: 'Path(`/v1/messages`)', service: chat, middlewares: [{}]}}
  middlewares:
    to-messages: {{chat-completion: {{token: sk-anthropic, upstreamFormat: messagesAPI}}}}
    to-chat: {{messages-api: {{token: sk-openai, upstreamFormat: ccr}}}}
    quota-ccr: {{ai-quota: {{totalTokenLimit: {{limit: 50, period: 87648h}}, clientRequestFormat: ccr}}}}
    quota-messages: {{ai-quota: {{totalTokenLimit: {{limit: 50, period: 87648h}}, clientRequestFormat: messagesAPI}}}}
  services:
    messages: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@messages@'}}]}}}}
    chat: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@chat@'}}]}}}}
",
        list("to-messages"),
        list("to-chat")
    )
}

fn json(body: &'static str) -> Answer {
    Answer::new(200, body).header("Content-Type", "application/json")
}

/// A server of Messages: 9 tokens in, 30 out.
fn messages() -> Upstream {
    Upstream::answering(|seen: &Seen| match seen.target.as_str() {
        "/v1/messages" => json(
            r#"{"id":"m1","type":"message","role":"assistant","model":"claude-1","content":[{"type":"text","text":"from messages"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":30}}"#,
        ),
        _ => Answer::new(404, ""),
    })
}

/// The same of Chat Completions.
fn chat() -> Upstream {
    Upstream::answering(|seen: &Seen| match seen.target.as_str() {
        "/v1/chat/completions" => json(
            r#"{"id":"c1","object":"chat.completion","model":"gpt-1","choices":[{"index":0,"message":{"role":"assistant","content":"from chat"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":30}}"#,
        ),
        _ => Answer::new(404, ""),
    })
}

fn start(routing: &str, chat: Upstream, messages: Upstream) -> Gateway {
    gateway()
        .install(INSTALL)
        .routing(routing)
        .upstream("chat", chat)
        .upstream("messages", messages)
        .start()
}

fn ask(gateway: &Gateway, body: &str) -> Response {
    let path = if body == CHAT {
        "/v1/chat/completions"
    } else {
        "/v1/messages"
    };
    gateway.post("a.test", path, body)
}

/// The text of an answer in the words of whoever asked.
fn text(answer: &Response) -> Value {
    let told = answer.json();
    let places = ["/choices/0/message/content", "/content/0/text"];
    places
        .iter()
        .find_map(|place| told.pointer(place).cloned())
        .unwrap_or_default()
}

/// The calls that the access log tells of, once there are `n`.
fn calls(gateway: &Gateway, n: usize) -> Vec<Value> {
    let read = || {
        let text = std::fs::read_to_string(gateway.folder().path().join("access.log")).ok()?;
        let lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        let calls: Vec<Value> = lines.map(|l| l["ModelCall"].clone()).collect();
        (calls.len() >= n).then_some(calls)
    };
    until(PATIENCE, read).expect("the log has a line for each")
}

#[test]
fn the_record_tells_both_formats() {
    let gateway = start(&routing("", ""), chat(), messages());
    for (body, format, upstream, served, dropped) in [
        (CHAT, "ccr", "messagesAPI", "claude-1", "seed"),
        (MESSAGES, "messagesAPI", "ccr", "gpt-1", "top_k"),
    ] {
        let answer = ask(&gateway, body);
        assert_eq!(
            (answer.status, answer.header("X-Trilithon-Dropped")),
            (200, dropped)
        );
        let read = || {
            let all = calls(&gateway, 1);
            all.into_iter().find(|call| call["format"] == format)
        };
        let call = until(PATIENCE, read).expect("the call is told");
        assert_eq!(call["upstreamFormat"], upstream, "{call}");
        assert_eq!(call["dropped"], serde_json::json!([dropped]), "{call}");
        assert_eq!(call["modelServed"], served, "{call}");
        let provider = if format == "ccr" { "anthropic" } else { "openai" };
        assert_eq!(call["provider"], provider, "{call}");
        let usage = (
            &call["usage"]["input"],
            &call["usage"]["output"],
            &call["usage"]["basis"],
        );
        assert_eq!(usage, (&9.into(), &30.into(), &"reported".into()), "{call}");
    }
    let key = |upstream: &str, name: &str| gateway.upstream(upstream).last().headers.get(name).to_owned();
    assert_eq!(key("messages", "X-Api-Key"), "sk-anthropic");
    assert_eq!(key("chat", "Authorization"), "Bearer sk-openai");
}

/// A budget of 50 tokens has room for one call of 39, wherever it stands, and the refusal is in the client's words.
#[test]
fn limits_count_on_either_side() {
    for (body, quota) in [(CHAT, "quota-ccr"), (MESSAGES, "quota-messages")] {
        for (before, behind) in [(quota, ""), ("", quota)] {
            let gateway = start(&routing(before, behind), chat(), messages());
            assert_eq!(ask(&gateway, body).status, 200, "{before} {behind}");
            let refused = ask(&gateway, body);
            assert_eq!(refused.status, 429, "{before} {behind}");
            let error = &refused.json()["error"];
            let kind = if body == CHAT {
                "rate_limit_exceeded"
            } else {
                "rate_limit_error"
            };
            assert_eq!(error["type"], kind, "{error}");
            assert!(
                error["message"]
                    .as_str()
                    .is_some_and(|m| m.starts_with("too many tokens")),
                "{error}"
            );
        }
    }
}

/// One target speaks the client's format, the other does not; whichever fails, the other answers.
#[test]
fn failover_crosses_formats() {
    let routing = |first: &str, second: &str| {
        format!(
            "\
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: both}}}}
  services:
    both: {{models: {{targets: [{{service: {first}, priority: 1}}, {{service: {second}}}]}}}}
    chat: {{middlewares: [as-chat], loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@chat@'}}]}}}}
    messages: {{middlewares: [as-messages], loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@messages@'}}]}}}}
  middlewares:
    as-chat: {{@KIND@: {{token: key-chat, model: gpt-1, upstreamFormat: ccr}}}}
    as-messages: {{@KIND@: {{token: key-messages, model: claude-1, upstreamFormat: messagesAPI}}}}
"
        )
    };
    let failing = || Upstream::answering(|_| Answer::new(503, "{}"));
    let garbled = || Upstream::answering(|_| json(r#"{"id":"half an ans"#));
    for (body, kind) in [(CHAT, "chat-completion"), (MESSAGES, "messages-api")] {
        let native = if body == CHAT { "chat" } else { "messages" };
        for (first, second) in [("chat", "messages"), ("messages", "chat")] {
            let mut faults = vec![failing()];
            // Only what is translated is read.
            faults.extend((first != native).then(garbled));
            for fault in faults {
                let (chat, messages) = if first == "chat" {
                    (fault, messages())
                } else {
                    (chat(), fault)
                };
                let routing = routing(first, second).replace("@KIND@", kind);
                let gateway = start(&routing, chat, messages);
                let answer = ask(&gateway, body);
                assert_eq!(
                    (answer.status, text(&answer)),
                    (200, format!("from {second}").into()),
                    "{kind}"
                );
                let call = &calls(&gateway, 1)[0];
                assert_eq!(call["legs"].as_array().map(Vec::len), Some(2), "{call}");
                let format = if body == CHAT { "ccr" } else { "messagesAPI" };
                assert_eq!(
                    (&call["format"], call["upstreamFormat"].is_null()),
                    (&format.into(), second == native)
                );
                let asked = gateway.upstream(second).last();
                let key = format!("key-{second}");
                assert!(String::from_utf8_lossy(&asked.head).contains(&key), "its own key");
            }
        }
    }
}

#[test]
fn a_broken_stream_ends_in_the_clients_words() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let event = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"abcd\"}}]}\n\n";
    let begun = format!("{head}{:x}\r\n{event}\r\n", event.len());
    let broken = Upstream::script([Act::Request, Act::Send(begun.into_bytes()), Act::Reset]);
    let gateway = start(&routing("", ""), broken, messages());
    let body = MESSAGES.replacen('{', r#"{"stream":true,"#, 1);
    let answer = gateway.post("a.test", "/v1/messages", &body);
    let told = answer.text();
    assert!(told.contains(r#""text_delta","text":"abcd""#), "{told}");
    assert!(
        told.contains("event: error") && !told.contains("message_stop"),
        "{told}"
    );
    // One attempt is told without legs; what it took is an estimate, for nobody said.
    let call = &calls(&gateway, 1)[0];
    assert_eq!(
        (&call["format"], &call["stream"]),
        (&"messagesAPI".into(), &true.into()),
        "{call}"
    );
}
