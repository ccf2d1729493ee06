//! The census of model calls: every way that a call can take through the gateway, by the closed lists of the code, and that
//! each is authenticated, metered and recorded. A new dialect does not compile here before it has a row.

mod guarded;
mod tools;
mod ways;

use crate::audit::entries;
use crate::world::gateway;
use serde_json::Value;
use trilithon_ai::dialect::Dialect;
use trilithon_testkit::{Answer, Gateway, PATIENCE, Seen, Upstream, until};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
providers: {file: {filename: '@DIR@/routing.yml'}}
accessLog: {filePath: '@DIR@/access.log', format: json}
audit: {checkpointInterval: 20ms}
store: {directory: '@DIR@/store'}
";

/// Everybody has to show a key.
const KEY: &str = "    key: {apiKey: {keySource: {header: X-Key}, secretNonBase64Encoded: true, secretValues: ['ann:{SHA}pi8iJb9wv6zLx/HvKjl4NnFzd94=']}}\n";

/// A router for each dialect. Nothing in it asks for the audit log.
fn routing() -> String {
    let mut routers = String::new();
    let mut kinds = String::new();
    for dialect in Dialect::ALL {
        let (kind, path) = (kind(dialect), path(dialect));
        routers +=
            &format!("    {kind}: {{rule: 'Path(`{path}`)', service: s, middlewares: [key, {kind}]}}\n");
        kinds += &format!("    {kind}: {{plugin: {{{kind}: {{token: sk-upstream}}}}}}\n");
    }
    format!(
        "http:\n  routers:\n{routers}  middlewares:\n{kinds}{KEY}  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}\n"
    )
}

fn kind(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "chat-completion",
        Dialect::Responses => "responses-api",
        Dialect::Messages => "messages-api",
    }
}

fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "/v1/chat/completions",
        Dialect::Responses => "/v1/responses",
        Dialect::Messages => "/v1/messages",
    }
}

/// A request whose every word has to come through as it is.
fn request(dialect: Dialect, stream: bool) -> String {
    let text = match dialect {
        Dialect::Chat | Dialect::Messages => {
            r#""messages":[{"role":"user","content":"caf\u00e9 \ud83d\ude00"}]"#
        }
        Dialect::Responses => r#""input":"caf\u00e9 \ud83d\ude00""#,
    };
    let usage = match dialect {
        Dialect::Chat if stream => r#","stream_options":{"include_usage":true}"#,
        _ => "",
    };
    format!(
        r#"{{ {text}, "model":"m", "max_tokens" : 5,"stream":{stream}{usage},"z":{{"new":1e400,"a":12345678901234567890.10}} }}"#
    )
}

/// What the model says, with 3 tokens in and 4 out.
fn said(dialect: Dialect, stream: bool) -> &'static str {
    match (dialect, stream) {
        (Dialect::Chat, false) => {
            r#"{"id":"r1","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#
        }
        (Dialect::Chat, true) => concat!(
            "data: {\"id\":\"r1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n"
        ),
        (Dialect::Responses, false) => {
            r#"{"id":"r1","model":"m-1","status":"stop","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}],"usage":{"input_tokens":3,"output_tokens":4}}"#
        }
        (Dialect::Responses, true) => concat!(
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"model\":\"m-1\",\"output\":[]}}\n\n",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"a\"}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"model\":\"m-1\",\"status\":\"stop\",\"output\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n"
        ),
        (Dialect::Messages, false) => {
            r#"{"id":"r1","model":"m-1","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"stop","usage":{"input_tokens":3,"output_tokens":4}}"#
        }
        (Dialect::Messages, true) => concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"r1\",\"model\":\"m-1\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop\"},\"usage\":{\"output_tokens\":4}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        ),
    }
}

/// A model server for all dialects.
fn model_server() -> Upstream {
    Upstream::answering(|seen: &Seen| {
        let dialect = Dialect::ALL.into_iter().find(|d| path(*d) == seen.target);
        let stream = String::from_utf8_lossy(&seen.body).contains("\"stream\":true");
        let kind = if stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        match dialect {
            Some(dialect) => Answer::new(200, said(dialect, stream)).header("Content-Type", kind),
            None => Answer::new(404, ""),
        }
    })
}

/// Whether something tells of the answered call of this cell.
fn is_of(call: &Value, dialect: Dialect, stream: bool) -> bool {
    call["format"] == dialect.format().as_str() && call["stream"] == stream && !call["usage"].is_null()
}

/// The line of the access log about this cell's call. Workers write when they come to it, in no order.
fn line(gateway: &Gateway, dialect: Dialect, stream: bool) -> Value {
    let read = || {
        let text = std::fs::read_to_string(gateway.folder().path().join("access.log")).ok()?;
        let mut lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        lines.find(|l| is_of(&l["ModelCall"], dialect, stream))
    };
    until(PATIENCE, read).unwrap_or_else(|| panic!("no line about {dialect:?} stream={stream}"))
}

/// The access log's line about this cell's call, which it and the audit log's entry, among so many, tell as it was.
fn told(
    gateway: &Gateway,
    (dialect, stream): (Dialect, bool),
    cell: &str,
    entries_so_far: usize,
    facts: [(&str, &str); 4],
) -> Value {
    let line = line(gateway, dialect, stream);
    let call = &line["ModelCall"];
    for (name, want) in facts {
        assert_eq!(call[name], want, "{cell}: {name}: {line}");
    }
    for (name, want) in [
        ("input", 3.into()),
        ("output", 4.into()),
        ("basis", Value::from("reported")),
    ] {
        assert_eq!(call["usage"][name], want, "{cell}: {name}: {line}");
    }
    let entry = until(PATIENCE, || {
        let all = entries(gateway.folder(), "request", entries_so_far).into_iter();
        all.map(|(_, entry)| entry)
            .find(|entry| is_of(&entry["model"], dialect, stream))
    });
    let entry = entry.unwrap_or_else(|| panic!("{cell}: no entry"));
    assert_eq!(entry["model"]["usage"], call["usage"], "{cell}: {entry}");
    assert_eq!(entry["actor"]["subject"], "ann", "{cell}: {entry}");
    line
}

fn ask(gateway: &Gateway, dialect: Dialect, body: &str, key: &str) -> trilithon_testkit::Response {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: a.test\r\nX-Key: {key}\r\nAccept-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        path(dialect),
        body.len()
    );
    gateway.client("web").ask(&head)
}

#[test]
fn every_way_is_authenticated_metered_and_recorded() {
    let gateway = gateway()
        .install(INSTALL)
        .routing(&routing())
        .upstream("b1", model_server())
        .start();
    let upstream = gateway.upstream("b1");
    let mut lines = 0;
    println!(
        "{:<14}{:<8}{:>14}{:>9}{:>10}",
        "dialect", "stream", "authenticated", "metered", "recorded"
    );
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let cell = format!("{} stream={stream}", dialect.format().as_str());
            let body = request(dialect, stream);
            let before = upstream.requests();

            // Authenticated: nobody without a key reaches the model; the caller's key does not either.
            assert_eq!(ask(&gateway, dialect, &body, "other").status, 401, "{cell}");
            assert_eq!(upstream.requests(), before, "{cell}: asked without a key");
            let answer = ask(&gateway, dialect, &body, "key");
            lines += 2;
            let seen = upstream.last();
            let sent = if dialect == Dialect::Messages {
                "X-Api-Key"
            } else {
                "Authorization"
            };
            assert!(seen.headers.get(sent).ends_with("sk-upstream"), "{cell}");

            // Not a byte of either side changes.
            assert_eq!(String::from_utf8_lossy(&seen.body), body, "{cell}");
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (200, said(dialect, stream)),
                "{cell}"
            );

            // Metered and recorded.
            let format = dialect.format().as_str();
            let facts = [
                ("format", format),
                ("modelAsked", "m"),
                ("modelServed", "m-1"),
                ("responseId", "r1"),
            ];
            let line = told(&gateway, (dialect, stream), &cell, lines, facts);
            let call = &line["ModelCall"];
            assert_eq!(call["stream"], stream, "{cell}: {line}");
            assert_eq!(call["finishReasons"][0], "stop", "{cell}: {line}");
            println!(
                "{:<14}{stream:<8}{:>14}{:>9}{:>10}",
                dialect.format().as_str(),
                "yes",
                "yes",
                "yes"
            );

            // Refused in the dialect, and recorded.
            let refused = ask(&gateway, dialect, r#"{"model":"m"}"#, "key");
            lines += 1;
            assert_eq!(refused.status, 400, "{cell}");
            assert!(
                refused.json()["error"]["type"] == "invalid_request_error",
                "{cell}: {}",
                refused.text()
            );
        }
    }
    let metrics = gateway.metrics();
    let counted = |name: &str| metrics.lines().filter(|l| l.starts_with(name)).count();
    assert!(counted("gen_ai_client_token_usage_count") >= 2, "{metrics}");
    assert!(
        counted("gen_ai_client_operation_duration_seconds_count") >= 2,
        "{metrics}"
    );
}

/// The dialects that are translated, each with the one that its upstream speaks.
const TRANSLATED: [(Dialect, Dialect); 2] = [
    (Dialect::Chat, Dialect::Messages),
    (Dialect::Messages, Dialect::Chat),
];

/// A router for clients of each, with a guard in front of the translation and one behind it.
fn translated_routing() -> String {
    let (mut routers, mut kinds) = (String::new(), String::new());
    for (client, upstream) in TRANSLATED {
        let (kind, path, format) = (kind(client), path(client), client.format().as_str());
        let spoken = upstream.format().as_str();
        let guard = format!(
            "{{content-guard: {{engine: {{regex: {{}}}}, clientRequestFormat: {format}, request: {{rules: [{{entities: ['SECRET'], block: true}}]}}, response: {{rules: [{{entities: ['SECRET'], block: true}}]}}}}}}"
        );
        routers += &format!(
            "    {kind}: {{rule: 'Path(`{path}`)', service: s, middlewares: [key, front-{kind}, {kind}, behind-{kind}]}}\n"
        );
        kinds += &format!(
            "    {kind}: {{{kind}: {{token: sk-upstream, upstreamFormat: {spoken}}}}}\n    front-{kind}: {guard}\n    behind-{kind}: {guard}\n"
        );
    }
    format!(
        "http:\n  routers:\n{routers}  middlewares:\n{kinds}{KEY}  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}\n"
    )
}

/// Each translated way, whole and streamed: authenticated, guarded on both sides, metered, recorded, audited.
#[test]
fn every_translated_way_is_governed_too() {
    let gateway = gateway()
        .install(INSTALL)
        .routing(&translated_routing())
        .upstream("b1", model_server())
        .start();
    let upstream = gateway.upstream("b1");
    let mut lines = 0;
    for (client, other) in TRANSLATED {
        for stream in [false, true] {
            let cell = format!("{} translated, stream={stream}", client.format().as_str());
            let body = format!(
                r#"{{"messages":[{{"role":"user","content":"hi"}}],"model":"m","max_tokens":5,"stream":{stream},"z":1}}"#
            );
            let before = upstream.requests();
            assert_eq!(ask(&gateway, client, &body, "other").status, 401, "{cell}");
            assert_eq!(upstream.requests(), before, "{cell}: asked without a key");
            let answer = ask(&gateway, client, &body, "key");
            lines += 2;
            assert_eq!(
                (answer.status, answer.header("X-Trilithon-Dropped")),
                (200, "z"),
                "{cell}"
            );
            assert_eq!(upstream.last().target, path(other), "{cell}");

            let spoken = other.format().as_str();
            let facts = [
                ("upstreamFormat", spoken),
                ("modelAsked", "m"),
                ("modelServed", "m-1"),
                ("responseId", "r1"),
            ];
            let line = told(&gateway, (client, stream), &cell, lines, facts);
            let call = &line["ModelCall"];
            for guard in ["front", "behind"] {
                for phase in ["request", "response"] {
                    let name = format!("{guard}-{}@file", kind(client));
                    let coverage = call["coverage"].as_array().into_iter().flatten();
                    let judged: u64 = coverage
                        .filter(|c| c["guard"] == *name && c["phase"] == phase)
                        .filter_map(|c| c["judged"].as_u64())
                        .sum();
                    assert!(judged > 0, "{cell}: {name} judged nothing in the {phase}: {line}");
                }
            }
            println!("{cell}: authenticated, guarded on both sides, metered, recorded, audited");
        }
    }
}

/// What only a service knows for calls of models is audited as well, unless the router says no.
#[test]
fn calls_are_audited_whoever_knows_them_for_calls() {
    let routing = "\
http:
  routers:
    leg: {rule: 'PathPrefix(`/leg`)', service: weighted}
    models: {rule: 'PathPrefix(`/models`)', service: models}
    plain: {rule: 'PathPrefix(`/plain`)', service: s}
    silent: {rule: 'PathPrefix(`/silent`)', service: weighted, observability: {audit: false}}
  middlewares: {in-chain: {chain: {middlewares: [chat]}}, chat: {chat-completion: {}}}
  services:
    weighted: {weighted: {services: [{name: dressed}]}}
    dressed: {middlewares: [in-chain], loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    models: {models: {targets: [{service: s}]}}
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
";
    let gateway = gateway()
        .install(INSTALL)
        .routing(routing)
        .upstream("b1", Upstream::echo())
        .start();
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
    for path in ["/plain", "/silent", "/leg", "/models"] {
        assert_eq!(gateway.post("a.test", path, body).status, 200, "{path}");
    }
    let entries = entries(gateway.folder(), "request", 2);
    let paths = entries
        .iter()
        .map(|(_, entry)| entry["request"]["path"].as_str().unwrap_or_default());
    let mut paths: Vec<&str> = paths.collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/leg", "/models"]);
}
