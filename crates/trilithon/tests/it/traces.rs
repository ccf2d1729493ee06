//! One trace through the gateway: what comes in, what goes on, what a collector is told, and what a bad one cannot do.

use crate::world::INSTALL;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io::Read;
use std::time::{Duration, Instant};
use trilithon_testkit::{Act, Answer, Gateway, PATIENCE, Seen, Upstream, eventually, until};

/// `/` with all kinds of spans, `/quiet` without traces, `/plain` with few.
const ROUTING: &str = "\
http:
  routers:
    all: {rule: 'PathPrefix(`/`)', service: s, middlewares: [again, add, auth], observability: {traceVerbosity: detailed}}
    quiet: {rule: 'PathPrefix(`/quiet`)', service: s, observability: {tracing: false}}
    plain: {rule: 'PathPrefix(`/plain`)', service: s}
  middlewares:
    again: {retry: {attempts: 3, status: ['503']}}
    add: {addPrefix: {prefix: /p}}
    auth: {forwardAuth: {address: 'http://127.0.0.1:@auth@/may'}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";

const PARENT: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

/// A collector that takes everything.
pub fn collector() -> Upstream {
    Upstream::answering(|_| Answer::new(200, ""))
}

/// A gateway that sends traces to `collector`, with more lines of install configuration.
fn tracing(collector: &Upstream, options: &str, more: &str) -> Gateway {
    let install = format!(
        "{INSTALL}tracing: {{otlp: {{http: {{endpoint: 'http://127.0.0.1:@collector@', headers: {{x-token: t}}}}}}, {options}}}\n{more}"
    );
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(&install)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .upstream("auth", Upstream::answering(|_| Answer::new(200, "")))
        .upstream("collector", collector)
        .start()
}

/// The message of a request to the collector.
fn unpack(seen: &Seen) -> Vec<u8> {
    let mut message = Vec::new();
    GzDecoder::new(&seen.body[..])
        .read_to_end(&mut message)
        .expect("gzip");
    message
}

fn spans(collector: &Upstream) -> Vec<Span> {
    let requests = collector.seen();
    let of = |seen: &Seen| ExportTraceServiceRequest::decode(&*unpack(seen)).expect("a trace message");
    let traces = requests.iter().filter(|seen| seen.target == "/v1/traces").map(of);
    traces
        .flat_map(|m| m.resource_spans)
        .flat_map(|r| r.scope_spans)
        .flat_map(|s| s.spans)
        .collect()
}

fn records(collector: &Upstream) -> Vec<LogRecord> {
    let requests = collector.seen();
    let of = |seen: &Seen| ExportLogsServiceRequest::decode(&*unpack(seen)).expect("a log message");
    let logs = requests.iter().filter(|seen| seen.target == "/v1/logs").map(of);
    logs.flat_map(|m| m.resource_logs)
        .flat_map(|r| r.scope_logs)
        .flat_map(|s| s.log_records)
        .collect()
}

/// Waits for as many spans.
#[track_caller]
pub fn wait_for(collector: &Upstream, count: usize) -> Vec<Span> {
    let found = until(PATIENCE, || Some(spans(collector)).filter(|s| s.len() >= count));
    found.unwrap_or_else(|| panic!("{} of {count} spans came", spans(collector).len()))
}

pub fn value(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|a| a.key == key);
    match found.and_then(|a| a.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(n)) => n.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_trace_is_one_from_the_client_to_the_server_the_log_and_the_collector() {
    let collector = collector();
    let gateway = tracing(
        &collector,
        "safeQueryParams: [page]",
        "accessLog: {format: json, filePath: '@DIR@/access.log'}\n",
    );
    let parent = format!("traceparent: 00-{PARENT}-01");
    let res = gateway.get_with("a.test", "/x?page=2&key=s3cr3t", &[&parent, "tracestate: them=1"]);
    assert_eq!(res.status, 200);
    let spans = wait_for(&collector, 8);
    let names: Vec<_> = spans.iter().map(|s| s.name.as_str()).collect();
    let want = [
        "GET",
        "Router",
        "Retry",
        "AddPrefix",
        "ForwardAuth",
        "AuthRequest",
        "Service",
        "ReverseProxy",
    ];
    assert_eq!(names, want);
    // Each inside the one before, but that the server was not asked by the authorization.
    let parents: Vec<_> = spans.iter().map(|s| hex(&s.parent_span_id)).collect();
    let id = |at: usize| hex(&spans[at].span_id);
    assert_eq!(parents[0], PARENT[33..]);
    assert_eq!(parents[1..], [id(0), id(1), id(2), id(3), id(4), id(4), id(6)]);
    assert!(
        spans
            .iter()
            .all(|s| hex(&s.trace_id) == PARENT[..32] && s.trace_state == "them=1")
    );
    for span in &spans {
        assert!(
            span.start_time_unix_nano >= spans[0].start_time_unix_nano,
            "{}",
            span.name
        );
        assert!(
            span.end_time_unix_nano <= spans[0].end_time_unix_nano,
            "{}",
            span.name
        );
    }
    let of = |at: usize, key: &str| value(&spans[at].attributes, key);
    assert_eq!(of(0, "url.query"), "page=2&key=REDACTED");
    assert_eq!(
        (of(0, "entry_point"), of(0, "http.response.status_code")),
        ("web".into(), "200".into())
    );
    assert_eq!(of(1, "http.route"), "PathPrefix(`/`)");
    assert_eq!(of(3, "traefik.middleware.name"), "add@file");
    assert_eq!(of(7, "server.port"), gateway.port("b1").to_string());
    assert!(
        of(7, "url.full").ends_with("/p/x?page=2&key=REDACTED"),
        "{}",
        of(7, "url.full")
    );

    // The servers were told of the very spans.
    let told = |name: &str| {
        gateway
            .upstream(name)
            .last()
            .headers
            .get("traceparent")
            .to_owned()
    };
    assert_eq!(told("b1"), format!("00-{}-{}-01", &PARENT[..32], id(7)));
    assert_eq!(told("auth"), format!("00-{}-{}-01", &PARENT[..32], id(5)));
    assert_eq!(gateway.upstream("b1").last().headers.get("tracestate"), "them=1");

    let line = until(PATIENCE, || {
        let log = gateway.folder().read("access.log");
        let line = log.lines().find(|l| l.contains("s3cr3t")).map(str::to_owned);
        line.and_then(|l| serde_json::from_str::<serde_json::Value>(&l).ok())
    });
    let line = line.expect("a line in the access log");
    assert_eq!(
        (line["TraceId"].as_str(), line["SpanId"].as_str()),
        (Some(&PARENT[..32]), Some(&*id(0)))
    );
    assert_eq!(collector.last().headers.get("x-token"), "t");
}

#[test]
fn attempts_are_told_apart() {
    let collector = collector();
    let gateway = tracing(&collector, "", "");
    let res = gateway.get_with("a.test", "/", &["X-Do: status=503"]);
    assert_eq!(res.status, 503);
    let spans = wait_for(&collector, 20);
    let attempts: Vec<_> = spans.iter().filter(|s| s.name == "Retry").collect();
    let resent: Vec<_> = attempts
        .iter()
        .map(|s| value(&s.attributes, "http.request.resend_count"))
        .collect();
    assert_eq!(resent, ["", "1", "2"]);
    assert!(attempts[0].end_time_unix_nano <= attempts[1].start_time_unix_nano);
    let calls = spans.iter().filter(|s| s.name == "ReverseProxy");
    assert!(
        calls
            .clone()
            .all(|s| s.status.as_ref().is_some_and(|s| s.code == 2))
    );
    assert_eq!(calls.count(), 3);
}

#[test]
fn little_or_nothing_is_told_of_routers_that_want_it_so() {
    let collector = collector();
    let gateway = tracing(&collector, "", "");
    let theirs = "traceparent: 00-not-ours";
    gateway.get_with("a.test", "/quiet", &[theirs]);
    assert_eq!(
        gateway.upstream("b1").last().headers.get("traceparent"),
        "00-not-ours"
    );
    assert_eq!(
        gateway
            .ask("traefik", "GET", "localhost", "/api/version", &[])
            .status,
        200
    );
    gateway.get_with("a.test", "/plain", &[theirs]);
    let told = gateway
        .upstream("b1")
        .last()
        .headers
        .get("traceparent")
        .to_owned();
    assert_ne!(told, "00-not-ours", "what is wrong begins a new trace");
    let spans = wait_for(&collector, 2);
    let names: Vec<_> = spans.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["GET", "ReverseProxy"]);
    assert_eq!(value(&spans[0].attributes, "url.path"), "/plain");
    assert!(spans[0].parent_span_id.is_empty());
}

#[test]
fn what_is_not_sampled_is_carried_on() {
    let collector = collector();
    let gateway = tracing(&collector, "sampleRate: 0.0", "");
    gateway.get("a.test", "/");
    let told = gateway
        .upstream("b1")
        .last()
        .headers
        .get("traceparent")
        .to_owned();
    assert!(
        told.starts_with("00-") && told.ends_with("-00") && told.len() == 55,
        "{told}"
    );
    let sampled = format!("traceparent: 00-{PARENT}-01");
    gateway.get_with("a.test", "/plain", &[&sampled]);
    let spans = wait_for(&collector, 2);
    assert_eq!(spans.len(), 2, "only what the caller samples");
}

/// Headers of the operator's choice, which no client can write; sampled or not.
#[test]
fn the_place_is_told_once_more() {
    let collector = collector();
    let more = "hub: {tracing: {additionalTraceHeaders: {traceContext: {parentId: X-Span, traceId: X-Trace, traceParent: X-Parent, traceState: X-State}}}}\n";
    let gateway = tracing(&collector, "", more);
    let forged = [
        "X-Span: forged",
        "X-Trace: forged",
        "x-parent: forged",
        "X-State: forged",
    ];
    for flags in ["01", "00"] {
        let parent = format!("traceparent: 00-{PARENT}-{flags}");
        gateway.get_with(
            "a.test",
            "/plain",
            &[&forged[..], &[&parent, "tracestate: a=1"]].concat(),
        );
        let seen = gateway.upstream("b1").last().headers;
        let told = seen.get("traceparent").to_owned();
        assert!(
            told.starts_with(&format!("00-{}-", &PARENT[..32])) && told.ends_with(flags),
            "{told}"
        );
        let copies =
            ["x-parent", "x-trace", "x-span", "x-state"].map(|name| seen.all(name).collect::<Vec<_>>());
        assert_eq!(
            copies,
            [vec![&*told], vec![&told[3..35]], vec![&told[36..52]], vec!["a=1"]]
        );
    }
    gateway.get_with("a.test", "/plain", &forged);
    assert!(
        !gateway.upstream("b1").last().headers.has("x-state"),
        "no state, no header"
    );
}

/// Where versions of the configuration are kept, a span names the one that it was served by.
#[test]
fn spans_name_the_version_of_the_configuration() {
    let collector = collector();
    let gateway = tracing(&collector, "", "store: {directory: '@DIR@/store'}\n");
    gateway.get("a.test", "/plain");
    let spans = wait_for(&collector, 2);
    assert_eq!(value(&spans[0].attributes, "gateway.config.version"), "1");
    gateway.rewrite_routing(&ROUTING.replace("plain", "simple"));
    let versions = || {
        let spans = self::spans(&collector);
        let own = spans.iter().filter(|s| s.parent_span_id.is_empty());
        own.map(|s| value(&s.attributes, "gateway.config.version"))
            .collect::<Vec<_>>()
    };
    eventually("the next version is named", || {
        gateway.get("a.test", "/simple");
        versions().last().is_some_and(|v| v == "2")
    });
}

#[test]
fn what_is_left_is_sent_at_the_end() {
    let collector = collector();
    let gateway = tracing(&collector, "", "");
    gateway.get("a.test", "/plain");
    gateway.terminate();
    let ended = gateway.exit(PATIENCE).expect("the process ends");
    assert!(ended.success());
    assert_eq!(spans(&collector).len(), 2);
}

#[test]
fn log_lines_are_sent_with_their_ids() {
    let collector = collector();
    let otlp = "otlp: {http: {endpoint: 'http://127.0.0.1:@collector@'}}";
    let more =
        format!("accessLog: {{filePath: '@DIR@/access.log', {otlp}}}\nexperimental: {{otlplogs: true}}\n");
    let gateway = tracing(
        &collector,
        "",
        &more.replace("filePath", "dualOutput: true, filePath"),
    );
    let parent = format!("traceparent: 00-{PARENT}-01");
    gateway.get_with("a.test", "/plain", &[&parent]);
    let find = || {
        let all = records(&collector);
        all.into_iter()
            .find(|r| value(&r.attributes, "RequestPath") == "/plain")
    };
    let record = until(PATIENCE, find).expect("the line of the request");
    assert_eq!(hex(&record.trace_id), PARENT[..32]);
    assert_eq!(value(&record.attributes, "trace_id"), PARENT[..32]);
    assert_eq!(value(&record.attributes, "SpanId"), hex(&record.span_id));
    assert_eq!(value(&record.attributes, "DownstreamStatus"), "200");
    eventually("the file has the line as well", || {
        gateway.folder().read("access.log").contains("/plain")
    });
}

#[test]
fn the_process_log_is_sent() {
    let collector = collector();
    let install = INSTALL.replace(
        "log: {level: DEBUG}",
        "log: {level: DEBUG, otlp: {http: {endpoint: 'http://127.0.0.1:@collector@'}}}\nexperimental: {otlplogs: true}",
    );
    let gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(&install)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .upstream("auth", Upstream::echo())
        .upstream("collector", &collector)
        .start();
    let applied = |r: &LogRecord| {
        let body = r.body.clone().and_then(|b| b.value);
        body == Some(Value::StringValue("configuration applied".into()))
    };
    eventually("the collector is told", || {
        records(&collector).iter().any(applied)
    });
    assert!(
        gateway.log().contains("configuration applied"),
        "the line is written as well"
    );
}

/// Traffic is as it was, and the process ends in time, whatever the collector does.
#[track_caller]
fn unharmed_by(collector: Upstream, drops: bool) {
    let gateway = tracing(&collector, "", "");
    let mut client = gateway.client("web");
    let started = Instant::now();
    for _ in 0..3_000 {
        assert_eq!(
            client.ask("GET /plain HTTP/1.1\r\nHost: a.test\r\n\r\n").status,
            200
        );
    }
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
    if drops {
        eventually("drops are counted", || {
            let metrics = gateway.metrics();
            let line = metrics
                .lines()
                .find_map(|l| l.strip_prefix("trilithon_otlp_dropped_total{signal=\"traces\"} "));
            line.is_some_and(|n| n != "0")
        });
    }
    gateway.terminate();
    let ended = gateway
        .exit(Duration::from_secs(20))
        .expect("the process ends in time");
    assert!(ended.success());
}

#[test]
fn a_collector_that_never_answers() {
    unharmed_by(Upstream::silent(), true);
}

#[test]
fn a_collector_that_answers_with_garbage() {
    unharmed_by(
        Upstream::bytes("\0\u{1}\u{2} no protocol of this world\r\n\r\n"),
        true,
    );
}

#[test]
fn a_collector_that_resets() {
    unharmed_by(Upstream::script([Act::Request, Act::Reset]), true);
}

#[test]
fn a_collector_that_answers_without_end() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n".to_vec();
    answer.resize(10_000_000, b'x');
    unharmed_by(Upstream::bytes(answer), false);
}

#[test]
fn a_collector_that_is_away() {
    let collector = collector();
    collector.down();
    unharmed_by(collector, true);
}
