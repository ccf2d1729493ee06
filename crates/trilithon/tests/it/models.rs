//! Routing by the model that a body names.

use crate::world::{INSTALL, gateway};
use trilithon_testkit::{Gateway, Upstream};

const ROUTING: &str = "\
http:
  routers:
    gpt: {rule: 'PathPrefix(`/v1`) && ModelRegexp(`^gpt-`)', service: b1}
    one: {rule: 'PathPrefix(`/v1`) && Model(`own`)', service: b2, priority: 1000}
    rest: {rule: 'PathPrefix(`/`)', service: b3}
    parent: {rule: 'Host(`layers.test`)', priority: 2000}
    child: {rule: 'Model(`own`)', parentRefs: [parent], service: b2}
    other: {rule: '!Model(`own`)', parentRefs: [parent], service: b3}
  services:
    b1: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    b2: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b2@'}]}}
    b3: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b3@'}]}}
";

fn start() -> Gateway {
    let named = |name: &str| Upstream::echo().named(name);
    gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .upstream("b1", named("b1"))
        .upstream("b2", named("b2"))
        .upstream("b3", named("b3"))
        .start()
}

#[test]
fn a_model_finds_its_router() {
    let gateway = start();
    let check = |host: &str, path: &str, body: &str, want: &str| {
        let answer = gateway.post(host, path, body);
        assert_eq!(
            (answer.status, answer.backend().as_str()),
            (200, want),
            "{host}{path} {body:.40}"
        );
        assert_eq!(answer.json()["body"], body, "the body stays whole");
    };
    check("a.test", "/v1/x", r#"{"model":"gpt-5","a":1}"#, "b1");
    check(
        "a.test",
        "/v1/x",
        r#"{"a":{"model":"gpt-5"}, "model":"own"}"#,
        "b2",
    );
    check("a.test", "/v1/x", r#"{"model":"other"}"#, "b3");
    check("a.test", "/v1/x", r#"{"model":"own","model":"gpt-5"}"#, "b3");
    check("a.test", "/v1/x", "model=own", "b3");
    check("a.test", "/v2/x", r#"{"model":"own"}"#, "b3");
    check("layers.test", "/", r#"{"model":"own"}"#, "b2");
    check("layers.test", "/", r#"{"model":"gpt-5"}"#, "b3");
    let large = format!(r#"{{"model":"own","x":"{}"}}"#, "x".repeat(1 << 20));
    check("a.test", "/v1/x", &large, "b3");
    assert_eq!(gateway.get("a.test", "/v1/x").backend(), "b3", "there is no body");
}

#[test]
fn a_body_in_pieces_is_read_to_its_end() {
    let gateway = start();
    let mut client = gateway.client("web");
    client.send("POST /v1/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 15\r\n\r\n{\"model\"");
    client.send(":\"own\"}");
    assert_eq!(client.response().backend(), "b2");
}

#[test]
fn the_install_option_bounds_what_is_read_whole() {
    let upstream = Upstream::echo();
    let routing = "\
http:
  routers:
    own: {rule: 'Model(`own`)', service: b1, priority: 1000}
    chat: {rule: 'Path(`/chat`)', service: b1, middlewares: [chat]}
    wide: {rule: 'Path(`/wide`)', service: b1, middlewares: [wide]}
    guard: {rule: 'Path(`/guard`)', service: b1, middlewares: [guard]}
    tokens: {rule: 'Path(`/tokens`)', service: b1, middlewares: [tokens]}
  middlewares:
    chat: {chat-completion: {}}
    wide: {chat-completion: {maxRequestBodySize: 1000}}
    guard: {content-guard: {engine: {builtin: {}}, clientRequestFormat: ccr, request: {rules: [{entities: [JWT], block: true}]}}}
    tokens: {ai-quota: {clientRequestFormat: ccr, totalTokenLimit: {limit: 100000, period: 1m}}}
  services: {b1: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";
    let gateway = gateway()
        .install(&format!(
            "{INSTALL}hub: {{aigateway: {{maxRequestBodySize: 100}}}}\n"
        ))
        .routing(routing)
        .upstream("b1", &upstream)
        .start();
    let call = |model: &str, length: usize| {
        let head = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":""#);
        let text = "x".repeat(length - head.len() - 4);
        format!(r#"{head}{text}"}}]}}"#)
    };
    let check = |path: &str, body: &str, status: u16| {
        assert_eq!(body.len(), if body.len() > 100 { 101 } else { 100 });
        let answer = gateway.post("a.test", path, body);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    };
    for path in ["/chat", "/guard", "/tokens"] {
        check(path, &call("m", 100), 200);
        check(path, &call("m", 101), 413);
    }
    check("/wide", &call("m", 101), 200);
    check("/other", &call("own", 100), 200);
    check("/other", &call("own", 101), 404);
}
