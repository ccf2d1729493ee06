//! How the protocol is spoken: revisions 2025-03-26 to 2025-11-25 with sessions, and 2026-07-28 without.

use super::super::asked::Asked;
use super::super::orders;
use super::super::wish::Wish;
use super::shop::{NOTES, Outcome};
use super::{Tools, api, catalog};
use serde_json::{Map, Value, json};
use trilithon_mcp::header::{self, Mismatch, PROTOCOL_VERSION, SESSION_ID};
use trilithon_mcp::{Era, Message, error};

/// Revisions with sessions, the newest first.
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
/// A revision that is not spoken (2026-07-28).
const UNSUPPORTED_VERSION: i64 = -32022;
const METHOD_NOT_FOUND: i64 = -32601;
/// Steps that a call tells of whose caller wants to hear of them.
const STEPS: usize = 3;

/// What is answered.
pub enum Reply {
    /// A status alone.
    Bare(u16),
    Json {
        status: u16,
        body: Value,
        /// The session that begins with it.
        session: Option<String>,
    },
    /// Messages in a stream; the last is the answer.
    Events(Vec<Value>),
}

fn json_reply(status: u16, body: Value) -> Reply {
    Reply::Json {
        status,
        body,
        session: None,
    }
}

fn failed(status: u16, id: Option<&Value>, code: i64, message: &str) -> Reply {
    let mut body = json!({"jsonrpc": "2.0"});
    if let Some(id) = id {
        body["id"] = id.clone();
    }
    body["error"] = json!({"code": code, "message": message});
    json_reply(status, body)
}

impl Tools {
    /// Answers one request.
    pub async fn speak(&self, asked: &Asked, wish: &Wish) -> Reply {
        let version = asked.headers.get_str(PROTOCOL_VERSION);
        let is_modern = version.is_some_and(|v| Era::of(v) == Era::Modern);
        match &*asked.method {
            "POST" => {}
            "DELETE" if !is_modern => return self.close(asked),
            _ => return Reply::Bare(405),
        }
        let message = match Message::read(&asked.body) {
            Ok(message) => message,
            Err(invalid) => return failed(400, None, invalid.code, &invalid.message),
        };
        let era = message.era(version);
        let id = message
            .id
            .as_ref()
            .and_then(|id| serde_json::from_str::<Value>(id.raw()).ok());
        if let Err(refusal) = self.admit(&message, era, asked, id.as_ref()) {
            return refusal;
        }
        let (Some(id), false) = (id, message.method().is_empty()) else {
            return Reply::Bare(202);
        };
        let params = message.tree();
        if let Some(code) = wish.code {
            return failed(200, Some(&id), code, "as you wish");
        }
        let result = match (message.method(), era) {
            ("initialize", _) => return self.initialize(&id, &params),
            ("ping", Era::Legacy) => json!({}),
            ("server/discover", Era::Modern) => discovered(),
            ("tools/list", _) => catalog::listed(era, wish.changed),
            ("tools/call", _) => {
                let name = message.name().unwrap_or_default();
                let Some(outcome) = self.call(name, &params, asked, wish).await else {
                    let why = format!("there is no tool `{name}`");
                    return failed(200, Some(&id), error::INVALID_PARAMS, &why);
                };
                result(outcome, era)
            }
            (method, _) => {
                let status = if era == Era::Modern { 404 } else { 200 };
                let why = format!("there is no method `{method}`");
                return failed(status, Some(&id), METHOD_NOT_FOUND, &why);
            }
        };
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
        match progress(&params, asked) {
            Some(mut messages) => {
                messages.push(answer);
                Reply::Events(messages)
            }
            None => json_reply(200, answer),
        }
    }

    /// Whether the request is one of its era: in the first it belongs to a session, in the second its headers say what it says.
    fn admit(&self, message: &Message<'_>, era: Era, asked: &Asked, id: Option<&Value>) -> Result<(), Reply> {
        if era == Era::Legacy {
            if message.method() == "initialize" {
                return Ok(());
            }
            return match asked.headers.get_str(SESSION_ID) {
                None => Err(failed(
                    400,
                    id,
                    error::INVALID_REQUEST,
                    "there is no `Mcp-Session-Id`",
                )),
                Some(known) if self.sessions.is_open(known) => Ok(()),
                Some(_) => Err(failed(404, id, error::INVALID_REQUEST, "this session has ended")),
            };
        }
        if let Err(Mismatch(name)) = header::verify(&asked.headers, message) {
            let why = format!("`{name}` does not say what the message says");
            return Err(failed(400, id, error::HEADER_MISMATCH, &why));
        }
        for name in [PROTOCOL_VERSION, header::METHOD] {
            if asked.headers.get(name).is_none() {
                return Err(failed(
                    400,
                    id,
                    error::HEADER_MISMATCH,
                    &format!("there is no `{name}`"),
                ));
            }
        }
        match message.version() {
            Some(Era::FIRST_MODERN) => Ok(()),
            None => Err(failed(
                400,
                id,
                error::INVALID_PARAMS,
                "`_meta` names no revision",
            )),
            Some(_) => {
                let Reply::Json {
                    status,
                    mut body,
                    session,
                } = failed(400, id, UNSUPPORTED_VERSION, "this revision is not spoken here")
                else {
                    return Err(Reply::Bare(400));
                };
                body["error"]["data"] = json!({"supported": [Era::FIRST_MODERN]});
                Err(Reply::Json {
                    status,
                    body,
                    session,
                })
            }
        }
    }

    fn initialize(&self, id: &Value, params: &Map<String, Value>) -> Reply {
        let wanted = params.get("protocolVersion").and_then(Value::as_str);
        let version = LEGACY
            .into_iter()
            .find(|known| Some(*known) == wanted)
            .unwrap_or(LEGACY[0]);
        let result = json!({
            "protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info(), "instructions": INSTRUCTIONS,
        });
        Reply::Json {
            status: 200,
            body: json!({"jsonrpc": "2.0", "id": id, "result": result}),
            session: Some(self.sessions.open()),
        }
    }

    fn close(&self, asked: &Asked) -> Reply {
        let id = asked.headers.get_str(SESSION_ID).unwrap_or_default();
        Reply::Bare(if self.sessions.close(id) { 204 } else { 404 })
    }

    /// Calls a tool; `None` when there is none of that name.
    async fn call(
        &self,
        name: &str,
        params: &Map<String, Value>,
        asked: &Asked,
        wish: &Wish,
    ) -> Option<Outcome> {
        let nothing = Map::new();
        let arguments = params
            .get("arguments")
            .and_then(Value::as_object)
            .unwrap_or(&nothing);
        let known = ["list_orders", "refund_order", "cancel_refund", "read_notes"];
        if wish.tool_error && known.contains(&name) {
            return Some(Err("as you wish".to_owned()));
        }
        if let Some(text) = wish.say.as_ref().filter(|_| known.contains(&name)) {
            return Some(Ok((text.clone(), json!({"text": text}))));
        }
        Some(match name {
            "list_orders" => {
                let customer = arguments.get("customer").and_then(Value::as_str);
                let orders = match &self.api {
                    Some(api) => api.orders(customer, &api::context(params, asked)).await,
                    None => Ok(orders::of(customer)),
                };
                orders.map(|orders| (orders.to_string(), json!({"orders": orders})))
            }
            "refund_order" => self.shop.refund(arguments),
            "cancel_refund" => self.shop.cancel(arguments),
            "read_notes" => Ok((NOTES.to_owned(), json!({"notes": NOTES}))),
            _ => return None,
        })
    }
}

const INSTRUCTIONS: &str = "Tools of a small shop.";

fn info() -> Value {
    json!({"name": "trilithon-sample-tools", "version": env!("CARGO_PKG_VERSION")})
}

fn discovered() -> Value {
    json!({
        "resultType": "complete", "supportedVersions": [Era::FIRST_MODERN], "capabilities": {"tools": {}}, "serverInfo": info(),
        "instructions": INSTRUCTIONS, "ttlMs": 60_000, "cacheScope": "public",
    })
}

fn result(outcome: Outcome, era: Era) -> Value {
    let mut result = match era {
        Era::Legacy => json!({}),
        Era::Modern => json!({"resultType": "complete"}),
    };
    let (text, data) = outcome.map_or_else(|why| (why, None), |(text, data)| (text, Some(data)));
    result["content"] = json!([{"type": "text", "text": text}]);
    match data {
        Some(data) => result["structuredContent"] = data,
        None => result["isError"] = json!(true),
    }
    result
}

/// The steps of a call whose caller wants to hear of them and takes a stream.
fn progress(params: &Map<String, Value>, asked: &Asked) -> Option<Vec<Value>> {
    let token = params.get("_meta")?.get("progressToken")?;
    let mut accept = asked.headers.get_all(b"Accept");
    accept
        .any(|line| String::from_utf8_lossy(line).contains("text/event-stream"))
        .then(|| {
            let step = |n| {
                let params = json!({"progressToken": token, "progress": n, "total": STEPS});
                json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            };
            (1..=STEPS).map(step).collect()
        })
}
