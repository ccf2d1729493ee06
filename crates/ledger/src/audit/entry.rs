//! What an entry says, and its one form: JSON in one line, members in the order below, absent ones left out.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trilithon_flow::record::Name;
use trilithon_flow::trace::{SpanId, TraceId};
use trilithon_flow::{Decision, Identity, Record, Undo};

use super::log::MAX_ENTRY;
use super::redact::{Redactor, cut};

/// Header values of one request that are recorded.
const MAX_HEADERS: usize = 32;
/// Decisions of one request that are recorded.
const MAX_DECISIONS: usize = 64;

/// Something to be recorded.
pub enum Event {
    /// An exchange is over.
    Request(Box<Request>),
    /// Anything else; what it says is already in its form.
    Other(Other),
}

/// An event that is no request.
#[derive(Debug, Serialize)]
pub struct Other {
    #[serde(serialize_with = "time")]
    pub time: SystemTime,
    /// `configuration`, `process`, `undo` or `log`.
    pub kind: &'static str,
    /// Who did it: a provider, a command and its user; empty for the gateway itself.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub actor: Map<String, Value>,
    /// What was done, and to what.
    pub what: Map<String, Value>,
}

impl Other {
    /// One that happens now. `what` and `actor` are objects.
    pub fn now(kind: &'static str, actor: Value, what: Value) -> Other {
        let object = |value| match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Other {
            time: SystemTime::now(),
            kind,
            actor: object(actor),
            what: object(what),
        }
    }
}

/// What an exchange leaves for the audit log: taken on the worker, formatted elsewhere.
pub struct Request {
    started: Option<SystemTime>,
    duration: Duration,
    address: Option<IpAddr>,
    identity: Option<Arc<Identity>>,
    user: Option<String>,
    entry_point: Option<Name>,
    method: String,
    scheme: &'static str,
    host: String,
    target: String,
    router: Option<Name>,
    service: Option<Name>,
    headers: Vec<(String, String)>,
    status: u16,
    fault: Option<String>,
    decisions: Vec<Decision>,
    /// What was asked of a language model.
    model: Option<Value>,
    /// What was asked of a server of tools.
    mcp: Option<Value>,
    /// How it can be undone, and the entry that it undoes.
    undo: Option<Undo>,
    undoes: Option<Name>,
    /// The tool call of a model that it was made for.
    tool_call: Option<Name>,
    request_bytes: u64,
    response_bytes: u64,
    trace: Option<(TraceId, SpanId)>,
    configuration: u64,
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
            fault: record.fault.as_ref().map(|f| format!("{:?}", f.kind)),
            decisions: record.decisions.iter().take(MAX_DECISIONS).cloned().collect(),
            model: record.model_call.as_ref().map(|call| call.told()),
            mcp: record.mcp_call.as_ref().map(|call| call.told()),
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

/// The form of a request.
#[derive(Serialize)]
struct RequestEntry<'a> {
    #[serde(serialize_with = "time")]
    time: SystemTime,
    kind: &'static str,
    actor: Actor<'a>,
    request: What<'a>,
    outcome: Outcome<'a>,
    /// What was asked of a language model, and what guards saw of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a Value>,
    /// What was asked of a server of tools, and how it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<Value>,
    /// How it can be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Value>,
    /// The id of the entry that it undoes, or was to undo.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<&'a str>,
    /// The tool call that the exchange was made for, by the id that a model gave it.
    #[serde(rename = "toolCallId", skip_serializing_if = "Option::is_none")]
    tool_call: Option<String>,
    sizes: Sizes,
    milliseconds: f64,
    /// Where the exchange stands in a trace, sampled or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<TraceIds>,
    /// The version of the configuration that was in force.
    #[serde(skip_serializing_if = "is_zero")]
    configuration: u64,
    /// The entry was too long: headers, claims and decisions are left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "str::is_empty")]
    credential: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    issuer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    application: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    credential_id: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    claims: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct What<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_point: Option<&'a str>,
    method: &'a str,
    scheme: &'a str,
    host: String,
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    router: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(&'a str, String)>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    decisions: Vec<Decided<'a>>,
}

#[derive(Serialize)]
struct Decided<'a> {
    policy: &'a str,
    rule: String,
    allowed: bool,
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<(&'a str, String)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TraceIds {
    trace_id: String,
    span_id: String,
}

#[derive(Serialize)]
struct Sizes {
    request: u64,
    response: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn time<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:.6}", stamp(*time)))
}

/// A time as entries write it; one that no calendar knows is the epoch.
pub fn stamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A time that somebody wrote, such as `2026-01-31T12:00:00Z`.
pub fn time_of(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// Makes entries.
pub struct Writer {
    pub redactor: Redactor,
    /// Claims that are recorded.
    pub claims: Vec<String>,
}

impl Writer {
    /// The entry of an event, never longer than a log takes.
    pub fn entry(&self, event: &Event) -> Vec<u8> {
        let bytes = match event {
            Event::Request(request) => line(&self.request(request)),
            Event::Other(other) => line(other),
        };
        if bytes.len() <= MAX_ENTRY {
            return bytes;
        }
        match event {
            Event::Request(request) => {
                let mut short = self.request(request);
                short.actor.claims.clear();
                short.request.headers.clear();
                short.outcome.decisions.clear();
                short.model = None;
                short.mcp = None;
                short.cut = true;
                line(&short)
            }
            Event::Other(other) => line(&Other {
                time: other.time,
                kind: other.kind,
                actor: Map::new(),
                what: Map::from_iter([("cut".to_owned(), true.into())]),
            }),
        }
    }

    fn request<'a>(&self, request: &'a Request) -> RequestEntry<'a> {
        let text = |text: &str| self.redactor.text(text).into_owned();
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path, self.redactor.query(query)),
            None => (request.target.as_str(), String::new()),
        };
        RequestEntry {
            time: request.started.unwrap_or(SystemTime::UNIX_EPOCH),
            kind: "request",
            actor: self.actor(request),
            request: What {
                entry_point: request.entry_point.as_deref(),
                method: &request.method,
                scheme: request.scheme,
                host: text(&request.host),
                path: text(path),
                query,
                router: request.router.as_deref(),
                service: request.service.as_deref(),
                headers: request
                    .headers
                    .iter()
                    .map(|(n, v)| (n.as_str(), text(v)))
                    .collect(),
            },
            outcome: Outcome {
                status: request.status,
                fault: request.fault.as_deref(),
                decisions: request.decisions.iter().map(|d| self.decided(d)).collect(),
            },
            model: request.model.as_ref(),
            mcp: request.mcp.as_ref().map(|told| self.redacted(told)),
            undo: request.undo.as_ref().map(|undo| self.undo(undo)),
            undoes: request.undoes.as_deref(),
            tool_call: request.tool_call.as_deref().map(text),
            sizes: Sizes {
                request: request.request_bytes,
                response: request.response_bytes,
            },
            trace: request.trace.map(|(trace, span)| TraceIds {
                trace_id: trace.to_string(),
                span_id: span.to_string(),
            }),
            milliseconds: (request.duration.as_secs_f64() * 1e6).round() / 1e3,
            configuration: request.configuration,
            cut: false,
        }
    }

    /// The same with what must not be read taken out of its texts.
    fn redacted(&self, told: &Value) -> Value {
        let text = |value: &Value| match value {
            Value::String(text) => Value::String(self.redactor.text(text).into_owned()),
            other => other.clone(),
        };
        let members = told.as_object().into_iter().flatten();
        Value::Object(members.map(|(name, value)| (name.clone(), text(value))).collect())
    }

    /// The compensating call, whole or not at all: one with a value taken out would do something else.
    fn undo(&self, undo: &Undo) -> Value {
        let why = match &undo.call {
            Ok(call) => {
                let call = Value::Object(call.clone());
                if self.redactor.leaves(&call) {
                    return json!({"contract": &*undo.contract, "call": call});
                }
                "a value of the call that would undo it must not be recorded, or is too long".to_owned()
            }
            Err(why) => self.redactor.text(why).into_owned(),
        };
        json!({"contract": &*undo.contract, "unavailable": why})
    }

    fn actor<'a>(&self, request: &'a Request) -> Actor<'a> {
        let text = |text: &str| self.redactor.text(text).into_owned();
        let mut actor = Actor {
            address: request.address,
            credential: "",
            subject: request.user.as_deref().map(text).unwrap_or_default(),
            issuer: String::new(),
            application: String::new(),
            credential_id: String::new(),
            claims: Map::new(),
        };
        if let Some(identity) = &request.identity {
            actor.credential = identity.credential.as_str();
            actor.subject = text(&identity.subject);
            actor.issuer = text(&identity.issuer);
            actor.application = text(&identity.application);
            actor.credential_id = text(&identity.credential_id);
            let wanted = self.claims.iter();
            let claims =
                wanted.filter_map(|name| Some((name.clone(), self.claim(identity.claims.get(name)?))));
            actor.claims = claims.collect();
        }
        actor
    }

    /// A claim's value; anything but text and numbers as the text of its JSON.
    fn claim(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.redactor.text(text).into(),
            Value::Bool(_) | Value::Number(_) | Value::Null => value.clone(),
            other => self.redactor.text(&other.to_string()).into(),
        }
    }

    fn decided<'a>(&self, decision: &'a Decision) -> Decided<'a> {
        let text = |text: &str| self.redactor.text(text).into_owned();
        Decided {
            policy: &decision.policy,
            rule: text(&decision.rule),
            allowed: decision.allowed,
            mode: decision.mode.as_str(),
            facts: decision.facts.iter().map(|(n, v)| (&**n, text(v))).collect(),
        }
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::trace::{Capture, Propagators, Tracer};
    use trilithon_flow::{Credential, Headers, Mode};
    use trilithon_model::install::Audit;

    fn writer() -> Writer {
        Writer {
            redactor: Redactor::new(&Audit::default()).expect("expressions"),
            claims: vec!["email".into(), "roles".into()],
        }
    }

    fn record() -> Record {
        let mut identity = Identity::new(Credential::Jwt, "ann");
        identity.claims =
            serde_json::from_str(r#"{"email": "a@b.c", "secret": 1, "roles": ["x"]}"#).expect("JSON");
        let mut record = Record {
            started_at: Some(SystemTime::UNIX_EPOCH + Duration::from_micros(1_500_000)),
            duration: Duration::from_micros(1_234),
            entry_point: Some("web".into()),
            peer: Some("[::ffff:10.0.0.1]:5".parse().expect("an address")),
            method: "GET".into(),
            scheme: "http",
            host: "a.test".into(),
            target: "/orders/7?token=abc".into(),
            router: Some("orders@file".into()),
            status: 403,
            response_bytes: 9,
            identity: Some(identity.into()),
            ..Record::default()
        };
        record.decisions.push(Decision {
            policy: "staff@file".into(),
            rule: "Equals(`group`, `staff`)".into(),
            allowed: false,
            mode: Mode::Enforce,
            facts: Vec::new(),
        });
        record
    }

    #[test]
    fn a_compensating_call_is_told_whole_or_not() {
        let told = |call: Result<Value, &str>| {
            let undo = Undo {
                contract: "u@file".into(),
                call: call
                    .map(|call| call.as_object().cloned().unwrap_or_default())
                    .map_err(str::to_owned),
            };
            let record = Record {
                undo: Some(undo.into()),
                undoes: Some("1/7".into()),
                ..record()
            };
            let event = Event::Request(Box::new(Request::of(&record, &[], 3)));
            let entry: Value = serde_json::from_slice(&writer().entry(&event)).expect("JSON");
            assert_eq!(entry["undoes"], "1/7");
            entry["undo"].clone()
        };
        let call = json!({"method": "DELETE", "path": "/orders/7"});
        assert_eq!(
            told(Ok(call.clone())),
            json!({"contract": "u@file", "call": call})
        );
        assert_eq!(told(Err("why"))["unavailable"], "why");
        let secret = told(Ok(json!({"body": {"key": "sk-live-0123456789abcdefghij"}})));
        assert!(
            secret["call"].is_null() && !secret.to_string().contains("sk-live"),
            "{secret}"
        );
    }

    #[test]
    fn a_request_has_one_form() {
        let event = Event::Request(Box::new(Request::of(&record(), &[], 3)));
        let text = String::from_utf8(writer().entry(&event)).expect("text");
        let want = concat!(
            r#"{"time":"1970-01-01T00:00:01.500000Z","kind":"request","#,
            r#""actor":{"address":"10.0.0.1","credential":"jwt","subject":"ann","#,
            r#""claims":{"email":"a@b.c","roles":"[\"x\"]"}},"#,
            r#""request":{"entryPoint":"web","method":"GET","scheme":"http","host":"a.test","path":"/orders/7","#,
            r#""query":"token=xxxx","router":"orders@file"},"#,
            r#""outcome":{"status":403,"decisions":[{"policy":"staff@file","rule":"Equals(`group`, `staff`)","#,
            r#""allowed":false,"mode":"enforce"}]},"#,
            r#""sizes":{"request":0,"response":9},"milliseconds":1.234,"configuration":3}"#
        );
        assert_eq!(text, want);
    }

    #[test]
    fn a_traced_request_names_its_span() {
        let tracer = Tracer::new(Propagators::default(), 1.0, Capture::default());
        let mut record = record();
        let trace = tracer.begin(&Headers::new());
        let want = (trace.id.to_string(), trace.span.to_string());
        record.trace = Some(Box::new(trace));
        let event = Event::Request(Box::new(Request::of(&record, &[], 0)));
        let entry: Value = serde_json::from_slice(&writer().entry(&event)).expect("JSON");
        assert_eq!(entry["trace"], json!({"traceId": want.0, "spanId": want.1}));
        assert_eq!(want.0.len(), 32);
    }

    #[test]
    fn other_events_keep_their_order() {
        let mut other = Other::now("process", json!({}), json!({"event": "started", "version": "1"}));
        other.time = SystemTime::UNIX_EPOCH;
        let text = String::from_utf8(writer().entry(&Event::Other(other))).expect("text");
        let want = r#"{"time":"1970-01-01T00:00:00.000000Z","kind":"process","what":{"event":"started","version":"1"}}"#;
        assert_eq!(text, want);
    }

    #[test]
    fn no_entry_is_too_long() {
        let mut record = record();
        let long = "\u{1}".repeat(4 << 10);
        record.target.clone_from(&long);
        let decision = record.decisions[0].clone();
        record.decisions = vec![decision; 1000];
        for decision in &mut record.decisions {
            decision.rule = long.clone().into();
        }
        let event = Event::Request(Box::new(Request::of(&record, &[], 0)));
        let entry = writer().entry(&event);
        assert!(entry.len() <= MAX_ENTRY, "{}", entry.len());
        assert!(String::from_utf8_lossy(&entry).ends_with(r#""cut":true}"#));
    }
}
