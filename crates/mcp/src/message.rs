//! One message of JSON-RPC 2.0 as MCP takes it, read where it lies. Whoever decides by it must read what the server will read: what
//! two readers could take for two messages is refused.

use crate::{Era, error, part};
use bytes::Bytes;
use serde_json::{Map, Value as Tree};
use std::borrow::Cow;
use std::fmt;
use trilithon_flow::mcp_call::{Asked, Layout, McpCall, Parts, Subject};
use trilithon_flow::model_call::name as cut;
use trilithon_flow::record::Name;
use trilithon_wire::json::{self, Kind, Value};

/// Where each request of the second era says which revision it follows, in `_meta`.
pub const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Where it says what its client can do.
pub const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// Where it says what its client wants to be told.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Where it says who its client is.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

/// A message of a client.
#[derive(Debug)]
pub struct Message<'j> {
    /// `None` for an answer to something that the server asked.
    pub method: Option<Cow<'j, str>>,
    /// `None` for a notification.
    pub id: Option<Value<'j>>,
    /// What names the thing that is asked for, where the method has such a thing.
    name: Option<Cow<'j, str>>,
    version: Option<Cow<'j, str>>,
    doc: &'j str,
    parts: Parts,
}

/// Why a text is not taken for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// JSON-RPC's code.
    pub code: i64,
    pub message: String,
    /// The message's `id`, as it is written, where it could be read.
    pub id: Option<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}

fn invalid(message: impl Into<String>) -> Invalid {
    Invalid {
        code: error::INVALID_REQUEST,
        message: message.into(),
        id: None,
    }
}

fn no_json(error: json::Error) -> Invalid {
    Invalid {
        code: error::PARSE_ERROR,
        ..invalid(format!("no JSON: {error}"))
    }
}

fn ambiguous(error: json::Error) -> Invalid {
    invalid(format!("not the same to all readers: {error}"))
}

/// The parameter that names what a method is about; the headers of the second era repeat it (`Mcp-Name`).
fn naming(method: &str) -> Option<(&'static str, usize)> {
    match method {
        "tools/call" | "prompts/get" => Some(("name", part::NAME)),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Some(("uri", part::URI)),
        "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => Some(("taskId", part::TASK_ID)),
        _ => None,
    }
}

/// Whether rules decide by that name: what has none is refused here. For the rest it is the server's to say what is missing, or that
/// its revision has no such method.
fn is_named(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

impl<'j> Message<'j> {
    /// Reads a message.
    ///
    /// # Errors
    /// It is no JSON, or not the same JSON to all readers ([`json::find_alike`]); several messages at once; no message
    /// of JSON-RPC 2.0; parameters that are no object; something without the name that its method needs.
    pub fn read(body: &'j [u8]) -> Result<Message<'j>, Invalid> {
        let (root, parts) = part::find(body).map_err(no_json)?;
        match root.kind() {
            Kind::Object => {}
            Kind::Array => return Err(invalid("several messages at once are not taken: send each alone")),
            _ => return Err(invalid("a message is an object")),
        }
        let message = Message::of(root.doc(), parts.map_err(ambiguous)?);
        message.check().map_err(|error| Invalid {
            id: message.known_id(),
            ..error
        })?;
        Ok(message)
    }

    /// Reads a message, if this is not its layout: then it was read before.
    ///
    /// # Errors
    /// As [`read`](Message::read).
    pub fn known(body: &'j Bytes, layout: Option<&'j Layout>) -> Result<Message<'j>, Invalid> {
        match layout.filter(|layout| layout.is_of(body)) {
            Some(layout) => Ok(Message::again(layout)),
            None => Message::read(body),
        }
    }

    /// A message that was read before.
    pub(crate) fn again(layout: &'j Layout) -> Message<'j> {
        // What was read is UTF-8.
        let doc = std::str::from_utf8(&layout.body).unwrap_or_default();
        Message::of(doc, layout.parts.clone())
    }

    /// Where its parts stand in `body`, which it was read from.
    pub fn layout(&self, body: Bytes) -> Layout {
        Layout {
            body,
            parts: self.parts.clone(),
        }
    }

    fn of(doc: &'j str, mut parts: Parts) -> Message<'j> {
        if parts.get(part::METHOD).is_none() {
            // Parameters of an answer say nothing to anybody.
            parts.truncate(part::METHOD);
        }
        let text = |part| Some(parts.value(doc, part)?.text()?.to_str());
        let method = text(part::METHOD);
        let method_text = method.as_deref().unwrap_or_default();
        let name = naming(method_text).and_then(|(_, part)| text(part));
        let offered = || text(part::OFFERED).filter(|_| method_text == "initialize");
        Message {
            version: text(part::VERSION).or_else(offered),
            id: parts.value(doc, part::ID),
            method,
            name,
            doc,
            parts,
        }
    }

    /// The `id`, where it is one, for whoever is told what is wrong.
    fn known_id(&self) -> Option<String> {
        let id = self.id.as_ref().filter(|id| is_id(id))?;
        Some(id.raw().to_owned())
    }

    /// Whether it is a message of JSON-RPC, and says what rules decide by.
    fn check(&self) -> Result<(), Invalid> {
        let has = |part| self.parts.get(part).is_some();
        if self.id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(invalid("`id` is neither text nor a whole number"));
        }
        if !self
            .value(part::JSONRPC)
            .and_then(|v| v.text())
            .is_some_and(|t| t.is("2.0"))
        {
            return Err(invalid("`jsonrpc` is not \"2.0\""));
        }
        if !has(part::METHOD) {
            return match (has(part::RESULT), has(part::ERROR), &self.id) {
                (true, false, Some(_)) | (false, true, _) => Ok(()),
                _ => Err(invalid("neither a request nor an answer: there is no `method`")),
            };
        }
        if has(part::RESULT) || has(part::ERROR) {
            return Err(invalid("`method` stands beside `result` or `error`"));
        }
        if self.method().is_empty() {
            return Err(invalid("`method` is no text"));
        }
        if self.params().is_some_and(|p| p.kind() != Kind::Object) {
            return Err(invalid("`params` is no object"));
        }
        match naming(self.method()) {
            Some((wanted, _)) if self.name.is_none() && is_named(self.method()) => Err(Invalid {
                code: error::INVALID_PARAMS,
                ..invalid(format!("`params.{wanted}` is no text"))
            }),
            _ => Ok(()),
        }
    }

    /// The method; empty for an answer.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// One of its [parts](part).
    pub fn value(&self, part: usize) -> Option<Value<'j>> {
        self.parts.value(self.doc, part)
    }

    /// The parameters, where there are some.
    pub fn params(&self) -> Option<Value<'j>> {
        self.value(part::PARAMS)
    }

    /// What names the thing that is asked for: a tool, a prompt, the address of a resource, a task.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The revision that it says to follow: of each request of the second era, and of `initialize`.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The era, by what it says of itself, or else by the header's revision.
    pub fn era(&self, header: Option<&str>) -> Era {
        // A client of both eras may offer any revision to `initialize`, which only the first has.
        match self.method() {
            "initialize" => Era::Legacy,
            _ => Era::of(self.version().or(header).unwrap_or_default()),
        }
    }

    /// The parameters as a tree; empty where there are none.
    pub fn tree(&self) -> Map<String, Tree> {
        let read = |params: Value<'_>| serde_json::from_str(params.raw()).ok();
        // What is the same to all readers can be read.
        self.params().and_then(read).unwrap_or_default()
    }

    /// What it asks for, as policies see it. `body` is what it was read from, `call` what the record says of it.
    pub fn asked(&self, body: &Bytes, call: &McpCall) -> Asked {
        // What the record says of a name is cut where it is long.
        let whole = |name: &Name, text: &str| (name.len() == text.len()).then(|| name.clone());
        let method = whole(&call.method, self.method());
        let naming = naming(self.method()).and_then(|(param, _)| {
            let name = whole(call.subject.name()?, self.name()?)?;
            Some((param, name))
        });
        let params = self.params().map(|params| params.range());
        Asked::read_later(
            method.unwrap_or_else(|| self.method().into()),
            body.slice(params.unwrap_or_default()),
            naming,
        )
    }

    /// What the record says of it.
    pub fn call(&self) -> McpCall {
        let named = |name: &str| cut(name);
        let subject = match (self.method(), self.name()) {
            ("tools/call", Some(name)) => Subject::Tool(named(name)),
            ("prompts/get", Some(name)) => Subject::Prompt(named(name)),
            (method, Some(uri)) if method.starts_with("resources/") => Subject::Resource(named(uri)),
            _ => Subject::None,
        };
        McpCall {
            method: named(self.method()),
            subject,
            id: self.id.as_ref().map(|id| named(id.raw())),
            version: self.version().map(named),
            ..McpCall::default()
        }
    }
}

/// Text or a whole number, as it is written.
pub(crate) fn is_id(id: &Value<'_>) -> bool {
    match id.kind() {
        Kind::String => true,
        Kind::Number => id.raw().parse::<i64>().is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
