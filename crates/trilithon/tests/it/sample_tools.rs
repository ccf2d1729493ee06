//! `trilithon sample tools`: speaks both eras as their revisions say, and fails when it is told to.

use crate::world::gateway;
use serde_json::{Value, json};
use trilithon_testkit::{Answer, Gateway, PATIENCE, RawClient, Response, Upstream, until};

/// The running sample.
struct Sample {
    process: Gateway,
    port: u16,
}

const MODERN: &str = "2026-07-28";

impl Sample {
    fn start(more: &[&str]) -> Sample {
        let mut arguments = vec!["sample", "tools", "--listen", "127.0.0.1:0"];
        arguments.extend(more);
        let process = gateway().arguments(arguments).spawn();
        let port = until(PATIENCE, || {
            let said = process.log();
            said.trim().rsplit(':').next()?.parse().ok()
        });
        let Some(port) = port else {
            panic!("it never said where it is:\n{}", process.log());
        };
        Sample { process, port }
    }

    fn ask(&self, method: &str, path: &str, lines: &[&str], body: &str) -> Response {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: tools.test\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        RawClient::connect(self.port).ask(&head)
    }

    /// A request of the second era.
    fn modern(&self, path: &str, method: &str, params: Value) -> Response {
        let mut params = params;
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
        let lines = [
            format!("MCP-Protocol-Version: {MODERN}"),
            format!("Mcp-Method: {method}"),
            "Accept: application/json, text/event-stream".to_owned(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.ask("POST", path, &lines, &message(method, &params))
    }

    fn call(&self, path: &str, tool: &str, arguments: &Value) -> Response {
        self.modern(path, "tools/call", json!({"name": tool, "arguments": arguments}))
    }
}

fn message(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// The text of a result.
fn text(answer: &Response) -> String {
    let said = &answer.json()["result"]["content"][0]["text"];
    said.as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_first_era_has_sessions() {
    let sample = Sample::start(&[]);
    let opened = sample.ask(
        "POST",
        "/mcp",
        &[],
        &message("initialize", &json!({"protocolVersion": "2025-06-18"})),
    );
    assert_eq!(opened.json()["result"]["protocolVersion"], "2025-06-18");
    let session = format!("Mcp-Session-Id: {}", opened.header("Mcp-Session-Id"));
    let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(sample.ask("POST", "/mcp", &[&session], ready).status, 202);
    let list = message("tools/list", &json!({}));
    let listed = sample.ask("POST", "/mcp", &[&session], &list).json();
    assert_eq!(listed["result"]["tools"][1]["name"], "refund_order");
    assert_eq!(listed["result"].get("resultType"), None);
    assert_eq!(sample.ask("POST", "/mcp", &[], &list).status, 400);
    assert_eq!(
        sample.ask("POST", "/mcp", &["Mcp-Session-Id: x"], &list).status,
        404
    );
    assert_eq!(sample.ask("DELETE", "/mcp", &[&session], "").status, 204);
    assert_eq!(sample.ask("POST", "/mcp", &[&session], &list).status, 404);
    assert_eq!(sample.ask("GET", "/mcp", &[&session], "").status, 405);
    sample.process.terminate();
}

#[test]
fn the_second_era_says_all_in_each_request() {
    let sample = Sample::start(&[]);
    let found = sample.modern("/mcp", "server/discover", json!({})).json();
    assert_eq!(found["result"]["supportedVersions"], json!([MODERN]));
    let listed = sample.modern("/mcp", "tools/list", json!({})).json();
    assert_eq!(listed["result"]["resultType"], "complete");
    assert_eq!(listed["result"]["cacheScope"], "public");
    let refunded = sample.call("/mcp", "refund_order", &json!({"order": "o-1003", "amount": 4}));
    assert_eq!(text(&refunded), "refunded 4 of o-1003 as r-1");
    let again = sample.call("/mcp", "refund_order", &json!({"order": "o-1003", "amount": 6}));
    assert_eq!(again.json()["result"]["isError"], true);
    let code = |answer: &Response| (answer.status, answer.json()["error"]["code"].as_i64());
    let nothing = sample.modern("/mcp", "prompts/list", json!({}));
    assert_eq!(code(&nothing), (404, Some(-32601)));
    let list = message(
        "tools/list",
        &json!({"_meta": {"io.modelcontextprotocol/protocolVersion": MODERN}}),
    );
    let check = |lines: &[&str], want: (u16, Option<i64>)| {
        assert_eq!(code(&sample.ask("POST", "/mcp", lines, &list)), want, "{lines:?}");
    };
    let version = "MCP-Protocol-Version: 2026-07-28";
    check(&[version, "Mcp-Method: tools/call"], (400, Some(-32020)));
    check(&[version], (400, Some(-32020)));
    check(&["Mcp-Method: tools/list"], (400, Some(-32020)));
    let later = list.replace(MODERN, "2027-01-01");
    let lines = ["MCP-Protocol-Version: 2027-01-01", "Mcp-Method: tools/list"];
    assert_eq!(
        code(&sample.ask("POST", "/mcp", &lines, &later)),
        (400, Some(-32022))
    );
    sample.process.terminate();
}

#[test]
fn steps_are_told_in_a_stream() {
    let sample = Sample::start(&[]);
    let params = json!({"name": "read_notes", "_meta": {"progressToken": "p"}});
    let answer = sample.modern("/mcp", "tools/call", params);
    assert_eq!(answer.header("Content-Type"), "text/event-stream; charset=utf-8");
    let said = answer.text();
    assert_eq!(said.matches("notifications/progress").count(), 3, "{said}");
    assert!(
        said.contains("\"progressToken\":\"p\",\"progress\":3,\"total\":3"),
        "{said}"
    );
    assert!(said.trim_end().ends_with('}') && said.contains("AKIAIOSFODNN7EXAMPLE"));
    sample.process.terminate();
}

#[test]
fn it_fails_when_it_is_told_to() {
    let sample = Sample::start(&[]);
    let answer = sample.call("/mcp?status=503&retry-after=2", "read_notes", &json!({}));
    assert_eq!((answer.status, answer.header("Retry-After")), (503, "2"));
    let answer = sample.call("/mcp?code=-32603", "read_notes", &json!({}));
    assert_eq!(answer.json()["error"]["code"], -32603);
    let answer = sample.call("/mcp?tool-error&times=1", "list_orders", &json!({}));
    assert_eq!(answer.json()["result"]["isError"], true);
    let answer = sample.call("/mcp?tool-error&times=1", "list_orders", &json!({}));
    assert_eq!(answer.json()["result"].get("isError"), None);
    let plain = sample.modern("/mcp", "tools/list", json!({})).text();
    let changed = sample.modern("/mcp?changed", "tools/list", json!({})).text();
    assert!(
        changed != plain && changed.contains("Before you answer"),
        "{changed}"
    );
    let params = json!({"name": "read_notes", "_meta": {"progressToken": 1}});
    let broken = sample.modern("/mcp?error=1", "tools/call", params).text();
    assert_eq!(broken.matches("event: message").count(), 2, "{broken}");
    assert!(broken.contains("-32603"), "{broken}");
    let calls = sample.ask("GET", "/calls", &[], "").json();
    assert_eq!(
        (&calls[0]["tool"], &calls[0]["status"]),
        (&json!("read_notes"), &json!(503))
    );
    sample.process.terminate();
}

#[test]
fn its_tools_ask_the_api_for_their_caller() {
    let api = Upstream::answering(|_| Answer::new(200, r#"[{"id":"o-7"}]"#));
    let url = format!("http://127.0.0.1:{}/orders", api.port());
    let sample = Sample::start(&["--api", &url, "--api-key", "k"]);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let params = json!({
        "name": "list_orders", "arguments": {"customer": "a b"},
        "_meta": {"traceparent": parent, "baggage": "a=1"},
    });
    let answer = sample.modern("/mcp", "tools/call", params);
    assert_eq!(text(&answer), r#"[{"id":"o-7"}]"#);
    let seen = api.last();
    assert_eq!(seen.target, "/orders?customer=a%20b");
    for (name, value) in [("X-API-Key", "k"), ("traceparent", parent), ("baggage", "a=1")] {
        assert_eq!(seen.headers.get(name), value, "{name}");
    }
    sample.process.terminate();
}
