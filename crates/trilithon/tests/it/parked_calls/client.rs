//! A client of the second era.

use serde_json::{Value, json};
use trilithon_testkit::{Gateway, RawClient};

/// A client of the second era.
pub struct Client {
    pub http: RawClient,
    host: &'static str,
    key: &'static str,
    pub can: Value,
}

impl Client {
    pub fn new(gateway: &Gateway, key: &'static str) -> Client {
        Client {
            http: gateway.client("web"),
            host: if key.is_empty() { "all.test" } else { "keyed.test" },
            key,
            can: json!({"elicitation": {}, "roots": {"listChanged": true}}),
        }
    }

    /// A call of a tool.
    pub fn request(&self, params: &Value, meta: &Value) -> String {
        self.message("tools/call", params, meta)
    }

    pub fn message(&self, method: &str, params: &Value, meta: &Value) -> String {
        let mut params = params.clone();
        params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": self.can});
        for (name, value) in meta.as_object().into_iter().flatten() {
            params["_meta"][name] = value.clone();
        }
        let name = params["name"].as_str().unwrap_or_default();
        let body = json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params}).to_string();
        let (host, key) = (self.host, self.key);
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\nX-Key: {key}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Status and messages.
    pub fn send(&mut self, params: &Value, meta: &Value) -> (u16, Vec<Value>) {
        let answer = self.http.ask(&self.request(params, meta));
        let text = answer.text();
        let all = match answer.header("content-type").starts_with("text/event-stream") {
            true => text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(|data| serde_json::from_str(data).unwrap())
                .collect(),
            false => vec![serde_json::from_str(&text).unwrap_or_else(|_| panic!("{} {text}", answer.status))],
        };
        (answer.status, all)
    }

    /// The last message of an answer that is well.
    pub fn call(&mut self, params: &Value) -> Value {
        let (status, mut all) = self.send(params, &json!({}));
        assert_eq!(status, 200, "{all:?}");
        all.pop().expect("an answer")
    }

    /// The questions of a tool: what was called, and what came.
    pub fn begin(&mut self, tool: &str) -> (Value, Value) {
        let params = json!({"name": tool, "arguments": {"nonce": tool}});
        let asked = self.call(&params);
        assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
        (params, asked["result"].clone())
    }

    #[track_caller]
    pub fn refused(&mut self, params: &Value, code: i64, why: &str) {
        let (_, all) = self.send(params, &json!({}));
        let error = &all[0]["error"];
        let message = error["message"].as_str().unwrap_or_default();
        assert_eq!(error["code"], code, "{all:?}");
        assert!(message.contains(why), "{message}");
    }
}

/// The same message with what its client was asked.
pub fn again(params: &Value, asked: &Value, answers: &Value) -> Value {
    let mut params = params.clone();
    params["inputResponses"] = answers.clone();
    params["requestState"] = asked["requestState"].clone();
    params
}

pub fn named(question: &str, name: &str) -> Value {
    json!({question: {"action": "accept", "content": {"name": name, "color": name}}})
}

pub fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
}
