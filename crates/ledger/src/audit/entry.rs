//! What an entry says, and its one form: JSON in one line, members in the order below, absent ones left out.

mod form;
mod request;

pub use request::Request;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::time::SystemTime;
use trilithon_flow::{Decision, Undo};

use super::log::MAX_ENTRY;
use super::redact::Redactor;
use form::{Actor, Decided, Outcome, RequestEntry, Sizes, TraceIds, What};

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
    /// Makes `line` the entry of an event, never longer than a log takes.
    pub fn write(&self, event: &Event, line: &mut Vec<u8>) {
        match event {
            Event::Request(request) => put(line, &self.request(request)),
            Event::Other(other) => put(line, other),
        }
        if line.len() <= MAX_ENTRY {
            return;
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
                put(line, &short);
            }
            Event::Other(other) => {
                let short = Other {
                    time: other.time,
                    kind: other.kind,
                    actor: Map::new(),
                    what: Map::from_iter([("cut".to_owned(), true.into())]),
                };
                put(line, &short);
            }
        }
    }

    fn request<'a>(&self, request: &'a Request) -> RequestEntry<'a> {
        let text = |text: &'a str| self.redactor.text(text);
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path, Cow::Owned(self.redactor.query(query))),
            None => (request.target.as_str(), Cow::Borrowed("")),
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
                fault: request.fault,
                decisions: request.decisions.iter().map(|d| self.decided(d)).collect(),
            },
            model: request.model.as_ref().map(|told| self.redacted(told)),
            mcp: request.mcp.as_ref().map(|call| call.told(&text)),
            undo: request.undo.as_ref().map(|undo| self.undo(undo)),
            undoes: request.undoes.as_deref(),
            tool_call: request.tool_call.as_deref().map(text),
            sizes: Sizes {
                request: request.request_bytes,
                response: request.response_bytes,
            },
            trace: request
                .trace
                .map(|(trace_id, span_id)| TraceIds { trace_id, span_id }),
            milliseconds: (request.duration.as_secs_f64() * 1e6).round() / 1e3,
            configuration: request.configuration,
            cut: false,
        }
    }

    /// The same with what must not be read taken out of its texts.
    fn redacted(&self, told: &Value) -> Value {
        match told {
            Value::String(text) => self.redactor.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.redacted(item)).collect(),
            Value::Object(members) => {
                let members = members.iter();
                Value::Object(
                    members
                        .map(|(name, value)| (name.clone(), self.redacted(value)))
                        .collect(),
                )
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => told.clone(),
        }
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
        let text = |text: &'a str| self.redactor.text(text);
        let mut actor = Actor {
            address: request.address,
            credential: "",
            subject: request.user.as_deref().map(text).unwrap_or_default(),
            issuer: Cow::default(),
            application: Cow::default(),
            credential_id: Cow::default(),
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
        let text = |text: &'a str| self.redactor.text(text);
        Decided {
            policy: &decision.policy,
            rule: text(&decision.rule),
            allowed: decision.allowed,
            mode: decision.mode.as_str(),
            facts: decision.facts.iter().map(|(n, v)| (&**n, text(v))).collect(),
        }
    }
}

fn put(line: &mut Vec<u8>, value: &impl Serialize) {
    line.clear();
    // One that was too long leaves no more behind than the longest that is taken.
    line.shrink_to(MAX_ENTRY);
    serde_json::to_writer(line, value).expect("plain data is JSON, and memory takes it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use trilithon_flow::mcp_call::Subject;
    use trilithon_flow::trace::{Capture, Propagators, Tracer};
    use trilithon_flow::{Credential, Format, Headers, Identity, McpCall, Mode, ModelCall, Record};
    use trilithon_model::install::Audit;

    fn writer() -> Writer {
        Writer {
            redactor: Redactor::new(&Audit::default()).expect("expressions"),
            claims: vec!["email".into(), "roles".into()],
        }
    }

    fn entry(record: &Record, configuration: u64) -> String {
        let event = Event::Request(Box::new(Request::of(record, &[], configuration)));
        line(&event)
    }

    fn line(event: &Event) -> String {
        // What was there before does not matter.
        let mut line = b"before".to_vec();
        writer().write(event, &mut line);
        String::from_utf8(line).expect("text")
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
            let entry: Value = serde_json::from_str(&entry(&record, 3)).expect("JSON");
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
        assert_eq!(entry(&record(), 3), want);
    }

    #[test]
    fn a_traced_request_names_its_span() {
        let tracer = Tracer::new(Propagators::default(), 1.0, Capture::default());
        let mut record = record();
        let trace = tracer.begin(&Headers::new());
        let want = (trace.id.to_string(), trace.span.to_string());
        record.trace = Some(Box::new(trace));
        let entry: Value = serde_json::from_str(&entry(&record, 0)).expect("JSON");
        assert_eq!(entry["trace"], json!({"traceId": want.0, "spanId": want.1}));
        assert_eq!(want.0.len(), 32);
    }

    #[test]
    fn other_events_keep_their_order() {
        let mut other = Other::now("process", json!({}), json!({"event": "started", "version": "1"}));
        other.time = SystemTime::UNIX_EPOCH;
        let want = r#"{"time":"1970-01-01T00:00:00.000000Z","kind":"process","what":{"event":"started","version":"1"}}"#;
        assert_eq!(line(&Event::Other(other)), want);
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
        let entry = entry(&record, 0);
        assert!(entry.len() <= MAX_ENTRY, "{}", entry.len());
        assert!(entry.ends_with(r#""cut":true}"#), "{entry}");
    }

    /// `redact` is for anything recorded: what a client names a tool, a model or a message as well, wherever that stands.
    #[test]
    fn keys_are_taken_out_of_what_calls_say() {
        const KEY: &str = "sk-live-0123456789abcdefghij";
        let message = McpCall {
            method: "tools/call".into(),
            subject: Subject::Tool(KEY.into()),
            ..McpCall::default()
        };
        let mut model = ModelCall::new(Format::Ccr);
        model.asked = Some(KEY.into());
        model.tool_calls = vec![KEY.into()];
        let entry = entry(
            &Record {
                mcp_call: Some(Box::new(McpCall {
                    batch: vec![message],
                    ..McpCall::default()
                })),
                model_call: Some(Box::new(model)),
                ..record()
            },
            0,
        );
        assert!(!entry.contains(KEY), "{entry}");
        let entry: Value = serde_json::from_str(&entry).expect("JSON");
        assert_eq!(entry["mcp"]["batch"][0]["tool"], "xxxx");
        assert_eq!(entry["model"]["modelAsked"], "xxxx");
        assert_eq!(entry["model"]["toolCallIds"], json!(["xxxx"]));
    }
}
