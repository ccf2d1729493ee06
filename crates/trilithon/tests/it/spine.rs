//! One request through all that governs it: a token says who asks, a policy whether that caller may, a limit how often, and the
//! audit log keeps what was decided and why.

use crate::audit::entries;
use crate::auth::Signer;
use crate::world::gateway;
use serde_json::{Value, json};
use std::process::Command;
use trilithon_testkit::{Gateway, PATIENCE, Upstream};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
accessLog: {filePath: '@DIR@/access.log', format: json}
providers: {file: {filename: '@DIR@/routing.yml'}}
audit: {checkpointInterval: 20ms}
store: {directory: '@DIR@/store'}
";

fn start(keys: &str) -> Gateway {
    let routing = format!(
        "
http:
  routers:
    orders: {{rule: 'PathPrefix(`/orders`)', service: s, middlewares: [who, may, often], observability: {{audit: true}}}}
  middlewares:
    who: {{jwt: {{jwksFile: '{keys}', forwardHeaders: {{X-User: sub}}}}}}
    may:
      policy:
        rules:
          - {{name: readers, effect: allow, expression: 'http.method == \"GET\" && \"readers\" in identity.groups'}}
          - {{name: no-drafts, effect: deny, expression: 'http.path.startsWith(\"/orders/drafts\")', message: not published}}
    often:
      limit: {{sourceCriterion: {{identity: subject}}, headers: ietf, rules: [{{name: day, algorithm: fixedWindow, limit: 2, period: 87648h, durable: true}}]}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
"
    );
    gateway()
        .install(INSTALL)
        .routing(&routing)
        .upstream("b1", Upstream::echo())
        .start()
}

/// Who, what, the status, who the record names, and which decisions it holds.
type Scene<'a> = (&'a str, &'a str, &'a str, u16, &'a str, &'a [&'a str]);

#[test]
fn a_request_is_governed_and_its_record_says_how() {
    let signer = Signer::new("k");
    let gateway = start(&json!({"keys": [signer.jwk()]}).to_string());
    let token = |who: &str, groups: &[&str]| {
        signer.bearer(&json!({"sub": who, "iss": "https://id.test", "groups": groups}))
    };
    let (ann, bob, eve) = (
        token("ann", &["readers"]),
        token("bob", &["readers"]),
        token("eve", &[]),
    );
    let story: [Scene<'_>; 8] = [
        ("", "GET", "/orders/1", 401, "", &[]),
        ("Authorization: Bearer no.no.no", "GET", "/orders/1", 401, "", &[]),
        (&eve, "GET", "/orders/1", 403, "eve", &["may@file default deny"]),
        (&ann, "POST", "/orders/1", 403, "ann", &["may@file default deny"]),
        (
            &ann,
            "GET",
            "/orders/drafts/1",
            403,
            "ann",
            &["may@file no-drafts deny"],
        ),
        (
            &ann,
            "GET",
            "/orders/1",
            200,
            "ann",
            &["may@file readers allow", "often@file day allow"],
        ),
        (
            &ann,
            "GET",
            "/orders/2",
            200,
            "ann",
            &["may@file readers allow", "often@file day allow"],
        ),
        (
            &ann,
            "GET",
            "/orders/3",
            429,
            "ann",
            &["may@file readers allow", "often@file day deny"],
        ),
    ];
    for (line, method, path, status, ..) in story {
        let lines = [line, "X-User: root"];
        let lines = if line.is_empty() { &lines[1..] } else { &lines[..] };
        let answer = gateway.ask("web", method, "a.test", path, lines);
        assert_eq!(answer.status, status, "{method} {path} {line}");
        let left = format!("\"day\";r={}", if path.ends_with('1') { 1 } else { 0 });
        let told = answer.header("ratelimit");
        assert!(
            told.is_empty() != matches!(status, 200 | 429) && (told.is_empty() || told.starts_with(&left)),
            "{told}"
        );
    }
    // Another caller has units of its own, and the server is told who asks by the gateway alone.
    let answer = gateway.get_with("a.test", "/orders/1", &[&bob, "X-User: root"]);
    assert_eq!((answer.status, &*answer.saw("x-user")), (200, "bob"));
    assert_eq!(
        gateway.upstream("b1").requests(),
        3,
        "what is refused goes no further"
    );

    let mut recorded = entries(gateway.folder(), "request", story.len() + 1);
    // Workers hand their entries over on their own; their times are in order.
    recorded.sort_by_key(|(_, entry)| entry["time"].as_str().unwrap_or_default().to_owned());
    for ((_, entry), (_, method, path, status, who, decisions)) in recorded.iter().zip(story) {
        let what = format!("{method} {path}: {entry}");
        assert_eq!(entry["outcome"]["status"], status, "{what}");
        assert_eq!(
            entry["actor"]["subject"].as_str().unwrap_or_default(),
            who,
            "{what}"
        );
        let made = entry["outcome"]["decisions"]
            .as_array()
            .map_or(Vec::new(), Vec::clone);
        let text = |d: &Value, name: &str| d[name].as_str().unwrap_or_default().to_owned();
        let made: Vec<_> = made
            .iter()
            .map(|d| {
                format!(
                    "{} {} {}",
                    text(d, "policy"),
                    text(d, "rule"),
                    if d["allowed"] == true { "allow" } else { "deny" }
                )
            })
            .collect();
        assert_eq!(made, decisions, "{what}");
    }
    gateway.terminate();
    assert!(gateway.exit(PATIENCE).is_some(), "it ends");
    let store = format!("--store={}", gateway.folder().path().join("store").display());
    let verify = Command::new(env!("CARGO_BIN_EXE_trilithon"))
        .args(["audit", "verify", &store])
        .output();
    let verify = verify.expect("the binary runs");
    assert!(
        verify.status.success(),
        "{}",
        String::from_utf8_lossy(&verify.stderr)
    );
}
