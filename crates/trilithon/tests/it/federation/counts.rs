//! What is counted of servers: an error is an answer wherever it comes from, and a server that left the configuration is not told of.

use super::client::Client;
use super::tools::Tools;
use super::{routing, start};
use crate::world::gateway;
use serde_json::{Value, json};
use trilithon_testkit::{Answer, Gateway, Seen, Upstream, eventually};

/// How often requests to `server` were `answered` and `failed`.
fn counted(gateway: &Gateway, server: &str) -> [u64; 2] {
    let metrics = gateway.metrics();
    ["answered", "failed"].map(|outcome| {
        let series = format!(
            "trilithon_mcp_server_requests_total{{outcome=\"{outcome}\",server=\"{server}\",service=\"all@file\"}} "
        );
        let value = metrics.lines().find_map(|line| line.strip_prefix(&*series));
        value.map_or(0, |count| count.parse().expect("a number"))
    })
}

fn error(status: u16, id: &Value) -> Answer {
    let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": "no"}});
    Answer::new(status, error.to_string()).header("Content-Type", "application/json")
}

/// Answers calls of the tool `status-400` with that status, and all else as `tools` does.
fn wishing(tools: &Tools) -> Upstream {
    let tools = tools.clone();
    Upstream::answering(move |seen: &Seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let name = message["params"]["name"].as_str().unwrap_or_default();
        match name.strip_prefix("status-").map(|status| status.parse()) {
            Some(Ok(503)) => Answer::new(503, "not now"),
            Some(Ok(status)) => error(status, &message["id"]),
            _ => tools.answer(seen),
        }
    })
}

#[test]
fn an_error_is_an_answer() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = gateway()
        .routing(&routing())
        .upstream("a", a.upstream())
        .upstream("b", wishing(&b))
        .start();
    let mut client = Client::new(&gateway, "all.test", &[]);
    client.open("ann");
    assert_eq!(counted(&gateway, "b"), [1, 0], "a session was opened");
    client.ask("tools/list", &json!({}));
    assert_eq!(counted(&gateway, "b"), [2, 0], "it was asked with all others");
    let mut call = |tool: &str| {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}});
        client.send("POST", &message.to_string());
        counted(&gateway, "b")
    };
    assert_eq!(call("b_whoami"), [3, 0]);
    assert_eq!(call("b_status-200"), [4, 0]);
    assert_eq!(call("b_status-400"), [5, 0], "what its status says");
    assert_eq!(call("b_ask"), [6, 0], "in a stream");
    assert_eq!(call("b_status-401"), [6, 1], "it lets nobody in");
    assert_eq!(call("b_status-429"), [6, 2], "not now");
    assert_eq!(call("b_status-503"), [6, 3], "it is no message");
    assert_eq!(counted(&gateway, "a"), [2, 0]);
}

#[test]
fn a_session_that_is_refused_is_an_answer_too() {
    let a = Tools::new("a");
    let refusing = Upstream::answering(|seen: &Seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        error(200, &message["id"])
    });
    let gateway = gateway()
        .routing(&routing())
        .upstream("a", a.upstream())
        .upstream("b", refusing)
        .start();
    Client::new(&gateway, "all.test", &[]).open("ann");
    assert_eq!(counted(&gateway, "b"), [1, 0]);
}

#[test]
fn who_left_is_not_told_of() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    let mut client = Client::new(&gateway, "all.test", &[]);
    client.open("ann");
    client.ask("tools/list", &json!({}));
    let told = |server: &str| {
        let metrics = gateway.metrics();
        let of = format!("server=\"{server}\",service=\"all@file\"");
        metrics.lines().filter(|line| line.contains(&of)).count()
    };
    assert_eq!((told("a"), told("b")), (2, 2));

    // What is behind a name may change: it is the same server.
    let routing = routing();
    gateway.rewrite_routing(
        &routing
            .replace("{name: a, service: a,", "{name: a, service: a2,")
            .replace("    a: {", "    a2: {"),
    );
    eventually("the other service is there", || {
        gateway.api("/api/http/services/a2@file")["status"] == "enabled"
    });
    client.ask("tools/list", &json!({}));
    assert_eq!(counted(&gateway, "a"), [3, 0]);

    gateway.rewrite_routing(&routing.replace("          - {name: b, service: b, path: /b}\n", ""));
    eventually("nothing is told of who left", || told("b") == 0);
    client.ask("tools/list", &json!({}));
    assert_eq!(
        (told("a"), counted(&gateway, "a")),
        (2, [4, 0]),
        "who stays is counted on"
    );
}
