//! Several messages in one body.

use super::{all_but_drop, build};
use crate::http::kit::{Asked as Seen, Bench, Outcome};
use crate::http::testing::request;
use serde_json::{Value, json};
use trilithon_flow::{Body, Response};
use trilithon_model::dynamic::http::{Effect, Mcp, McpResourceMetadata, McpUndo, McpUndoCall};
use trilithon_model::rollout::Mode;

/// Answers with what it was asked; `stream` in an event.
fn server() -> Bench {
    Bench::new(|seen: &Seen| {
        let asked: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        if asked["id"].is_null() {
            return Response::new(202);
        }
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"did": asked["params"]["name"]}});
        let (kind, body) = match asked["params"]["name"] == "stream" {
            true => ("text/event-stream", format!("data: {answer}\n")),
            false => ("application/json", answer.to_string()),
        };
        let mut res = Response::bare(200, body);
        res.headers.set("Content-Type", kind);
        res
    })
}

fn send(config: &Mcp, headers: &[(&str, &str)], body: &str) -> (Bench, Outcome) {
    let mut bench = server();
    let chain = bench.around(|cx| build(config, cx));
    let mut req = request("POST", "/mcp", headers);
    req.headers.set("Content-Type", "application/json");
    req.body = Body::from(body.to_owned());
    let outcome = bench.send(&chain, req);
    (bench, outcome)
}

fn call(id: u64, tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}}).to_string()
}

const TOLD: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn batch(messages: &[&str]) -> String {
    format!("[{}]", messages.join(","))
}

#[test]
fn each_message_is_decided_on_by_itself() {
    let body = batch(&[&call(1, "read"), &call(2, "drop"), TOLD, &call(3, "write")]);
    for headers in [&[][..], &[("MCP-Protocol-Version", "2025-03-26")]] {
        let (bench, outcome) = send(&all_but_drop(), headers, &body);
        assert_eq!(outcome.header("Content-Type"), Some("application/json"));
        let want = json!([
            {"jsonrpc": "2.0", "id": 1, "result": {"did": "read"}},
            {"jsonrpc": "2.0", "id": 2, "error": {"code": -32003, "message": "Forbidden"}},
            {"jsonrpc": "2.0", "id": 3, "result": {"did": "write"}},
        ]);
        assert_eq!((outcome.status, outcome.text()), (200, want.to_string()));
        assert_eq!((bench.asked(), bench.last().body), (3, call(3, "write")));
        let decided: Vec<bool> = outcome.record.decisions.iter().map(|d| d.allowed).collect();
        assert_eq!(decided, [true, false, true, true]);
        let call = outcome.record.mcp_call.expect("told");
        let told = json!(call.told(&std::borrow::Cow::Borrowed));
        let want = json!({"batch": [
            {"method": "tools/call", "tool": "read", "id": "1"},
            {"method": "tools/call", "tool": "drop", "id": "2", "deniedBy": "m@file"},
            {"method": "notifications/initialized"},
            {"method": "tools/call", "tool": "write", "id": "3"},
        ]});
        assert_eq!(told, want);
    }
}

#[test]
fn nobody_answers_what_is_only_told() {
    let (bench, outcome) = send(&all_but_drop(), &[], &batch(&[TOLD, TOLD]));
    assert_eq!((outcome.status, &*outcome.text(), bench.asked()), (202, "", 2));
    let silent = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop"}}"#;
    let (bench, outcome) = send(&all_but_drop(), &[], &batch(&[silent]));
    assert_eq!((outcome.status, &*outcome.text(), bench.asked()), (202, "", 0));
}

#[test]
fn a_stream_makes_a_stream_of_all() {
    let body = batch(&[&call(1, "stream"), &call(2, "drop"), &call(3, "stream")]);
    let (_, outcome) = send(&all_but_drop(), &[], &body);
    assert_eq!(outcome.header("Content-Type"), Some("text/event-stream"));
    let event = |id: u64| format!(r#"data: {{"jsonrpc":"2.0","id":{id},"result":{{"did":"stream"}}}}"#);
    let refused = r#"data: {"jsonrpc":"2.0","id":2,"error":{"code":-32003,"message":"Forbidden"}}"#;
    let text = outcome.text();
    // Each ends, also where the server's stream ended without that.
    let events: Vec<&str> = text
        .split("\n\n")
        .map(str::trim)
        .filter(|event| !event.is_empty())
        .collect();
    assert_eq!(events, [refused, &event(1), &event(3)]);
}

#[test]
fn what_is_not_taken_with_others() {
    let refused = |config: &Mcp, headers: &[(&str, &str)], body: &str, part: &str| {
        let (bench, outcome) = send(config, headers, body);
        assert_eq!((outcome.status, bench.asked()), (400, 0), "{body}");
        assert!(outcome.text().contains(part), "{}", outcome.text());
    };
    let two = batch(&[&call(1, "read"), &call(2, "write")]);
    for version in ["2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01"] {
        refused(
            &all_but_drop(),
            &[("MCP-Protocol-Version", version)],
            &two,
            "several messages",
        );
    }
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
    refused(&all_but_drop(), &[], &batch(&[hello]), "`initialize`");
    refused(
        &all_but_drop(),
        &[],
        &batch(&[&call(1, "read"), &call(1, "write")]),
        "the same `id`",
    );
    refused(&all_but_drop(), &[], "[]", "no message");
    let mut config = all_but_drop();
    config.undo = vec![McpUndo {
        tool: "write".to_owned(),
        call: Some(McpUndoCall {
            tool: "unwrite".to_owned(),
            ..McpUndoCall::default()
        }),
    }];
    let (bench, outcome) = send(&config, &[], &two);
    assert!(outcome.text().contains("can be undone"), "{}", outcome.text());
    assert_eq!((outcome.status, bench.asked()), (200, 1));
}

#[test]
fn a_session_that_is_lost_is_lost_for_all() {
    let mut bench = Bench::new(|_: &Seen| Response::bare(404, r#"{"error":{"code":-32001,"message":"no"}}"#));
    let chain = bench.around(|cx| build(&all_but_drop(), cx));
    let mut req = request("POST", "/mcp", &[("Mcp-Session-Id", "s1")]);
    req.body = Body::from(batch(&[&call(1, "read"), &call(2, "write")]));
    assert_eq!((bench.send(&chain, req).status, bench.asked()), (404, 1));
    let mut config = all_but_drop();
    config.status_code_on_deny = 404;
    let (bench, outcome) = send(&config, &[], &batch(&[&call(1, "drop"), &call(2, "write")]));
    assert_eq!((outcome.status, bench.asked()), (200, 1));
}

#[test]
fn who_is_nobody_is_that_for_all() {
    let mut config = all_but_drop();
    config.default_action = Some(Effect::Deny);
    config.resource_metadata = Some(McpResourceMetadata {
        resource: "https://mcp.test/mcp".to_owned(),
        ..McpResourceMetadata::default()
    });
    let (bench, outcome) = send(&config, &[], &batch(&[&call(1, "read"), &call(2, "write")]));
    assert_eq!((outcome.status, bench.asked()), (401, 0));
    assert!(
        outcome
            .header("WWW-Authenticate")
            .is_some_and(|c| c.starts_with("Bearer"))
    );
}

#[test]
fn without_rules_a_batch_passes_as_it_came() {
    let body = batch(&[&call(1, "read"), &call(2, "drop")]);
    let mut shadow = all_but_drop();
    shadow.mode = Mode::Shadow;
    for config in [Mcp::default(), shadow] {
        let (bench, _) = send(&config, &[], &body);
        assert_eq!((bench.asked(), bench.last().body), (1, body.clone()));
    }
}
