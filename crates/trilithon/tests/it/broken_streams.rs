//! Streams of models that fall silent or break off: the client is told in its dialect, wherever guards stand.

use serde_json::Value;
use std::time::Duration;
use trilithon_testkit::{Act, Answer, Gateway, GatewayBuilder, RawClient, Response, Upstream, eventually};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
accessLog: {filePath: '@DIR@/access.log', format: json}
providers: {file: {filename: '@DIR@/routing.yml'}}
";

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Dialect {
    name: &'static str,
    middleware: &'static str,
    format: &'static str,
    /// How a stream begins.
    begun: &'static str,
    /// What a client finds at its end.
    error: &'static str,
}

const DIALECTS: [Dialect; 3] = [
    Dialect {
        name: "chat",
        middleware: "chat-completion",
        format: "ccr",
        begun: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bread\"}}]}\n\n",
        error: "data: {\"error\":{\"message\":\"the model broke off in the middle of its answer\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
    },
    Dialect {
        name: "messages",
        middleware: "messages-api",
        format: "messagesAPI",
        begun: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"bread\"}}\n\n",
        error: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the model broke off in the middle of its answer\"}}\n\n",
    },
    Dialect {
        name: "responses",
        middleware: "responses-api",
        format: "responsesAPI",
        begun: "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"model\":\"m\"}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"bread\",\"sequence_number\":1}\n\n",
        error: "event: response.failed\n",
    },
];

const BODY: &str =
    r#"{"model":"m","stream":true,"max_tokens":9,"input":"hi","messages":[{"role":"user","content":"hi"}]}"#;

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A stream that begins, pauses, and ends in this way.
fn breaking(begun: &str, rest: &str, last: Act) -> Upstream {
    let first = format!("{HEAD}{}", chunk(begun));
    let mut acts = vec![Act::Request, Act::Send(first.into())];
    acts.push(Act::Pause(Duration::from_millis(30)));
    if !rest.is_empty() {
        acts.push(Act::Send(rest.into()));
    }
    acts.push(last);
    Upstream::script(acts)
}

fn post(gateway: &Gateway, path: &str, body: &str) -> RawClient {
    let mut client = gateway.client("web");
    let (length, more) = (
        body.len(),
        "Anthropic-Version: 2023-06-01\r\nContent-Type: application/json",
    );
    client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: a.test\r\n{more}\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    client
}

fn gateway() -> GatewayBuilder {
    Gateway::new(env!("CARGO_BIN_EXE_trilithon")).install(INSTALL)
}

/// One line of the access log for a request of this path.
fn logged(gateway: &Gateway, path: &str) -> Option<Value> {
    let log = gateway.folder().read("access.log");
    let mut lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["RequestPath"] == path)
}

#[test]
fn a_stream_that_breaks_off_ends_with_an_error_of_its_dialect() {
    let manners = ["reset", "end", "half"];
    let guards = ["none", "inner", "outer"];
    let mut routing = String::from("http:\n  routers:\n");
    for dialect in &DIALECTS {
        let (name, own) = (dialect.name, format!("own-{}", dialect.name));
        for manner in manners {
            for guard in guards {
                let chain = match guard {
                    "none" => own.clone(),
                    "inner" => format!("{own}, guard-{name}"),
                    _ => format!("guard-{name}, {own}"),
                };
                routing += &format!(
                    "    {name}-{manner}-{guard}: {{rule: 'Path(`/{name}/{manner}/{guard}`)', service: {name}{manner}, middlewares: [{chain}]}}\n"
                );
            }
        }
    }
    routing += "  services:\n";
    for dialect in &DIALECTS {
        for manner in manners {
            let name = format!("{}{manner}", dialect.name);
            routing += &format!(
                "    {name}: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@{name}@'}}]}}}}\n"
            );
        }
    }
    routing += "  middlewares:\n";
    for Dialect {
        name,
        middleware,
        format,
        ..
    } in &DIALECTS
    {
        routing += &format!("    own-{name}: {{{middleware}: {{}}}}\n");
        routing += &format!(
            "    guard-{name}: {{content-guard: {{engine: {{regex: {{}}}}, clientRequestFormat: {format}, response: {{rules: [{{entities: ['SECRET-[0-9]+'], mask: {{}}}}]}}}}}}\n"
        );
    }
    let mut builder = gateway().routing(&routing);
    for Dialect { name, begun, .. } in &DIALECTS {
        builder = builder
            .upstream(&format!("{name}reset"), breaking(begun, "", Act::Reset))
            .upstream(&format!("{name}end"), breaking(begun, "0\r\n\r\n", Act::Close))
            .upstream(
                &format!("{name}half"),
                breaking(begun, &chunk("data: {\"half"), Act::Close),
            );
    }
    let gateway = builder.start();
    for Dialect {
        name, begun, error, ..
    } in &DIALECTS
    {
        for manner in manners {
            for guard in guards {
                let path = format!("/{name}/{manner}/{guard}");
                let answer: Response = post(&gateway, &path, BODY).response();
                let text = answer.text();
                assert_eq!(answer.status, 200, "{path}: {text}");
                let last = text
                    .strip_prefix(begun)
                    .unwrap_or_else(|| panic!("{path}: {text}"));
                assert!(last.starts_with(error), "{path}: {last}");
                assert_eq!(
                    last.matches("\n\n").count(),
                    1,
                    "{path}: one event, whole: {last}"
                );
                eventually("the record tells it", || {
                    logged(&gateway, &path).is_some_and(|line| line["ModelCall"]["brokeOff"].is_string())
                });
            }
        }
    }
}

#[test]
fn a_model_that_falls_silent_is_given_up() {
    let mut routing = String::from("http:\n  routers:\n");
    let mut rest = String::from("  middlewares:\n");
    for Dialect {
        name,
        middleware,
        format,
        ..
    } in &DIALECTS
    {
        routing += &format!(
            "    {name}: {{rule: 'Path(`/{name}`)', service: {name}, middlewares: [tokens-{name}, own-{name}]}}\n"
        );
        rest += &format!("    own-{name}: {{{middleware}: {{streamIdleTimeout: 300ms}}}}\n");
        rest += &format!(
            "    tokens-{name}: {{ai-quota: {{clientRequestFormat: {format}, totalTokenLimit: {{limit: 1000, period: 1h}}}}}}\n"
        );
    }
    rest += "  services:\n";
    for Dialect { name, .. } in &DIALECTS {
        rest +=
            &format!("    {name}: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@{name}@'}}]}}}}\n");
    }
    let mut builder = gateway().routing(&(routing + &rest));
    for Dialect { name, begun, .. } in &DIALECTS {
        // It waits for the other side to go.
        builder = builder.upstream(name, breaking(begun, "", Act::Drain));
    }
    let gateway = builder.start();
    for Dialect {
        name, begun, error, ..
    } in &DIALECTS
    {
        let path = format!("/{name}");
        let text = post(&gateway, &path, BODY).response().text();
        let last = text
            .strip_prefix(begun)
            .unwrap_or_else(|| panic!("{path}: {text}"));
        let error = error
            .replace("broke off", "fell silent")
            .replace("api_error", "timeout_error");
        assert!(last.starts_with(&error), "{path}: {last}");
        eventually("the record tells it", || {
            logged(&gateway, &path).is_some_and(|line| line["ModelCall"]["brokeOff"].is_string())
        });
        let settled = format!("trilithon_token_limit_open_calls{{policy=\"tokens-{name}@file\"}} 0");
        eventually("what was set aside is settled", || {
            gateway.metrics().contains(&settled)
        });
    }
}

/// The pieces of a stream, each after a pause.
fn slow(pieces: &[&str]) -> Upstream {
    let mut acts = vec![Act::Request, Act::Send(HEAD.into())];
    for piece in pieces {
        acts.push(Act::Pause(Duration::from_millis(350)));
        acts.push(Act::Send(chunk(piece).into()));
    }
    acts.push(Act::Send("0\r\n\r\n".into()));
    Upstream::script(acts)
}

#[test]
fn a_silent_model_does_not_let_the_connection_look_dead() {
    let begun = DIALECTS[0].begun;
    let whole = format!("{begun}data: [DONE]\n\n");
    let half = begun.len() / 2;
    let gateway = gateway()
        .routing(
            "\
http:
  routers:
    on: {rule: 'Path(`/on`)', service: s, middlewares: ['on']}
    off: {rule: 'Path(`/off`)', service: s, middlewares: ['off']}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@s@'}]}}}
  middlewares:
    'on': {chat-completion: {keepAlive: 100ms}}
    'off': {chat-completion: {keepAlive: 0s}}
",
        )
        .upstream("s", slow(&[&begun[..half], &whole[half..]]))
        .start();
    let text = post(&gateway, "/on", BODY).response().text();
    let comments = text.matches(": keep-alive\n\n").count();
    assert!(comments >= 4, "two pauses, and none within the event: {text}");
    assert_eq!(text.replace(": keep-alive\n\n", ""), whole);
    assert!(text.ends_with(&whole), "no comment within the event: {text}");
    assert_eq!(post(&gateway, "/off", BODY).response().text(), whole);
}

#[test]
fn a_silent_guard_does_not_either() {
    let judge = Upstream::answering(|_| {
        let safe = r#"{"choices":[{"message":{"content":"safe"}}]}"#;
        Answer::new(200, safe)
            .header("Content-Type", "application/json")
            .after(Duration::from_millis(400))
    });
    let (first, second) = (
        DIALECTS[0].begun.to_owned(),
        DIALECTS[0].begun.replace("bread", "butter"),
    );
    for chain in ["guard, own", "own, guard"] {
        let routing = format!(
            "\
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [{chain}]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@s@'}}]}}}}}}
  middlewares:
    own: {{chat-completion: {{keepAlive: 100ms}}}}
    guard:
      llm-guard:
        endpoint: 'http://127.0.0.1:@judge@/v1/chat/completions'
        clientRequestFormat: ccr
        format: {{ccr: {{model: j}}}}
        response: {{blockConditions: [{{condition: 'Contains(\"unsafe\")'}}]}}
"
        );
        let model = slow(&[&first, &format!("{second}data: [DONE]\n\n")]);
        let gateway = gateway()
            .routing(&routing)
            .upstream("s", model)
            .upstream("judge", judge.clone())
            .start();
        let text = post(&gateway, "/", BODY).response().text();
        assert_eq!(
            text.replace(": keep-alive\n\n", ""),
            format!("{first}{second}data: [DONE]\n\n"),
            "{chain}"
        );
        let held = text
            .find("bread")
            .zip(text.find("butter"))
            .map(|(a, b)| &text[a..b]);
        let comments = held.map_or(0, |held| held.matches(": keep-alive\n\n").count());
        assert!(comments >= 2, "{chain}: {text}");
    }
}
