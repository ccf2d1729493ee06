//! Spans of sampled exchanges. What they are called and what they tell is Traefik's.

use crate::attribute::{int, named, scope, text, texts};
use crate::collector::Collector;
use crate::exports::{Exports, Sender, export};
use crate::queue::Queue;
use crate::resource;
use crate::signal::Signal;
use crate::{mcp_call, model_call};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};
use trilithon_flow::record::Name;
use trilithon_flow::trace::{Call, Capture, Captured, Copies, Propagators, Recording, SpanId, TraceId, What};
use trilithon_flow::{McpCall, ModelCall, Observer, Record, Tracer, Version};
use trilithon_model::install::{Hub, Tracing};

/// How exchanges become traces. Names in `OTEL_PROPAGATORS` that are not known are said in the log.
pub fn tracer(config: &Tracing, hub: Option<&Hub>) -> Tracer {
    let names = std::env::var("OTEL_PROPAGATORS").ok();
    let (propagators, unknown) = Propagators::read(names.as_deref());
    for name in unknown {
        tracing::warn!(
            "`{name}` in OTEL_PROPAGATORS is not known and not used: known are `tracecontext`, `baggage`, `b3`, `b3multi`, `jaeger`, `none`"
        );
    }
    let capture = Capture {
        request: config.captured_request_headers.clone(),
        response: config.captured_response_headers.clone(),
    };
    Tracer::new(propagators, config.sample_rate, capture).copied(copies(hub))
}

/// The headers that tell the place in a trace once more.
fn copies(hub: Option<&Hub>) -> Copies {
    let headers = hub.and_then(|hub| hub.tracing.as_ref()?.additional_trace_headers.as_ref());
    let Some(names) = headers.and_then(|h| h.trace_context.as_ref()) else {
        return Copies::default();
    };
    let named = |name: &String| (!name.is_empty()).then(|| name.as_str().into());
    Copies {
        parent_id: named(&names.parent_id),
        trace_id: named(&names.trace_id),
        trace_parent: named(&names.trace_parent),
        trace_state: named(&names.trace_state),
    }
}

/// Sends the spans of sampled exchanges to a collector.
pub struct Traces {
    queue: Queue<Finished>,
}

/// A sampled exchange that is over.
struct Finished {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
    state: Option<Box<str>>,
    recording: Box<Recording>,
    model_call: Option<Box<ModelCall>>,
    mcp_call: Option<Box<McpCall>>,
    tool_call: Option<Name>,
    entry_point: Option<Name>,
    method: String,
    host: String,
    target: String,
    version: Version,
    scheme: &'static str,
    peer: Option<SocketAddr>,
    status: u16,
    started: Instant,
    started_at: SystemTime,
    duration: Duration,
}

impl Traces {
    /// Starts sending.
    ///
    /// # Errors
    /// A collector that cannot be made of the configuration.
    pub fn start(config: &Tracing, exports: &Exports) -> Result<Traces, String> {
        let otlp = config.otlp.clone().unwrap_or_default();
        let collector = Collector::new(Signal::Traces, otlp.grpc.as_ref(), otlp.http.as_ref())?;
        let mut attributes = config.global_attributes.clone();
        attributes.extend(config.resource_attributes.clone());
        let writer = Writer {
            resource: resource::of(&config.service_name, &attributes),
            words: Words::new(config),
        };
        let queue = Queue::new(Signal::Traces.dropped());
        let waiting = queue.clone();
        exports.spawn(move |stop| async move {
            let sender = Sender::new(Signal::Traces, collector, stop);
            export(waiting, sender, |batch| writer.message(&batch)).await;
        });
        Ok(Traces { queue })
    }
}

impl Observer for Traces {
    fn observe(&self, record: &Record) {
        if !record.is_sampled() || !self.queue.has_room() {
            return;
        }
        if let Some(finished) = Finished::of(record) {
            let bytes = finished.size();
            self.queue.push(finished, bytes);
        }
    }
}

impl Finished {
    fn of(record: &Record) -> Option<Finished> {
        // Without a method it was not looked at: the question was for the server itself.
        let trace = record.trace.as_ref().filter(|_| !record.method.is_empty())?;
        Some(Finished {
            recording: trace.take()?,
            model_call: record.model_call.clone(),
            mcp_call: record.mcp_call.clone(),
            tool_call: record.tool_call.clone(),
            trace: trace.id,
            span: trace.span,
            parent: trace.parent,
            state: trace.state.clone(),
            entry_point: record.entry_point.clone(),
            method: record.method.clone(),
            host: record.host.clone(),
            target: record.target.clone(),
            version: record.version,
            scheme: record.scheme,
            peer: record.peer,
            status: record.status,
            started: record.started?,
            started_at: record.started_at?,
            duration: record.duration,
        })
    }

    /// About how many bytes it holds.
    fn size(&self) -> usize {
        let captured = |all: &Captured| -> usize { all.iter().flat_map(|(_, v)| v).map(String::len).sum() };
        let call = |call: &Call| {
            call.target.len() + captured(&call.request_headers) + captured(&call.response_headers)
        };
        let spans = self.recording.spans.iter().map(|span| match &span.what {
            What::Call(c) => 300 + call(c),
            _ => 100,
        });
        let own = self.host.len() + self.target.len() + captured(&self.recording.request_headers);
        let agent = self.recording.user_agent.as_ref().map_or(0, String::len);
        500 + own + agent + captured(&self.recording.response_headers) + spans.sum::<usize>()
    }

    /// Nanoseconds since 1970 at an instant of this exchange.
    fn at(&self, instant: Instant) -> u64 {
        nanos(self.started_at + instant.saturating_duration_since(self.started))
    }

    fn end(&self) -> u64 {
        nanos(self.started_at + self.duration)
    }
}

/// Makes messages of finished exchanges.
struct Writer {
    resource: Resource,
    words: Words,
}

impl Writer {
    fn message(&self, batch: &[Finished]) -> Vec<u8> {
        let spans = batch.iter().flat_map(|f| self.words.spans(f)).collect();
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: scope(),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
        .encode_to_vec()
    }
}

/// What attributes are called, and what of a query is told.
struct Words {
    /// `http.request.header.<name>` for each captured header; empty for the agent, which has an attribute of its own.
    request_headers: Vec<String>,
    response_headers: Vec<String>,
    safe_query: Vec<String>,
}

impl Words {
    fn new(config: &Tracing) -> Words {
        let keys = |names: &[String], prefix: &str| {
            let key = |name: &String| match name.to_ascii_lowercase().as_str() {
                "user-agent" if prefix == REQUEST_HEADER => String::new(),
                name => format!("{prefix}{name}"),
            };
            names.iter().map(key).collect()
        };
        Words {
            request_headers: keys(&config.captured_request_headers, REQUEST_HEADER),
            response_headers: keys(&config.captured_response_headers, "http.response.header."),
            safe_query: config.safe_query_params.clone(),
        }
    }

    /// The spans of one exchange, its own first.
    fn spans(&self, f: &Finished) -> Vec<Span> {
        let mut spans = vec![self.entry_point(f)];
        spans.extend(f.recording.spans.iter().enumerate().map(|(at, span)| {
            let (name, kind, attributes, status): Told<'_> = match &span.what {
                What::Call(call) => self.call(call),
                What::ModelCall { leg } => model_call::told(f.model_call.as_deref(), own_leg(f, at, *leg)),
                What::McpCall => mcp_call::told(f.mcp_call.as_deref()),
                what => inner(what),
            };
            Span {
                span_id: span.id.bytes().to_vec(),
                parent_span_id: span.parent.bytes().to_vec(),
                name: name.into_owned(),
                kind: kind as i32,
                start_time_unix_nano: f.at(span.start),
                end_time_unix_nano: span.end.map_or_else(|| f.end(), |end| f.at(end)),
                attributes,
                status,
                ..common(f)
            }
        }));
        spans
    }

    fn entry_point(&self, f: &Finished) -> Span {
        let recording = &f.recording;
        let (path, query) = f.target.split_once('?').unwrap_or((&f.target, ""));
        let scheme = recording.scheme.as_deref().unwrap_or(f.scheme);
        let body = recording
            .body_size
            .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
        let mut all = vec![
            named("entry_point", text(f.entry_point.as_deref().unwrap_or_default())),
            named("http.request.method", text(&f.method)),
            named("network.protocol.version", text(protocol(f.version))),
            named("http.request.body.size", int(body)),
            named("url.path", text(path)),
            named("url.query", text(&redact(query, &self.safe_query))),
            named("url.scheme", text(scheme)),
            named(
                "user_agent.original",
                text(recording.user_agent.as_deref().unwrap_or_default()),
            ),
            named("server.address", text(&f.host)),
        ];
        if let Some(peer) = f.peer {
            let ip = peer.ip().to_canonical().to_string();
            for side in ["network.peer", "client"] {
                all.push(named(format!("{side}.address"), text(&ip)));
                all.push(named(format!("{side}.port"), int(i64::from(peer.port()))));
            }
        }
        if let Some(id) = &f.tool_call {
            all.push(named("gen_ai.tool.call.id", text(id)));
        }
        if let Some(version) = recording.configuration {
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            all.push(named("gateway.config.version", int(version)));
        }
        captured(&mut all, &self.request_headers, &recording.request_headers);
        all.push(named("http.response.status_code", int(i64::from(f.status))));
        captured(&mut all, &self.response_headers, &recording.response_headers);
        let parent = f.parent.map(|p| p.bytes().to_vec()).unwrap_or_default();
        Span {
            span_id: f.span.bytes().to_vec(),
            parent_span_id: parent,
            name: f.method.chars().take(MAX_NAME).collect(),
            kind: SpanKind::Server as i32,
            start_time_unix_nano: nanos(f.started_at),
            end_time_unix_nano: f.end(),
            attributes: all,
            status: (f.status >= 500).then(|| failed("")),
            ..common(f)
        }
    }

    fn call<'a>(&self, call: &'a Call) -> Told<'a> {
        let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
        let mut url = format!("{}://{}{path}", call.scheme, call.authority);
        if !query.is_empty() {
            url = format!("{url}?{}", redact(query, &self.safe_query));
        }
        let (host, port) = host_and_port(call);
        let mut all = vec![
            named("http.request.method", text(&call.method)),
            named("network.protocol.version", text(protocol(call.version))),
            named("url.full", text(&url)),
            named("url.scheme", text(call.scheme)),
            named(
                "user_agent.original",
                text(call.user_agent.as_deref().unwrap_or_default()),
            ),
            named("network.peer.address", text(host)),
            named("network.peer.port", int(port)),
            named("server.address", text(host)),
            named("server.port", int(port)),
        ];
        captured(&mut all, &self.request_headers, &call.request_headers);
        if call.status != 0 {
            all.push(named("http.response.status_code", int(i64::from(call.status))));
        }
        captured(&mut all, &self.response_headers, &call.response_headers);
        let status = match &call.failure {
            Some(why) => Some(failed(why)),
            None => (call.status >= 400).then(|| failed("")),
        };
        (call.name.into(), SpanKind::Client, all, status)
    }
}

/// Characters of a method that name a span.
const MAX_NAME: usize = 32;

const REQUEST_HEADER: &str = "http.request.header.";

/// Name, kind, attributes and status of a span.
pub type Told<'a> = (Cow<'a, str>, SpanKind, Vec<KeyValue>, Option<Status>);

/// A step that asks nobody else.
fn inner(what: &What) -> Told<'_> {
    let (mut all, mut status) = (Vec::new(), None);
    let mut say = |key: &str, value: &str| all.push(named(key, text(value)));
    let span = match what {
        What::Router { name, service, rule } => {
            say("traefik.router.name", name);
            say("traefik.service.name", service.as_deref().unwrap_or_default());
            say("http.route", rule);
            "Router"
        }
        What::Middleware { kind, name } => {
            say("traefik.middleware.name", name);
            kind
        }
        What::Retry { name, resend } => {
            say("traefik.middleware.name", name);
            if *resend > 0 {
                all.push(named("http.request.resend_count", int(i64::from(*resend))));
            }
            "Retry"
        }
        What::Service { name } => {
            say("traefik.service.name", name);
            "Service"
        }
        What::Attempt { target, failure } => {
            say("traefik.service.name", target);
            if let Some(failure) = failure {
                say("error.type", failure);
                status = Some(failed(""));
            }
            "Attempt"
        }
        What::Call(call) => call.name,
        What::ModelCall { .. } => "chat",
        What::McpCall => "mcp",
    };
    (span.into(), SpanKind::Internal, all, status)
}

/// The attempt that a span of a call is about; `None` for one that is around several.
fn own_leg(f: &Finished, at: usize, leg: usize) -> Option<usize> {
    let mut behind = f.recording.spans[at + 1..].iter();
    let is_around = behind.any(|span| matches!(span.what, What::ModelCall { leg: inner } if inner == leg));
    (!is_around).then_some(leg)
}

/// What all spans of an exchange have in common.
fn common(f: &Finished) -> Span {
    /// Sampled (W3C Trace Context §3.2.2.5.1).
    const SAMPLED: u32 = 1;
    Span {
        trace_id: f.trace.bytes().to_vec(),
        trace_state: f.state.as_deref().unwrap_or_default().to_owned(),
        flags: SAMPLED,
        ..Span::default()
    }
}

pub fn failed(why: &str) -> Status {
    Status {
        message: why.to_owned(),
        code: StatusCode::Error as i32,
    }
}

fn captured(all: &mut Vec<KeyValue>, keys: &[String], headers: &Captured) {
    for (at, values) in headers {
        if let Some(key) = keys.get(usize::from(*at)).filter(|k| !k.is_empty()) {
            all.push(named(key, texts(values)));
        }
    }
}

/// A query with the values of parameters that are not safe to tell taken out. Names are compared as they are written: one
/// that is spelt otherwise is not told.
fn redact(query: &str, safe: &[String]) -> String {
    let told = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        if pair.is_empty() || safe.iter().any(|s| s == name) {
            pair.to_owned()
        } else {
            format!("{name}=REDACTED")
        }
    };
    query.split('&').map(told).collect::<Vec<_>>().join("&")
}

/// As the attribute has it: `1.1`, `2`.
fn protocol(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2",
        Version::Http3 => "3",
    }
}

fn host_and_port(call: &Call) -> (&str, i64) {
    let default = if call.scheme == "https" { 443 } else { 80 };
    let (host, port) = match call.authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(default)),
        _ => (&*call.authority, default),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// Nanoseconds since 1970.
pub fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let check = |query: &str, want: &str| {
            assert_eq!(redact(query, &["page".to_owned()]), want);
        };
        check("", "");
        check("page=2&token=secret", "page=2&token=REDACTED");
        check("token&page", "token=REDACTED&page");
        check("pag%65=x&&a=b=c", "pag%65=REDACTED&&a=REDACTED");
    }

    #[test]
    fn servers() {
        let check = |scheme: &'static str, authority: &str, want: (&str, i64)| {
            let call = Call {
                scheme,
                authority: authority.to_owned(),
                ..Call::default()
            };
            assert_eq!(host_and_port(&call), want);
        };
        check("http", "a.test", ("a.test", 80));
        check("https", "a.test", ("a.test", 443));
        check("http", "10.0.0.1:8080", ("10.0.0.1", 8080));
        check("http", "[::1]:81", ("::1", 81));
        check("http", "[::1]", ("::1", 80));
    }

    /// The spans of an exchange that went through `walk`.
    fn spans(config: &Tracing, status: u16, walk: impl FnOnce(&mut Record)) -> Vec<Span> {
        let tracer = tracer(config, None);
        let mut record = Record {
            trace: Some(Box::new(tracer.begin(&trilithon_flow::Headers::new()))),
            method: "GET".to_owned(),
            target: "/a?token=1".to_owned(),
            started: Some(Instant::now()),
            started_at: Some(SystemTime::now()),
            status,
            duration: Duration::from_secs(1),
            ..Record::default()
        };
        walk(&mut record);
        Words::new(config).spans(&Finished::of(&record).unwrap())
    }

    fn value<'a>(span: &'a Span, key: &str) -> Option<&'a opentelemetry_proto::tonic::common::v1::AnyValue> {
        span.attributes.iter().find(|a| a.key == key)?.value.as_ref()
    }

    #[test]
    fn statuses_are_errors_of_whom_they_are() {
        let check = |status: u16, server: bool, client: bool| {
            let got = spans(&Tracing::default(), status, |record| {
                let mut req = trilithon_flow::Request::default();
                let call = record.call("ReverseProxy", &mut req, "http", "a:1");
                record.answered(&call, Ok(&trilithon_flow::Response::new(status)));
                record.leave(&call);
            });
            let errors: Vec<_> = got.iter().map(|s| s.status.is_some()).collect();
            assert_eq!(errors, [server, client], "{status}");
            assert_eq!(
                value(&got[1], "http.response.status_code"),
                Some(&int(i64::from(status)))
            );
        };
        check(200, false, false);
        check(404, false, true);
        check(503, true, true);
    }

    #[test]
    fn a_span_lies_within_its_exchange() {
        let got = spans(&Tracing::default(), 200, |record| {
            let mut req = trilithon_flow::Request::default();
            let call = record.call("AuthRequest", &mut req, "https", "a");
            record.end(&call);
        });
        let (own, call) = (&got[0], &got[1]);
        assert_eq!((own.name.as_str(), call.name.as_str()), ("GET", "AuthRequest"));
        assert_eq!(call.parent_span_id, own.span_id);
        assert!(own.start_time_unix_nano <= call.start_time_unix_nano);
        assert!(call.end_time_unix_nano < own.end_time_unix_nano);
        assert_eq!(own.end_time_unix_nano - own.start_time_unix_nano, 1_000_000_000);
        assert_eq!(value(own, "url.query"), Some(&text("token=REDACTED")));
        assert_eq!(value(call, "server.port"), Some(&int(443)));
    }

    #[test]
    fn captured_headers() {
        let config = Tracing {
            captured_request_headers: vec!["X-A".into(), "User-Agent".into()],
            captured_response_headers: vec!["X-B".into()],
            ..Tracing::default()
        };
        let got = spans(&config, 200, |record| {
            let headers = [("x-a", "1"), ("X-A", "2"), ("User-Agent", "me")]
                .into_iter()
                .collect();
            record.note_request(&trilithon_flow::Request {
                headers,
                ..Default::default()
            });
            let mut res = trilithon_flow::Response::new(200);
            res.headers.append("X-B", "3");
            record.note_response(&res);
        });
        let list = |all: &[&str]| texts(&all.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            value(&got[0], "http.request.header.x-a"),
            Some(&list(&["1", "2"]))
        );
        assert_eq!(value(&got[0], "http.response.header.x-b"), Some(&list(&["3"])));
        assert_eq!(value(&got[0], "user_agent.original"), Some(&text("me")));
        assert!(value(&got[0], "http.request.header.user-agent").is_none());
    }
}
