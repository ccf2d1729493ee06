//! `undo`, and the contracts of tools in `mcp`.

use std::collections::BTreeMap;

use serde_json::Value;
use trilithon_model_derive::Config;

/// Says how what a request did can be undone: the compensating call goes into the audit log with the request, and
/// `trilithon undo` sends it later, through this gateway, as whoever undoes. For calls of tools, `mcp` has an `undo` of its own.
///
/// Templates name what the request and its answer said: `${request.path}`, `${request.query.NAME}`, `${request.header.NAME}`,
/// `${request.body.FIELD}`, `${response.status}`, `${response.header.NAME}`, `${response.location}`, `${response.body.FIELD}`.
/// Fields are those of JSON bodies; `order.items.0.id` goes deeper. Nothing is kept of a request that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Undo {
    /// Methods of requests that can be undone; POST, PUT, PATCH and DELETE when empty.
    pub methods: Vec<String>,
    /// The compensating call. Required.
    pub request: Option<UndoRequest>,
    /// Bytes of the largest request body that is read, where a template names a field of it; a larger one gets 413.
    #[config(default = 1_048_576)]
    pub max_request_body_size: i64,
}

/// A compensating HTTP request. It goes to the host and the entry point of the request that it undoes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct UndoRequest {
    /// Its method.
    #[config(default = "DELETE".to_owned())]
    pub method: String,
    /// Template of its path: `/orders/${response.body.id}`. A value fills one segment, escaped; `request.path` and
    /// `response.location` are paths. Required.
    pub path: String,
    /// Templates of header values. Credentials have no place here: whoever undoes brings their own.
    pub headers: BTreeMap<String, String>,
    /// Template of its JSON body; none when absent. A text that is nothing but one name becomes the value itself.
    pub body: Option<Value>,
}

/// How a tool's call can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpUndo {
    /// The tool whose calls can be undone. Required.
    pub tool: String,
    /// The compensating call. Required.
    pub call: Option<McpUndoCall>,
}

/// A compensating call of a tool, to the same server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpUndoCall {
    /// The tool that is called. Required.
    pub tool: String,
    /// Templates of its arguments, over `${arguments.FIELD}` and `${result.FIELD}`: what the call that is undone was given, and
    /// its structured result, or its only text where that is JSON. A text that is nothing but one name becomes the value itself.
    pub arguments: BTreeMap<String, Value>,
}
