//! The server that a client talks to: stateless, in both eras. It has tools and nothing else.

use super::{Api, Tool};
use crate::error::{self, HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND};
use crate::{Era, Message, header};
use serde_json::{Map, Value, json};
use trilithon_wire::Headers;

/// The revisions of the first era that are spoken; the last one is offered to who asks for another.
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// How long clients may keep the list, in milliseconds: a document that changes is seen within that time.
const KEEP_MS: u64 = 60_000;

/// What is done with a message.
pub enum Reply<'a> {
    /// A notification, or an answer to a question that nobody asked: taken, with nothing to say (202).
    Taken,
    /// An answer: status, and a message of JSON-RPC.
    Message(u16, Vec<u8>),
    /// A tool is called.
    Call(Call<'a>),
}

/// A call of a tool.
pub struct Call<'a> {
    pub tool: &'a Tool,
    pub arguments: Map<String, Value>,
    pub era: Era,
    /// Its `id`, as it is written.
    pub id: String,
}

impl Call<'_> {
    /// The answer with this result.
    pub fn answer(&self, result: &Value) -> Vec<u8> {
        success(&self.id, result)
    }

    /// The answer that says why the call was not made, for the model to read.
    pub fn refusal(&self, why: &str) -> Vec<u8> {
        error::tool_result(&self.id, self.era, why)
    }
}

fn success(id: &str, result: &Value) -> Vec<u8> {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}").into_bytes()
}

/// What to do with a message that came with these headers.
pub fn reply<'a>(api: &'a Api, message: &Message<'_>, headers: &Headers) -> Reply<'a> {
    let said = headers.get_str(header::PROTOCOL_VERSION);
    let era = message.era(said);
    let Some(id) = message.id.as_ref().map(|id| id.raw().to_owned()) else {
        return Reply::Taken;
    };
    if message.method.is_none() {
        return Reply::Taken;
    }
    let fail = |status, code, text: &str| Reply::Message(status, error::body(Some(&id), code, text));
    if let Err(mismatch) = header::verify(headers, message) {
        let text = format!(
            "header mismatch: `{}` does not say what the message says",
            mismatch.0
        );
        return fail(400, HEADER_MISMATCH, &text);
    }
    let params = message.tree();
    if era == Era::Modern
        && let Some(refusal) = modern_refusal(message, headers, &params, &id)
    {
        return refusal;
    }
    let result = match (message.method(), era) {
        ("initialize", _) => initialized(api, &params),
        ("ping", Era::Legacy) => json!({}),
        ("server/discover", Era::Modern) => discovered(api),
        ("tools/list", era) => {
            return match list(api, params.get("cursor"), &id, era) {
                Some(list) => Reply::Message(200, list),
                None => fail(
                    200,
                    INVALID_PARAMS,
                    "the cursor leads nowhere: list from the beginning, the tools may be others by now",
                ),
            };
        }
        ("tools/call", era) => return called(api, message, params, era, id),
        (method, era) => {
            let status = if era == Era::Modern { 404 } else { 200 };
            return fail(
                status,
                METHOD_NOT_FOUND,
                &format!("there is no method `{method}`"),
            );
        }
    };
    Reply::Message(200, success(&id, &result))
}

/// What a request of the second era lacks.
fn modern_refusal<'a>(
    message: &Message<'_>,
    headers: &Headers,
    params: &Map<String, Value>,
    id: &str,
) -> Option<Reply<'a>> {
    let refuse = |code, text: &str| Some(Reply::Message(400, error::body(Some(id), code, text)));
    let Some(version) = message.version() else {
        return refuse(
            INVALID_PARAMS,
            "`_meta` does not say which revision the request follows",
        );
    };
    if version != Era::FIRST_MODERN {
        let body = error::unsupported_version(Some(id), version, &[Era::FIRST_MODERN]);
        return Some(Reply::Message(400, body));
    }
    let meta = params.get("_meta").and_then(Value::as_object);
    if !meta.is_some_and(|meta| meta.contains_key("io.modelcontextprotocol/clientCapabilities")) {
        return refuse(INVALID_PARAMS, "`_meta` does not say what the client can do");
    }
    let missing = header::missing(headers, message)?;
    refuse(
        HEADER_MISMATCH,
        &format!("header mismatch: `{missing}` is missing"),
    )
}

fn initialized(api: &Api, params: &Map<String, Value>) -> Value {
    let asked = params
        .get("protocolVersion")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let version = LEGACY
        .into_iter()
        .find(|known| *known == asked)
        .unwrap_or(LEGACY[3]);
    let mut result = json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": api.server_info(),
    });
    if !api.instructions.is_empty() {
        result["instructions"] = api.instructions.as_str().into();
    }
    result
}

fn discovered(api: &Api) -> Value {
    let mut result = json!({
        "resultType": "complete",
        "supportedVersions": [Era::FIRST_MODERN],
        "capabilities": {"tools": {}},
        "ttlMs": KEEP_MS,
        "cacheScope": "public",
        "_meta": {"io.modelcontextprotocol/serverInfo": api.server_info()},
    });
    if !api.instructions.is_empty() {
        result["instructions"] = api.instructions.as_str().into();
    }
    result
}

/// A page of the list; `None` for a cursor that is none of this list.
fn list(api: &Api, cursor: Option<&Value>, id: &str, era: Era) -> Option<Vec<u8>> {
    let page = api.pages.page(cursor)?;
    let hints = match era {
        Era::Legacy => String::new(),
        Era::Modern => {
            format!(",\"resultType\":\"complete\",\"ttlMs\":{KEEP_MS},\"cacheScope\":\"public\"")
        }
    };
    let next = page
        .next
        .map_or_else(String::new, |cursor| format!(",\"nextCursor\":\"{cursor}\""));
    let tools: Vec<&str> = api.tools.get(page.tools)?.iter().map(Tool::listed).collect();
    let tools = tools.join(",");
    let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"tools\":[{tools}]{next}{hints}}}}}");
    Some(text.into_bytes())
}

fn called<'a>(
    api: &'a Api,
    message: &Message<'_>,
    mut params: Map<String, Value>,
    era: Era,
    id: String,
) -> Reply<'a> {
    let fail = |code, text: &str| Reply::Message(200, error::body(Some(&id), code, text));
    let Some(tool) = message.name().and_then(|name| api.tool(name)) else {
        return fail(INVALID_PARAMS, "there is no such tool");
    };
    let arguments = match params.remove("arguments") {
        None => Map::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return fail(INVALID_REQUEST, "`arguments` is no object"),
    };
    Reply::Call(Call {
        tool,
        arguments,
        era,
        id,
    })
}
