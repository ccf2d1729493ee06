//! Limits and policies in shadow: not one byte of any answer is another than with them off, and the record says what they
//! would have done.

use crate::auth::Signer;
use crate::world::{INSTALL, gateway};
use serde_json::{Value, json};
use trilithon_testkit::{Answer, Gateway, PATIENCE, Upstream, eventually};

/// A token first, then what is tried: its options, with the mode left open.
const KINDS: [(&str, &str); 6] = [
    (
        "limit",
        "limit: {headers: ietf, rules: [{name: few, algorithm: fixedWindow, limit: 2, period: 87648h}], MODE}",
    ),
    (
        "identity",
        "limit: {headers: hub, sourceCriterion: {identity: subject}, rules: [{algorithm: gcra, limit: 2, period: 87648h}], MODE}",
    ),
    (
        "bytes",
        "limit: {headers: x-ratelimit, cost: {units: 10, responseBytes: true}, rules: [{algorithm: fixedWindow, limit: 20, period: 87648h}], MODE}",
    ),
    (
        "rate",
        "rateLimit: {average: 1, period: 87648h, burst: 2, headers: ietf, MODE}",
    ),
    ("places", "inFlightReq: {amount: 0, MODE}"),
    (
        "policy",
        "policy: {rules: [{name: others, effect: allow, expression: 'identity.subject != \"ann\"'}], status: 404, MODE}",
    ),
];

/// One host for each mode, all with the same token and the same server.
fn start(keys: &str, middleware: &str) -> Gateway {
    let mut routing = "http:\n  routers:\n".to_owned();
    for mode in ["off", "shadow", "enforce"] {
        routing +=
            &format!("    {mode}: {{rule: 'Host(`{mode}.test`)', service: s, middlewares: [who, {mode}]}}\n");
    }
    routing += &format!(
        "  middlewares:\n    who: {{jwt: {{jwksFile: '{keys}', forwardHeaders: {{X-User: sub}}}}}}\n"
    );
    for mode in ["off", "shadow", "enforce"] {
        routing += &format!(
            "    {mode}: {{{}}}\n",
            middleware.replace("MODE", &format!("mode: {mode}"))
        );
    }
    routing += "  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}\n";
    // What the server saw is a part of its answer, but for the host.
    let telling = Upstream::answering(|seen| {
        let text = format!("{} {} {:?}", seen.method, seen.target, seen.headers);
        let text = ["off.test", "shadow.test", "enforce.test"]
            .iter()
            .fold(text, |t, host| t.replace(host, "H"));
        Answer::new(200, text)
            .header("X-From", "b1")
            .header("RateLimit", "\"mine\";r=1")
    });
    let install = format!("{INSTALL}accessLog: {{filePath: '@DIR@/access.log', format: json}}\n");
    gateway()
        .install(&install)
        .routing(&routing)
        .upstream("b1", telling)
        .start()
}

/// All bytes of the answers to several callers' requests over one connection, without their dates.
fn bytes(gateway: &Gateway, host: &str, tokens: &[String]) -> String {
    let mut client = gateway.client("web");
    let mut all = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        let method = ["GET", "HEAD", "POST"][n % 3];
        let body = if method == "POST" { "hello" } else { "" };
        let length = body.len();
        client.send(format!(
            "{method} /{n} HTTP/1.1\r\nHost: {host}\r\n{token}Content-Length: {length}\r\n\r\n{body}"
        ));
        let answer = client.response_to(method).expect("an answer").expect("an answer");
        all.extend([answer.head, answer.body].concat());
    }
    let (rest, _) = client.finish().read_to_end(PATIENCE);
    assert!(
        rest.is_empty(),
        "more than was asked for: {}",
        rest.escape_ascii()
    );
    let text = String::from_utf8(all).expect("text");
    text.split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Date:"))
        .collect()
}

/// What was decided about the requests to `host`, in their order.
fn decided(gateway: &Gateway, host: &str) -> Vec<Value> {
    let log = gateway.folder().read("access.log");
    let lines = log.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    let of_host = lines.filter(|l| l["RequestHost"] == host);
    of_host.map(|l| l["Decisions"].clone()).collect()
}

#[test]
fn a_shadow_changes_no_byte_of_any_answer() {
    let signer = Signer::new("k");
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    let bearer = |who: &str| signer.bearer(&json!({ "sub": who })) + "\r\n";
    // Beyond the limit for one of them, for both together, and once without a token.
    let tokens = [
        bearer("ann"),
        bearer("ann"),
        bearer("ann"),
        bearer("bob"),
        String::new(),
        bearer("ann"),
        bearer("bob"),
    ];
    for (name, middleware) in KINDS {
        let gateway = start(&keys, middleware);
        let off = bytes(&gateway, "off.test", &tokens);
        assert_eq!(off.matches("HTTP/1.1 200").count(), 6, "{name}: {off}");
        assert_eq!(bytes(&gateway, "shadow.test", &tokens), off, "{name}");
        // It would have refused somebody: the same requests are answered otherwise when it is meant.
        let enforced = bytes(&gateway, "enforce.test", &tokens);
        assert!(enforced.matches("HTTP/1.1 200").count() < 6, "{name}: {enforced}");
        eventually(&format!("{name}: seven lines"), || {
            decided(&gateway, "shadow.test").len() == 7
        });
        let refusals = |host: &str| {
            let all = decided(&gateway, host);
            let refused = |d: &Value| {
                d.as_array()
                    .is_some_and(|d| d.iter().any(|d| d["decision"] == "deny"))
            };
            all.iter().map(refused).collect::<Vec<_>>()
        };
        assert_eq!(refusals("off.test"), [false; 7], "{name}");
        eventually(&format!("{name}: both decide alike"), || {
            refusals("enforce.test").len() == 7
        });
        if name != "bytes" {
            // What bytes come to depends on what is answered, so there the two part.
            assert_eq!(refusals("shadow.test"), refusals("enforce.test"), "{name}");
        }
        assert!(refusals("shadow.test").contains(&true), "{name}");
        let facts = decided(&gateway, "shadow.test");
        let denied = facts
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter(|d| d["decision"] == "deny");
        for decision in denied {
            assert!(decision["facts"].is_object(), "{name}: {decision}");
        }
    }
}
