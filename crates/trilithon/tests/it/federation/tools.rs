//! A server of tools that speaks either era, for the tests of several as one.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trilithon_testkit::{Answer, PATIENCE, Seen, Upstream, until};

/// A server of tools: it keeps sessions, knows each one's client by name, and forgets them all when it is told to.
#[derive(Clone)]
pub struct Tools {
    pub name: &'static str,
    pub speaks: Speaks,
    pub sessions: Arc<Mutex<HashMap<String, String>>>,
    pub opened: Arc<AtomicUsize>,
    hangs: Arc<AtomicBool>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Speaks {
    Legacy,
    Modern,
    Both,
}

impl Tools {
    pub fn new(name: &'static str) -> Tools {
        Tools::that(name, Speaks::Both)
    }

    pub fn that(name: &'static str, speaks: Speaks) -> Tools {
        Tools {
            name,
            speaks,
            sessions: Arc::default(),
            opened: Arc::default(),
            hangs: Arc::default(),
        }
    }

    pub fn upstream(&self) -> Upstream {
        let tools = self.clone();
        Upstream::answering(move |seen| tools.answer(seen))
    }

    pub fn forget(&self) {
        self.sessions.lock().unwrap().clear();
    }

    /// From now on it takes messages and answers none, until it does not hang any more.
    pub fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::Relaxed);
    }

    pub fn count(&self) -> usize {
        self.sessions.lock().unwrap().len()
    }

    pub fn answer(&self, seen: &Seen) -> Answer {
        until(PATIENCE, || (!self.hangs.load(Ordering::Relaxed)).then_some(()));
        let session = seen.headers.get("Mcp-Session-Id").to_owned();
        if seen.method == "DELETE" {
            self.sessions.lock().unwrap().remove(&session);
            return Answer::new(200, "");
        }
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let (id, method) = (&message["id"], message["method"].as_str().unwrap_or_default());
        let meta = &message["params"]["_meta"];
        let modern = meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28";
        let no = |status: u16, code: i64| {
            let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no"}});
            Answer::new(status, error.to_string()).header("Content-Type", "application/json")
        };
        match (self.speaks, method) {
            (Speaks::Modern, _) if !modern => return no(400, -32602),
            // Who names itself does so whole.
            _ if meta["io.modelcontextprotocol/clientInfo"].is_object()
                && meta["io.modelcontextprotocol/clientInfo"]["version"].is_null() =>
            {
                return no(400, -32602);
            }
            (Speaks::Legacy, _) if modern && session.is_empty() => return no(400, -32600),
            (_, "initialize") => return self.open(&message),
            (_, "server/discover") => {
                let result = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                    "ttlMs": 7, "cacheScope": "public"});
                return answer(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
            }
            _ => {}
        }
        let client = self.sessions.lock().unwrap().get(&session).cloned();
        let client = match client {
            Some(client) => client,
            None if modern => {
                assert_eq!(seen.headers.get("Mcp-Method"), method);
                let name = &meta["io.modelcontextprotocol/clientInfo"]["name"];
                name.as_str().unwrap_or("nobody").to_owned()
            }
            None => return no(404, -32001),
        };
        if id.is_null() {
            return Answer::new(202, "");
        }
        let params = &message["params"];
        let result = match method {
            "tools/list" if params["cursor"] == "more" => json!({"tools": [{"name": "third"}], "ttlMs": 5}),
            "tools/list" => {
                json!({"tools": [{"name": "whoami"}, {"name": "ask"}], "nextCursor": "more", "ttlMs": 9, "cacheScope": "public"})
            }
            "tools/call" if params["name"] == "ask" && modern => match &params["inputResponses"]["q"] {
                Value::Null => {
                    let question = match params["arguments"]["page"].is_string() {
                        true => {
                            json!({"method": "elicitation/create", "params": {"mode": "url", "message": "look", "url": params["arguments"]["page"]}})
                        }
                        false => json!({"method": "sampling/createMessage", "params": {}}),
                    };
                    json!({"resultType": "input_required", "requestState": "s", "inputRequests": {"q": question}})
                }
                given => {
                    json!({"resultType": "complete", "content": [{"type": "text", "text": format!("{given} {}", params["requestState"])}]})
                }
            },
            "tools/call" if params["name"] == "ask" => return self.question(seen, id),
            "tools/call" if params["name"] == "slow" => {
                return answer(&json!({"jsonrpc": "2.0", "id": id, "result": {"content": []}}))
                    .after(Duration::from_secs(3));
            }
            "tools/call" => {
                let said = format!(
                    "{}:{}:{}:{client}",
                    self.name, params["name"], params["arguments"]["nonce"]
                );
                json!({"content": [{"type": "text", "text": said}, {"type": "resource_link", "uri": "note:1", "name": "n"}]})
            }
            "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => json!({}),
            "resources/read" => json!({"contents": [{"uri": params["uri"], "text": self.name}]}),
            _ => {
                let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no"}});
                return answer(&error);
            }
        };
        answer(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn open(&self, message: &Value) -> Answer {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let session = format!("{}-{number}", self.name);
        let client = message["params"]["clientInfo"]["name"]
            .as_str()
            .unwrap_or_default();
        self.sessions
            .lock()
            .unwrap()
            .insert(session.clone(), client.to_owned());
        let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": self.name, "version": "1"},
            "instructions": format!("I am {}.", self.name)});
        answer(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
            .header("Mcp-Session-Id", &session)
    }

    /// A stream: the server asks, then answers.
    fn question(&self, _: &Seen, id: &Value) -> Answer {
        let asked = json!({"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {}});
        let done = json!({"jsonrpc": "2.0", "id": id, "result": {"content": []}});
        let stream = format!("id: e1\ndata: {asked}\n\nevent: message\ndata: {done}\n\n");
        Answer::new(200, stream).header("Content-Type", "text/event-stream")
    }
}

pub fn answer(message: &Value) -> Answer {
    Answer::new(200, message.to_string()).header("Content-Type", "application/json")
}
