//! The one form of an entry about a request.

use super::time;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::net::IpAddr;
use std::time::SystemTime;
use trilithon_flow::FaultKind;
use trilithon_flow::mcp_call::Told;
use trilithon_flow::trace::{SpanId, TraceId};

/// The form of a request.
#[derive(Serialize)]
pub struct RequestEntry<'a> {
    #[serde(serialize_with = "time")]
    pub time: SystemTime,
    pub kind: &'static str,
    pub actor: Actor<'a>,
    pub request: What<'a>,
    pub outcome: Outcome<'a>,
    /// What was asked of a language model, and what guards saw of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Value>,
    /// What was asked of a server of tools, and how it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp: Option<Told<'a>>,
    /// How it can be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Value>,
    /// The id of the entry that it undoes, or was to undo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<&'a str>,
    /// The tool call that the exchange was made for, by the id that a model gave it.
    #[serde(rename = "toolCallId", skip_serializing_if = "Option::is_none")]
    pub tool_call: Option<Cow<'a, str>>,
    pub sizes: Sizes,
    pub milliseconds: f64,
    /// Where the exchange stands in a trace, sampled or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceIds>,
    /// The version of the configuration that was in force.
    #[serde(skip_serializing_if = "is_zero")]
    pub configuration: u64,
    /// The entry was too long: headers, claims and decisions are left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub credential: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub subject: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub issuer: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub application: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub credential_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct What<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<&'a str>,
    pub method: &'a str,
    pub scheme: &'a str,
    pub host: Cow<'a, str>,
    pub path: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub query: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(&'a str, Cow<'a, str>)>,
}

#[derive(Serialize)]
pub struct Outcome<'a> {
    pub status: u16,
    #[serde(serialize_with = "variant", skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultKind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decided<'a>>,
}

#[derive(Serialize)]
pub struct Decided<'a> {
    pub policy: &'a str,
    pub rule: Cow<'a, str>,
    pub allowed: bool,
    pub mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(&'a str, Cow<'a, str>)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceIds {
    #[serde(serialize_with = "shown")]
    pub trace_id: TraceId,
    #[serde(serialize_with = "shown")]
    pub span_id: SpanId,
}

#[derive(Serialize)]
pub struct Sizes {
    pub request: u64,
    pub response: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn shown<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The name of what there is.
fn variant<S: Serializer>(value: &Option<impl Debug>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(&format_args!("{value:?}")),
        None => serializer.serialize_none(),
    }
}
