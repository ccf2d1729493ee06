//! What an exchange leaves for the audit log: taken on the worker, which formats nothing.

use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trilithon_flow::record::Name;
use trilithon_flow::trace::{SpanId, TraceId};
use trilithon_flow::{Decision, FaultKind, Identity, McpCall, Record, Undo};

use crate::audit::redact::cut;

/// Header values of one request that are recorded.
const MAX_HEADERS: usize = 32;
/// Decisions of one request that are recorded.
const MAX_DECISIONS: usize = 64;

/// An exchange, as its entry tells it; each text no longer than an entry holds.
pub struct Request {
    pub(super) started: Option<SystemTime>,
    pub(super) duration: Duration,
    pub(super) address: Option<IpAddr>,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) user: Option<String>,
    pub(super) entry_point: Option<Name>,
    pub(super) method: String,
    pub(super) scheme: &'static str,
    pub(super) host: String,
    pub(super) target: String,
    pub(super) router: Option<Name>,
    pub(super) service: Option<Name>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) status: u16,
    pub(super) fault: Option<FaultKind>,
    pub(super) decisions: Vec<Decision>,
    /// What was asked of a language model; what was said there stays behind.
    pub(super) model: Option<Value>,
    /// What was asked of a server of tools.
    pub(super) mcp: Option<Box<McpCall>>,
    /// How it can be undone, and the entry that it undoes.
    pub(super) undo: Option<Undo>,
    pub(super) undoes: Option<Name>,
    /// The tool call of a model that it was made for.
    pub(super) tool_call: Option<Name>,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) trace: Option<(TraceId, SpanId)>,
    pub(super) configuration: u64,
}

impl Request {
    /// Takes what is wanted of a record, each text cut to what an entry can hold. `headers` are the names of those recorded.
    pub fn of(record: &Record, headers: &[String], configuration: u64) -> Request {
        Request {
            started: record.started_at,
            duration: record.duration,
            address: record.peer.map(|p| p.ip().to_canonical()),
            identity: record.identity.clone(),
            user: record.user.clone().filter(|u| !u.is_empty()),
            entry_point: record.entry_point.clone(),
            method: cut(&record.method).to_owned(),
            scheme: record.scheme,
            host: cut(&record.host).to_owned(),
            target: cut(&record.target).to_owned(),
            router: record.router.clone(),
            service: record.service.clone(),
            headers: recorded(record, headers),
            status: record.status,
            fault: record.fault.as_ref().map(|fault| fault.kind),
            decisions: record.decisions.iter().take(MAX_DECISIONS).cloned().collect(),
            model: record.model_call.as_ref().map(|call| call.told()),
            mcp: record.mcp_call.as_ref().map(|call| Box::new(call.excerpt())),
            undo: record.undo.as_deref().cloned(),
            undoes: record.undoes.clone(),
            tool_call: record.tool_call.clone(),
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            trace: record.trace.as_ref().map(|t| (t.id, t.span)),
            configuration,
        }
    }
}

fn recorded(record: &Record, names: &[String]) -> Vec<(String, String)> {
    let Some(list) = record.request_headers.as_ref().filter(|_| !names.is_empty()) else {
        return Vec::new();
    };
    let values = names.iter().flat_map(|name| {
        list.get_all(name.as_bytes())
            .map(move |value| (name.clone(), cut(&String::from_utf8_lossy(value)).to_owned()))
    });
    values.take(MAX_HEADERS).collect()
}
