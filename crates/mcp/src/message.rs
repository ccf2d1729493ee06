//! One message of JSON-RPC 2.0 as MCP takes it, read where it lies. Whoever decides by it must read what the server will read: what
//! two readers could take for two messages is refused.

use crate::{Era, error};
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use trilithon_flow::mcp_call::{Asked, Layout, McpCall, Subject};
use trilithon_flow::model_call::name as cut;
use trilithon_flow::record::Name;
use trilithon_wire::json::{self, Kind, Value};

/// Where each request of the second era says which revision it follows.
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
    params: Option<Value<'j>>,
    /// What stands beside the parameters.
    meta: Option<Value<'j>>,
    /// What names the thing that is asked for, where the method has such a thing.
    name: Option<Cow<'j, str>>,
    version: Option<Cow<'j, str>>,
    places: Places,
}

/// Where the texts stand.
#[derive(Debug, Default)]
struct Places {
    method: Option<Range<usize>>,
    name: Option<Range<usize>>,
    version: Option<Range<usize>>,
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
fn naming(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => Some("taskId"),
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
    /// It is no JSON, or not the same JSON to all readers ([`json::parse_alike`]); several messages at once; no message
    /// of JSON-RPC 2.0; parameters that are no object; something without the name that its method needs.
    pub fn read(body: &'j [u8]) -> Result<Message<'j>, Invalid> {
        let (root, alike) = json::parse_alike(body).map_err(no_json)?;
        match root.kind() {
            Kind::Object => {}
            Kind::Array => return Err(invalid("several messages at once are not taken: send each alone")),
            _ => return Err(invalid("a message is an object")),
        }
        alike.map_err(ambiguous)?;
        Message::of(&root)
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

    /// Finds the parts of a message again, which was read before.
    pub(crate) fn again(layout: &'j Layout) -> Message<'j> {
        // What was read is UTF-8.
        let doc = std::str::from_utf8(&layout.body).unwrap_or_default();
        let value = |part: &Option<Range<usize>>| Some(Value::at(doc, part.clone()?));
        let text = |part| Some(value(part)?.text()?.to_str());
        Message {
            method: text(&layout.method),
            id: value(&layout.id),
            params: value(&layout.params),
            meta: value(&layout.meta),
            name: text(&layout.name),
            version: text(&layout.version),
            places: Places {
                method: layout.method.clone(),
                name: layout.name.clone(),
                version: layout.version.clone(),
            },
        }
    }

    /// Where its parts stand in `body`, which it was read from.
    pub fn layout(&self, body: Bytes) -> Layout {
        let range = |value: &Option<Value<'j>>| value.as_ref().map(Value::range);
        Layout {
            body,
            id: range(&self.id),
            method: self.places.method.clone(),
            params: range(&self.params),
            meta: range(&self.meta),
            name: self.places.name.clone(),
            version: self.places.version.clone(),
        }
    }

    fn of(root: &Value<'j>) -> Result<Message<'j>, Invalid> {
        let names = ["jsonrpc", "id", "method", "params", "result", "error"];
        let [jsonrpc, id, method, params, result, error] = root.fields(names).map_err(ambiguous)?;
        if let Some(id) = &id
            && !is_id(id)
        {
            return Err(invalid("`id` is neither text nor a whole number"));
        }
        let known = id.as_ref().map(Value::raw);
        let refuse = |message: &str| Invalid {
            id: known.map(str::to_owned),
            ..invalid(message)
        };
        if !jsonrpc.and_then(|v| v.text()).is_some_and(|t| t.is("2.0")) {
            return Err(refuse("`jsonrpc` is not \"2.0\""));
        }
        let Some(method) = method else {
            return match (result, error, &id) {
                (Some(_), None, Some(_)) | (None, Some(_), _) => Ok(Message {
                    method: None,
                    id,
                    params: None,
                    meta: None,
                    name: None,
                    version: None,
                    places: Places::default(),
                }),
                _ => Err(refuse("neither a request nor an answer: there is no `method`")),
            };
        };
        if result.is_some() || error.is_some() {
            return Err(refuse("`method` stands beside `result` or `error`"));
        }
        let method_at = method.range();
        let method = method.text().map(|t| t.to_str()).filter(|m| !m.is_empty());
        let method = method.ok_or_else(|| refuse("`method` is no text"))?;
        if params.as_ref().is_some_and(|p| p.kind() != Kind::Object) {
            return Err(refuse("`params` is no object"));
        }
        let about = match &params {
            Some(params) => About::read(&method, params).map_err(|error| Invalid {
                id: known.map(str::to_owned),
                ..ambiguous(error)
            })?,
            None => About::default(),
        };
        if let (Some(wanted), None) = (naming(&method), &about.name)
            && is_named(&method)
        {
            return Err(Invalid {
                code: error::INVALID_PARAMS,
                ..refuse(&format!("`params.{wanted}` is no text"))
            });
        }
        Ok(Message {
            method: Some(method),
            id,
            params,
            meta: about.meta,
            places: Places {
                method: Some(method_at),
                name: about.name.as_ref().map(|(at, _)| at.clone()),
                version: about.version.as_ref().map(|(at, _)| at.clone()),
            },
            name: about.name.map(|(_, text)| text),
            version: about.version.map(|(_, text)| text),
        })
    }

    /// The method; empty for an answer.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// The parameters, where there are some.
    pub fn params(&self) -> Option<&Value<'j>> {
        self.params.as_ref()
    }

    /// What `_meta` says of it under this name.
    pub fn meta(&self, name: &str) -> Option<Value<'j>> {
        self.meta.as_ref()?.get(name)
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

    /// What it asks for, as policies see it.
    ///
    /// # Errors
    /// The parameters cannot be read: they go deeper than the reader of values follows.
    pub fn asked(&self) -> Result<Asked, Invalid> {
        let params = self.params.as_ref().map(|p| serde_json::from_str(p.raw()));
        let params = params.transpose().map_err(|error| Invalid {
            id: self.id.as_ref().map(|id| id.raw().to_owned()),
            ..invalid(format!("`params` cannot be read: {error}"))
        })?;
        Ok(Asked {
            method: Name::from(self.method()),
            params: params.unwrap_or_default(),
        })
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

/// What the parameters say that a message is about.
#[derive(Default)]
struct About<'j> {
    name: Option<(Range<usize>, Cow<'j, str>)>,
    version: Option<(Range<usize>, Cow<'j, str>)>,
    meta: Option<Value<'j>>,
}

impl<'j> About<'j> {
    fn read(method: &str, params: &Value<'j>) -> Result<About<'j>, json::Error> {
        let fields = ["name", "uri", "taskId", "arguments", "_meta", "protocolVersion"];
        let [name, uri, task, _, meta, offered] = params.fields(fields)?;
        let text = |value: Option<Value<'j>>| value.and_then(|v| Some((v.range(), v.text()?.to_str())));
        let name = match naming(method) {
            Some("name") => text(name),
            Some("uri") => text(uri),
            Some(_) => text(task),
            None => None,
        };
        let version = match &meta {
            Some(meta) => {
                let [version] = meta.fields([VERSION])?;
                text(version)
            }
            None => None,
        };
        let offered = || text(offered.filter(|_| method == "initialize"));
        Ok(About {
            name,
            version: version.or_else(offered),
            meta,
        })
    }
}

#[cfg(test)]
mod tests;
