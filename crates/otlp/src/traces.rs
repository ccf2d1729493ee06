//! Sampled exchanges that are over, on their way from the workers to a collector. What is told of them is in [`words`](crate::words).

use crate::attribute::scope;
use crate::collector::Collector;
use crate::exports::{Exports, Sender, export};
use crate::protobuf::message;
use crate::queue::Queue;
use crate::resource;
use crate::signal::Signal;
use crate::span::Place;
use crate::words::Words;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};
use trilithon_flow::record::Name;
use trilithon_flow::trace::{
    Call, Capture, Captured, Copies, Propagators, Recording, Span, SpanId, TraceId, What,
};
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
    /// Boxed, so that little is moved while the queue is locked.
    queue: Queue<Box<Finished>>,
}

/// A sampled exchange that is over.
pub struct Finished {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
    state: Option<Box<str>>,
    pub recording: Box<Recording>,
    pub model_call: Option<Box<ModelCall>>,
    pub mcp_call: Option<Box<McpCall>>,
    pub tool_call: Option<Name>,
    pub entry_point: Option<Name>,
    pub method: String,
    pub host: String,
    pub target: String,
    pub version: Version,
    pub scheme: &'static str,
    pub peer: Option<SocketAddr>,
    pub status: u16,
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
        let writer = Writer::new(
            resource::of(&config.service_name, &attributes),
            Words::new(config),
        );
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
            self.queue.push(Box::new(finished), bytes);
        }
    }
}

impl Finished {
    /// What a sampled exchange leaves; nothing of one without a recording.
    pub fn of(record: &Record) -> Option<Finished> {
        // Without a method it was not looked at: the question was for the server itself.
        let trace = record.trace.as_ref().filter(|_| !record.method.is_empty())?;
        Some(Finished {
            recording: trace.take()?,
            model_call: record.model_call.clone(),
            mcp_call: record.mcp_call.as_ref().map(|call| Box::new(call.excerpt())),
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
        let content = self.model_call.as_ref().and_then(|call| call.content.as_ref());
        let said = content.map_or(0, |content| content.size());
        500 + own + agent + said + captured(&self.recording.response_headers) + spans.sum::<usize>()
    }

    /// A message to a server of tools: one of several, or the only one.
    pub fn message(&self, of: Option<usize>) -> Option<&McpCall> {
        let call = self.mcp_call.as_deref()?;
        of.map_or(Some(call), |at| call.batch.get(at))
    }

    /// Where the exchange's own span stands.
    pub fn place(&self) -> Place<'_> {
        Place {
            trace: self.trace,
            state: self.state.as_deref().unwrap_or_default(),
            id: self.span,
            parent: self.parent,
            start: nanos(self.started_at),
            end: nanos(self.started_at + self.duration),
        }
    }

    /// Where the span of a step stands.
    pub fn place_of(&self, step: &Span) -> Place<'_> {
        let own = self.place();
        Place {
            id: step.id,
            parent: Some(step.parent),
            start: self.at(step.start),
            end: step.end.map_or(own.end, |end| self.at(end)),
            ..own
        }
    }

    /// Nanoseconds since 1970 at an instant of this exchange.
    fn at(&self, instant: Instant) -> u64 {
        nanos(self.started_at + instant.saturating_duration_since(self.started))
    }
}

/// Makes messages (`ExportTraceServiceRequest`) of finished exchanges.
struct Writer {
    /// `ResourceSpans` and `ScopeSpans` without what is in them: whatever follows in a message belongs to it.
    resource: Vec<u8>,
    scope: Vec<u8>,
    words: Words,
}

impl Writer {
    /// `ExportTraceServiceRequest.resource_spans`.
    const RESOURCE_SPANS: u32 = 1;
    /// `ResourceSpans.scope_spans`.
    const SCOPE_SPANS: u32 = 2;

    fn new(resource: Resource, words: Words) -> Writer {
        let resource = ResourceSpans {
            resource: Some(resource),
            ..ResourceSpans::default()
        };
        let scope = ScopeSpans {
            scope: scope(),
            ..ScopeSpans::default()
        };
        Writer {
            resource: resource.encode_to_vec(),
            scope: scope.encode_to_vec(),
            words,
        }
    }

    fn message(&self, batch: &[Box<Finished>]) -> Vec<u8> {
        let mut out = Vec::new();
        message(&mut out, Writer::RESOURCE_SPANS, |out| {
            out.extend_from_slice(&self.resource);
            message(out, Writer::SCOPE_SPANS, |out| {
                out.extend_from_slice(&self.scope);
                batch.iter().for_each(|finished| self.words.write(finished, out));
            });
        });
        out
    }
}

/// Nanoseconds since 1970.
pub fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use trilithon_flow::model_call::Content;
    use trilithon_flow::{Channel, Format, Headers};

    fn finished(target: &str) -> Box<Finished> {
        let tracer = tracer(&Tracing::default(), None);
        let record = Record {
            trace: Some(Box::new(tracer.begin(&Headers::new()))),
            method: "GET".to_owned(),
            target: target.to_owned(),
            started: Some(Instant::now()),
            started_at: Some(SystemTime::now()),
            ..Record::default()
        };
        Box::new(Finished::of(&record).unwrap())
    }

    #[test]
    fn what_was_said_counts_for_the_bounds_of_the_queue() {
        let mut content = Content::default();
        content.asked.say(Channel::User, 0, 0, &"x".repeat(10_000));
        content.answered.say(Channel::Assistant, 0, 0, &"y".repeat(1_000));
        let silent = finished("/a");
        let told = Finished {
            model_call: Some(Box::new(ModelCall {
                content: Some(content.into()),
                ..ModelCall::new(Format::Ccr)
            })),
            ..*finished("/a")
        };
        assert!(told.size() - silent.size() >= 11_000);
    }

    #[test]
    fn a_batch_is_one_message() {
        let resource = resource::of("s", &std::collections::BTreeMap::new());
        let writer = Writer::new(resource.clone(), Words::new(&Tracing::default()));
        let message = writer.message(&[finished("/a"), finished("/b")]);
        let got = ExportTraceServiceRequest::decode(&*message).unwrap();
        assert!(got.encode_to_vec() == message, "another form: {got:?}");
        let [of] = &got.resource_spans[..] else {
            panic!("{got:?}")
        };
        let [within] = &of.scope_spans[..] else {
            panic!("{got:?}")
        };
        assert_eq!((&of.resource, &within.scope), (&Some(resource), &scope()));
        let path = |span| crate::span::testing::value(span, "url.path").cloned();
        let paths: Vec<_> = within.spans.iter().map(path).collect();
        assert_eq!(paths, ["/a", "/b"].map(|path| Some(crate::attribute::text(path))));
    }
}
