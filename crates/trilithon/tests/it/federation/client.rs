//! A client of the first era.

use serde_json::{Value, json};
use trilithon_testkit::{Gateway, RawClient, Response};

/// A client of one session.
pub struct Client {
    pub http: RawClient,
    pub host: String,
    pub lines: Vec<String>,
}

impl Client {
    pub fn new(gateway: &Gateway, host: &str, lines: &[&str]) -> Client {
        Client {
            http: gateway.client("web"),
            host: host.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    pub fn send(&mut self, method: &str, body: &str) -> Response {
        let lines: String = self.lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.http.ask(&format!(
            "{method} /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        ))
    }

    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params});
        let answer = self.send("POST", &message.to_string());
        assert_eq!(answer.status, 200, "{method} {params}: {}", answer.text());
        assert_eq!(
            !answer.header("mcp-session-id").is_empty(),
            method == "initialize"
        );
        let answer = answer.json();
        assert_eq!(answer["id"], "q", "{answer}");
        answer
    }

    pub fn call(&mut self, tool: &str, nonce: &str) -> Value {
        self.ask(
            "tools/call",
            &json!({"name": tool, "arguments": {"nonce": nonce}}),
        )
    }

    /// Opens the session.
    pub fn open(&mut self, name: &str) -> Value {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"sampling": {}}, "clientInfo": {"name": name, "version": "1"}});
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.send("POST", &message.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let session = answer.header("mcp-session-id");
        assert!(session.starts_with("v1."), "{}", answer.text());
        self.lines.push(format!("Mcp-Session-Id: {session}"));
        answer.json()
    }
}

/// What a tool said.
pub fn said(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
}
