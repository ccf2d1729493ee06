//! One exchange as the page tells it. Queries, headers, bodies and the facts of decisions are left out: they may hold what is not for
//! everybody who sees the page.

use super::millis;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trilithon_flow::model_call::{Coverage, Verdict};
use trilithon_flow::record::Name;
use trilithon_flow::trace::TraceId;
use trilithon_flow::{Identity, McpCall, Mode, ModelCall, Record};

/// Decisions and verdicts of one exchange that are told.
const MAX_DECISIONS: usize = 16;
/// Bytes of a path or a rule that are told.
const MAX_TEXT: usize = 160;

/// What is kept of an exchange.
pub struct Call {
    pub at: SystemTime,
    duration: Duration,
    identity: Option<Arc<Identity>>,
    user: Option<String>,
    peer: Option<String>,
    router: Option<Name>,
    method: String,
    path: String,
    status: u16,
    fault: Option<String>,
    decisions: Vec<Decided>,
    subject: Subject,
    tool_call: Option<Name>,
    trace: Option<TraceId>,
}

struct Decided {
    policy: Name,
    rule: String,
    allowed: bool,
    mode: Mode,
}

/// What went through which gate.
enum Subject {
    Api,
    Model {
        model: Option<Name>,
        /// Tokens in and out.
        tokens: Option<(u64, u64)>,
        nano_usd: Option<i128>,
        denied_by: Option<Name>,
        guards: Vec<Judged>,
        /// Targets that were asked.
        attempts: usize,
    },
    Tool {
        method: Name,
        name: Option<Name>,
        /// The server that was asked, of several.
        server: Option<Name>,
        denied_by: Option<Name>,
        guards: Vec<Judged>,
        error: Option<Name>,
    },
}

/// A guard that did not just let it pass, and what it said.
type Judged = (Name, &'static str);

/// What guards said, each once.
fn judged(coverage: &[Coverage]) -> Vec<Judged> {
    let mut all: Vec<Judged> = Vec::new();
    for c in coverage {
        let is_told = !matches!(c.verdict, Verdict::Pass | Verdict::NotRun | Verdict::Cancelled);
        let judged = (c.guard.clone(), c.verdict.as_str());
        if is_told && all.len() < MAX_DECISIONS && !all.contains(&judged) {
            all.push(judged);
        }
    }
    all
}

fn told_of(guards: &[Judged]) -> Value {
    let told = |(guard, verdict): &Judged| json!({"guard": &**guard, "verdict": verdict});
    guards.iter().map(told).collect()
}

impl Call {
    /// What is told of an exchange; `None` for one of the gateway's own pages, and for one of the API gate that nobody decided on, that
    /// nobody is known to have asked, and that did not fail.
    pub fn of(record: &Record) -> Option<Call> {
        let subject = Subject::of(record);
        let failed = record.status >= 400 || record.fault.is_some();
        let is_plain = matches!(subject, Subject::Api)
            && record.decisions.is_empty()
            && record.identity.is_none()
            && !(failed && record.router.is_some());
        if record.internal || is_plain {
            return None;
        }
        let path = record.target.split('?').next().unwrap_or_default();
        Some(Call {
            at: record.started_at.unwrap_or(SystemTime::UNIX_EPOCH),
            duration: record.duration,
            identity: record.identity.clone(),
            user: record.user.clone().filter(|user| !user.is_empty()),
            peer: record.peer.map(|peer| peer.ip().to_canonical().to_string()),
            router: record.router.clone(),
            method: cut(&record.method),
            path: cut(path),
            status: record.status,
            fault: record.fault.as_ref().map(|fault| format!("{:?}", fault.kind)),
            decisions: record
                .decisions
                .iter()
                .take(MAX_DECISIONS)
                .map(Decided::of)
                .collect(),
            subject,
            tool_call: record.tool_call.clone(),
            trace: record.trace.as_ref().map(|trace| trace.id),
        })
    }

    /// As the API says it; what is not known is left out.
    pub fn told(&self) -> Value {
        let mut all = Map::new();
        let mut tell = |name: &str, value: Value| {
            if !value.is_null() {
                all.insert(name.to_owned(), value);
            }
        };
        tell("time", millis(self.at).into());
        tell(
            "milliseconds",
            ((self.duration.as_secs_f64() * 1e4).round() / 10.0).into(),
        );
        tell("gate", self.subject.gate().into());
        tell("caller", self.caller().into());
        tell("router", self.router.as_deref().into());
        tell("method", self.method.as_str().into());
        tell("path", self.path.as_str().into());
        tell("status", self.status.into());
        tell("fault", self.fault.as_deref().into());
        tell("decisions", self.decisions.iter().map(Decided::told).collect());
        tell("toolCallId", self.tool_call.as_deref().into());
        tell("traceId", self.trace.map(|id| id.to_string()).into());
        self.subject.tell(&mut tell);
        Value::Object(all)
    }

    /// The subject of the credential, a user, or an address.
    fn caller(&self) -> Option<&str> {
        let subject = self.identity.as_deref().map(|i| &*i.subject);
        let subject = subject.filter(|subject| !subject.is_empty());
        subject.or(self.user.as_deref()).or(self.peer.as_deref())
    }
}

impl Decided {
    fn of(decision: &trilithon_flow::Decision) -> Decided {
        Decided {
            policy: decision.policy.clone(),
            rule: cut(&decision.rule),
            allowed: decision.allowed,
            mode: decision.mode,
        }
    }

    fn told(&self) -> Value {
        json!({"policy": &*self.policy, "rule": self.rule, "allowed": self.allowed, "mode": self.mode.as_str()})
    }
}

impl Subject {
    fn of(record: &Record) -> Subject {
        match (&record.mcp_call, &record.model_call) {
            (Some(call), _) => Subject::tool(call),
            (None, Some(call)) => Subject::model(call),
            (None, None) => Subject::Api,
        }
    }

    fn tool(call: &McpCall) -> Subject {
        Subject::Tool {
            method: call.method.clone(),
            name: call.subject.name().cloned(),
            server: call.server.clone(),
            denied_by: call.denied_by.clone(),
            guards: judged(&call.coverage),
            error: call.error.clone(),
        }
    }

    fn model(call: &ModelCall) -> Subject {
        let names = [&call.served, &call.sent, &call.asked];
        Subject::Model {
            model: names.into_iter().flatten().next().cloned(),
            tokens: call.usage.map(|usage| (usage.input, usage.output)),
            nano_usd: call.cost.as_ref().map(|cost| cost.nano_usd),
            denied_by: call.denied_by.clone(),
            guards: judged(&call.coverage),
            attempts: call.legs.len(),
        }
    }

    fn gate(&self) -> &'static str {
        match self {
            Subject::Api => "api",
            Subject::Model { .. } => "ai",
            Subject::Tool { .. } => "mcp",
        }
    }

    fn tell(&self, tell: &mut impl FnMut(&str, Value)) {
        match self {
            Subject::Api => {}
            Subject::Model {
                model,
                tokens,
                nano_usd,
                denied_by,
                guards,
                attempts,
            } => {
                tell("model", model.as_deref().into());
                tell("inputTokens", tokens.map(|(input, _)| input).into());
                tell("outputTokens", tokens.map(|(_, output)| output).into());
                tell("costUsd", nano_usd.map(|nano| nano as f64 / 1e9).into());
                tell("deniedBy", denied_by.as_deref().into());
                tell("guards", told_of(guards));
                tell("attempts", (*attempts).into());
            }
            Subject::Tool {
                method,
                name,
                server,
                denied_by,
                guards,
                error,
            } => {
                tell("mcpMethod", (&**method).into());
                tell("name", name.as_deref().into());
                tell("server", server.as_deref().into());
                tell("deniedBy", denied_by.as_deref().into());
                tell("guards", told_of(guards));
                tell("error", error.as_deref().into());
            }
        }
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::mcp_call::Subject as Of;
    use trilithon_flow::{Credential, Decision, Format};

    fn told(record: &Record) -> Option<Value> {
        Call::of(record).map(|call| call.told())
    }

    fn denied() -> Decision {
        Decision {
            policy: "tools@file".into(),
            rule: "large".into(),
            allowed: false,
            mode: Mode::Enforce,
            facts: vec![("mcp.params.arguments.card".into(), "4111".into())],
        }
    }

    #[test]
    fn what_nobody_looked_at_is_not_told() {
        let plain = || Record {
            router: Some("r@file".into()),
            status: 200,
            ..Record::default()
        };
        assert_eq!(told(&plain()), None);
        let failed = Record {
            status: 502,
            ..plain()
        };
        assert!(told(&failed).is_some());
        let unrouted = Record {
            router: None,
            status: 404,
            ..plain()
        };
        assert_eq!(told(&unrouted), None);
        let mut own = Record {
            internal: true,
            ..plain()
        };
        own.decisions.push(denied());
        assert_eq!(told(&own), None);
    }

    #[test]
    fn a_refused_tool() {
        let call = McpCall {
            method: "tools/call".into(),
            subject: Of::Tool("pay".into()),
            denied_by: Some("tools@file".into()),
            ..McpCall::default()
        };
        let record = Record {
            identity: Some(Identity::new(Credential::Jwt, "ada").into()),
            target: "/mcp?token=secret".into(),
            mcp_call: Some(call.into()),
            decisions: vec![denied()],
            status: 403,
            ..Record::default()
        };
        let told = told(&record).expect("a call");
        let want = [
            ("gate", "mcp"),
            ("caller", "ada"),
            ("path", "/mcp"),
            ("name", "pay"),
            ("deniedBy", "tools@file"),
        ];
        for (name, value) in want {
            assert_eq!(told[name], value, "{told}");
        }
        assert_eq!(told["decisions"][0]["rule"], "large");
        let text = told.to_string();
        assert!(!text.contains("secret") && !text.contains("4111"), "{text}");
    }

    #[test]
    fn a_call_of_a_model() {
        let call = ModelCall {
            asked: Some("auto".into()),
            served: Some("gpt-4o".into()),
            ..ModelCall::new(Format::Ccr)
        };
        let record = Record {
            model_call: Some(call.into()),
            target: "/é".repeat(200),
            ..Record::default()
        };
        let told = told(&record).expect("a call");
        assert_eq!((&told["gate"], &told["model"]), (&json!("ai"), &json!("gpt-4o")));
        assert_eq!(told.get("costUsd"), None);
        assert!(told["path"].as_str().is_some_and(|path| path.len() <= MAX_TEXT));
    }
}
