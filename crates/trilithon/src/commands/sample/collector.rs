//! A collector for `quickstart`: takes spans over OTLP/HTTP as any collector does, keeps the last few traces, and shows them
//! as trees at `/traces`.

use super::Asked;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::VecDeque;
use std::fmt::Write;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

/// Traces kept.
const KEPT: usize = 20;
/// Bytes of one export, unpacked.
const MAX_EXPORT: u64 = 4 << 20;
/// Attributes worth a place in the tree, in this order.
const SHOWN: [&str; 8] = [
    "traefik.router.name",
    "traefik.middleware.name",
    "traefik.service.name",
    "url.path",
    "url.full",
    "http.response.status_code",
    "trilithon.tool.call.ids",
    "gen_ai.tool.call.id",
];

/// The last traces, oldest first.
#[derive(Default)]
pub struct Collector(Mutex<VecDeque<Trace>>);

struct Trace {
    id: Vec<u8>,
    spans: Vec<Span>,
}

impl Collector {
    /// Answers one request: an export is taken in, anything else is shown the traces.
    pub fn answer(&self, asked: &Asked) -> String {
        if asked.method == "POST" {
            self.take(&asked.body);
            return String::new();
        }
        let wanted = asked
            .query()
            .split('&')
            .find_map(|pair| pair.strip_prefix("trace="));
        self.show(wanted)
    }

    fn take(&self, body: &[u8]) {
        let Some(export) = decode(body) else { return };
        let spans = export
            .resource_spans
            .into_iter()
            .flat_map(|r| r.scope_spans)
            .flat_map(|s| s.spans);
        let mut traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for span in spans {
            match traces.iter_mut().find(|t| t.id == span.trace_id) {
                Some(trace) => trace.spans.push(span),
                None => {
                    if traces.len() == KEPT {
                        traces.pop_front();
                    }
                    traces.push_back(Trace {
                        id: span.trace_id.clone(),
                        spans: vec![span],
                    });
                }
            }
        }
    }

    /// All traces, or the one that is wanted.
    fn show(&self, wanted: Option<&str>) -> String {
        let traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for trace in traces.iter().rev() {
            let id = hex(&trace.id);
            if wanted.is_some_and(|wanted| wanted != id) {
                continue;
            }
            let _ = writeln!(out, "trace {id}");
            let is_known = |id: &[u8]| trace.spans.iter().any(|s| s.span_id == id);
            let roots = trace.spans.iter().filter(|s| !is_known(&s.parent_span_id));
            for root in in_order(roots) {
                tree(&trace.spans, root, 1, &mut out);
            }
        }
        if out.is_empty() {
            out.push_str("no trace yet: spans are sent every few seconds\n");
        }
        out
    }
}

/// The export, packed with gzip or not; `None` when it is none.
fn decode(body: &[u8]) -> Option<ExportTraceServiceRequest> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return ExportTraceServiceRequest::decode(body).ok();
    }
    let mut plain = Vec::new();
    GzDecoder::new(body)
        .take(MAX_EXPORT)
        .read_to_end(&mut plain)
        .ok()?;
    ExportTraceServiceRequest::decode(&plain[..]).ok()
}

fn tree(spans: &[Span], span: &Span, depth: usize, out: &mut String) {
    // Deeper than any chain of the samples: the spans are somebody's word.
    if depth > 32 {
        return;
    }
    let micros = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) / 1000;
    let _ = write!(out, "{:indent$}{} {micros} us", "", span.name, indent = depth * 2);
    for name in SHOWN {
        if let Some(value) = text(&span.attributes, name) {
            let _ = write!(out, "  {name}={value}");
        }
    }
    out.push('\n');
    let children = in_order(spans.iter().filter(|s| s.parent_span_id == span.span_id));
    for child in children {
        tree(spans, child, depth + 1, out);
    }
}

/// As they began.
fn in_order<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<&'a Span> {
    let mut spans: Vec<&Span> = spans.collect();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    spans
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes.iter().find(|a| a.key == name)?.value.as_ref();
    match value? {
        AnyValue {
            value: Some(any_value::Value::StringValue(text)),
        } => Some(text.clone()),
        AnyValue {
            value: Some(any_value::Value::IntValue(number)),
        } => Some(number.to_string()),
        AnyValue {
            value: Some(any_value::Value::ArrayValue(all)),
        } => {
            let texts = all.values.iter().filter_map(|value| match &value.value {
                Some(any_value::Value::StringValue(text)) => Some(text.as_str()),
                _ => None,
            });
            Some(texts.collect::<Vec<_>>().join(","))
        }
        _ => None,
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
