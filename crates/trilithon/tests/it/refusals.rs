//! What authentications and limits say in front of calls of models: with their own status and headers, in the words of the clients.

use crate::world::{INSTALL, gateway};
use trilithon_testkit::{Gateway, Upstream};

const ROUTING: &str = "\
http:
  routers:
    chat: {rule: 'Path(`/chat`)', service: s, middlewares: [key, chat]}
    messages: {rule: 'Path(`/messages`)', service: s, middlewares: [token, messages]}
    responses: {rule: 'Path(`/responses`)', service: s, middlewares: [once, responses]}
    models: {rule: 'Path(`/models`)', service: vendors, middlewares: [key]}
    plain: {rule: 'Path(`/plain`)', service: s, middlewares: [key]}
  middlewares:
    key: {apiKey: {keySource: {header: X-API-Key}, secretNonBase64Encoded: true, secretValues: ['a:{SHA}4wv9DDjcpK51CRVJqKdM+c442xY=']}}
    token: {jwt: {signingSecret: 'a secret that is long enough for it'}}
    once: {rateLimit: {average: 1, period: 1h}}
    chat: {chat-completion: {}}
    messages: {messages-api: {}}
    responses: {responses-api: {}}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@s@'}]}}
    vendor: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@s@'}]}, middlewares: [messages]}
    vendors: {models: {targets: [{service: vendor}]}}
";

fn start() -> Gateway {
    gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .upstream("s", Upstream::echo())
        .start()
}

const ASK: &str = r#"{"model":"m","max_tokens":9,"input":"hi","messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn they_are_said_in_the_clients_words() {
    let gateway = start();
    let check = |path: &str, status: u16, pointer: &str, kind: &str| {
        let answer = gateway.post("a.test", path, ASK);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("Content-Type"), "application/json", "{path}");
        let said = answer.json();
        assert_eq!(
            said.pointer(pointer).and_then(|v| v.as_str()),
            Some(kind),
            "{path}: {said}"
        );
    };
    check("/chat", 401, "/error/type", "invalid_request_error");
    check("/models", 401, "/error/type", "authentication_error");
    check("/messages", 401, "/error/type", "authentication_error");
    assert_eq!(gateway.post("a.test", "/responses", ASK).status, 200);
    check("/responses", 429, "/error/type", "rate_limit_exceeded");
    let again = gateway.post("a.test", "/responses", ASK);
    assert_ne!(again.header("Retry-After"), "", "{}", again.text());
}

/// Elsewhere nothing changes.
#[test]
fn other_routes_say_what_they_said() {
    let answer = start().post("a.test", "/plain", ASK);
    assert_eq!(answer.status, 401);
    assert!(
        answer.header("Content-Type").starts_with("text/plain"),
        "{}",
        answer.text()
    );
}
