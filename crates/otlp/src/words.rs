//! What the spans of an exchange are called and tell. The words are Traefik's.

use crate::span::Span;
use crate::traces::Finished;
use crate::{mcp_call, model_call};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use trilithon_flow::Version;
use trilithon_flow::trace::{Call, Captured, What};
use trilithon_model::install::Tracing;

/// Characters of a method that name a span.
const MAX_NAME: usize = 32;

const REQUEST_HEADER: &str = "http.request.header.";

/// What attributes are called, and what of a query is told.
pub struct Words {
    /// `http.request.header.<name>` for each captured header; empty for the agent, which has an attribute of its own.
    request_headers: Vec<String>,
    response_headers: Vec<String>,
    safe_query: Vec<String>,
}

impl Words {
    pub fn new(config: &Tracing) -> Words {
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

    /// Writes the spans of one exchange, its own first.
    pub fn write(&self, f: &Finished, out: &mut Vec<u8>) {
        Span::write(out, &f.place(), |span| self.entry_point(f, span));
        for (at, step) in f.recording.spans.iter().enumerate() {
            Span::write(out, &f.place_of(step), |span| match &step.what {
                What::Call(call) => self.call(call, span),
                What::ModelCall { leg } => {
                    model_call::tell(f.model_call.as_deref(), own_leg(f, at, *leg), span);
                }
                What::McpCall { of } => mcp_call::tell(f.message(*of), span),
                what => inner(what, span),
            });
        }
    }

    fn entry_point(&self, f: &Finished, span: &mut Span<'_>) {
        let recording = &f.recording;
        let (path, query) = f.target.split_once('?').unwrap_or((&f.target, ""));
        span.named(beginning(&f.method), SpanKind::Server);
        span.text("entry_point", f.entry_point.as_deref().unwrap_or_default());
        span.text("http.request.method", &f.method);
        span.text("network.protocol.version", protocol(f.version));
        match recording.body_size {
            Some(size) => span.count("http.request.body.size", size),
            None => span.int("http.request.body.size", -1),
        }
        span.text("url.path", path);
        span.text("url.query", &redact(query, &self.safe_query));
        span.text("url.scheme", recording.scheme.as_deref().unwrap_or(f.scheme));
        span.text(
            "user_agent.original",
            recording.user_agent.as_deref().unwrap_or_default(),
        );
        span.text("server.address", &f.host);
        if let Some(peer) = f.peer {
            let ip = peer.ip().to_canonical().to_string();
            let port = i64::from(peer.port());
            span.text("network.peer.address", &ip);
            span.int("network.peer.port", port);
            span.text("client.address", &ip);
            span.int("client.port", port);
        }
        span.some_text("gen_ai.tool.call.id", f.tool_call.as_deref());
        if let Some(version) = recording.configuration {
            span.count("gateway.config.version", version);
        }
        captured(span, &self.request_headers, &recording.request_headers);
        span.int("http.response.status_code", i64::from(f.status));
        captured(span, &self.response_headers, &recording.response_headers);
        if f.status >= 500 {
            span.failed("");
        }
    }

    fn call(&self, call: &Call, span: &mut Span<'_>) {
        let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
        let mut url = [call.scheme, "://", &call.authority, path].concat();
        if !query.is_empty() {
            url.push('?');
            url.push_str(&redact(query, &self.safe_query));
        }
        let (host, port) = host_and_port(call);
        span.named(call.name, SpanKind::Client);
        span.text("http.request.method", &call.method);
        span.text("network.protocol.version", protocol(call.version));
        span.text("url.full", &url);
        span.text("url.scheme", call.scheme);
        span.text(
            "user_agent.original",
            call.user_agent.as_deref().unwrap_or_default(),
        );
        span.text("network.peer.address", host);
        span.int("network.peer.port", port);
        span.text("server.address", host);
        span.int("server.port", port);
        captured(span, &self.request_headers, &call.request_headers);
        if call.status != 0 {
            span.int("http.response.status_code", i64::from(call.status));
        }
        captured(span, &self.response_headers, &call.response_headers);
        match &call.failure {
            Some(why) => span.failed(why),
            None if call.status >= 400 => span.failed(""),
            None => {}
        }
    }
}

/// A step that asks nobody else.
fn inner(what: &What, span: &mut Span<'_>) {
    let name = match what {
        What::Router { .. } => "Router",
        What::Middleware { kind, .. } => kind,
        What::Retry { .. } => "Retry",
        What::Service { .. } => "Service",
        What::Attempt { .. } => "Attempt",
        What::Call(call) => call.name,
        What::ModelCall { .. } => "chat",
        What::McpCall { .. } => "mcp",
    };
    span.named(name, SpanKind::Internal);
    match what {
        What::Router { name, service, rule } => {
            span.text("traefik.router.name", name);
            span.text("traefik.service.name", service.as_deref().unwrap_or_default());
            span.text("http.route", rule);
        }
        What::Middleware { name, .. } => span.text("traefik.middleware.name", name),
        What::Retry { name, resend } => {
            span.text("traefik.middleware.name", name);
            if *resend > 0 {
                span.int("http.request.resend_count", i64::from(*resend));
            }
        }
        What::Service { name } => span.text("traefik.service.name", name),
        What::Attempt { target, failure } => {
            span.text("traefik.service.name", target);
            if let Some(failure) = failure {
                span.text("error.type", failure);
                span.failed("");
            }
        }
        What::Call(_) | What::ModelCall { .. } | What::McpCall { .. } => {}
    }
}

/// The attempt that a span of a call is about; `None` for one that is around several.
fn own_leg(f: &Finished, at: usize, leg: usize) -> Option<usize> {
    let mut behind = f.recording.spans[at + 1..].iter();
    let is_around = behind.any(|span| matches!(span.what, What::ModelCall { leg: inner } if inner == leg));
    (!is_around).then_some(leg)
}

fn captured(span: &mut Span<'_>, keys: &[String], headers: &Captured) {
    for (at, values) in headers {
        if let Some(key) = keys.get(usize::from(*at)).filter(|k| !k.is_empty()) {
            span.texts(key, values);
        }
    }
}

/// As much of a method as names a span.
fn beginning(method: &str) -> &str {
    let end = method.char_indices().nth(MAX_NAME);
    end.map_or(method, |(end, _)| &method[..end])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{int, text};
    use crate::span::testing::{read, texts, value};
    use crate::traces::tracer;
    use opentelemetry_proto::tonic::trace::v1::Span as Message;
    use std::time::{Duration, Instant, SystemTime};
    use trilithon_flow::Record;

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
    fn methods_that_name_a_span() {
        let check = |method: &str, want: usize| assert_eq!(beginning(method).chars().count(), want);
        check("GET", 3);
        check(&"ä".repeat(MAX_NAME), MAX_NAME);
        check(&"ä".repeat(MAX_NAME + 1), MAX_NAME);
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
    fn spans(config: &Tracing, status: u16, walk: impl FnOnce(&mut Record)) -> Vec<Message> {
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
        let mut out = Vec::new();
        Words::new(config).write(&Finished::of(&record).unwrap(), &mut out);
        read(&out)
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
        assert_eq!(
            value(&got[0], "http.request.header.x-a"),
            Some(&texts(&["1", "2"]))
        );
        assert_eq!(value(&got[0], "http.response.header.x-b"), Some(&texts(&["3"])));
        assert_eq!(value(&got[0], "user_agent.original"), Some(&text("me")));
        assert!(value(&got[0], "http.request.header.user-agent").is_none());
    }
}
