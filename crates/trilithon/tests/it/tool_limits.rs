//! Limits on calls of tools: by tool and by who calls, for some tools only, told in the protocol.

use crate::world::{INSTALL, gateway};
use std::collections::BTreeMap;
use std::thread;
use trilithon_testkit::{Answer, Gateway, Response, Upstream};

/// Ten calls of each tool for each caller, and three payments in all.
const ROUTING: &str = "\
http:
  routers:
    tools: {rule: 'Host(`a.test`)', service: s, middlewares: [key, gate, each, payments]}
    graceful: {rule: 'Host(`graceful.test`)', service: s, middlewares: [graceful, none]}
  middlewares:
    key: {apiKey: {keySource: {header: X-Key}, secretNonBase64Encoded: true, secretValues: ['ann:{SHA}pi8iJb9wv6zLx/HvKjl4NnFzd94=', 'bob:{SHA}SBgazSKz7a68ikR4aKfffOYpkgo=']}}
    gate: {mcp: {}}
    graceful: {mcp: {gracefulErrors: true}}
    each: {limit: {sourceCriterion: {identity: credential, mcpTool: true}, rules: [{name: each, algorithm: fixedWindow, limit: 10, period: 1h, match: 'Equals(`mcp.method`, `tools/call`)'}]}}
    payments: {limit: {sourceCriterion: {requestHost: true}, rules: [{name: payments, algorithm: fixedWindow, limit: 3, period: 1h, expression: 'mcp.tool == \"pay\"'}]}}
    none: {limit: {rules: [{name: one, algorithm: fixedWindow, limit: 1, calendar: month}]}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";

fn start() -> Gateway {
    let done = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    let server =
        Upstream::answering(move |_| Answer::new(200, done).header("Content-Type", "application/json"));
    gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .upstream("b1", server)
        .start()
}

fn call(gateway: &Gateway, host: &str, key: &str, tool: &str, version: &str) -> Response {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}}}}}"#
    );
    gateway.client("web").ask(&format!(
        "POST /mcp HTTP/1.1\r\nHost: {host}\r\nX-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Two hundred calls at once: not one too many, not one too few.
#[test]
fn each_caller_has_so_many_calls_of_each_tool() {
    let gateway = start();
    let kinds = [
        ("key", "read"),
        ("key", "write"),
        ("bob", "read"),
        ("bob", "write"),
    ];
    let answers = thread::scope(|scope| {
        let calls = (0..200).map(|n| {
            let (key, tool) = kinds[n % kinds.len()];
            let gateway = &gateway;
            scope.spawn(move || (key, tool, call(gateway, "a.test", key, tool, "2025-11-25")))
        });
        let calls: Vec<_> = calls.collect();
        calls
            .into_iter()
            .map(|call| call.join().expect("answered"))
            .collect::<Vec<_>>()
    });
    let mut passed: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (key, tool, answer) in &answers {
        match answer.status {
            200 => *passed.entry((*key, *tool)).or_default() += 1,
            _ => {
                assert_eq!(answer.status, 429, "{}", answer.text());
                assert_eq!(
                    answer.text(),
                    r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32029,"message":"Too Many Requests"}}"#
                );
                let wait: u64 = answer.header("retry-after").parse().expect("seconds");
                assert!((1..=3_600).contains(&wait));
            }
        }
    }
    assert_eq!(passed, kinds.map(|kind| (kind, 10)).into());
    assert_eq!(gateway.upstream("b1").requests(), 40);
    // What is no call is not counted by any of them.
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for _ in 0..20 {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: a.test\r\nX-Key: key\r\nContent-Length: {}\r\n\r\n{list}",
            list.len()
        );
        assert_eq!(gateway.client("web").ask(&head).status, 200);
    }
}

/// A rule for one tool does not count another; a refusal is of the client's era.
#[test]
fn a_rule_counts_what_it_is_for() {
    let gateway = start();
    let statuses = |key, tool| {
        let calls = (0..4).map(|_| call(&gateway, "a.test", key, tool, "2026-07-28").status);
        calls.collect::<Vec<u16>>()
    };
    assert_eq!(statuses("key", "read"), [200; 4]);
    assert_eq!(statuses("key", "pay"), [200, 200, 200, 429]);
    assert_eq!(statuses("bob", "pay"), [429; 4]);
    let refused = call(&gateway, "a.test", "bob", "pay", "2026-07-28");
    assert_eq!(
        refused.text(),
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":429,"message":"Too Many Requests"}}"#
    );
    assert_eq!(
        call(&gateway, "graceful.test", "", "pay", "2025-11-25").status,
        200
    );
    let graceful = call(&gateway, "graceful.test", "", "pay", "2025-11-25");
    assert_eq!(graceful.status, 200);
    assert!(
        graceful.text().contains(r#""isError":true"#),
        "{}",
        graceful.text()
    );
    assert!(graceful.text().contains("Try again in"), "{}", graceful.text());
}
