//! The access log as log records: the fields of a JSON line as attributes.

use crate::attribute::{json, named, text};
use crate::exports::Exports;
use crate::log::records;
use crate::queue::Queue;
use crate::traces::nanos;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use serde_json::{Map, Value};
use std::time::SystemTime;
use trilithon_flow::Record;
use trilithon_flow::trace::{SpanId, TraceId};
use trilithon_manage::access_log::Sink;
use trilithon_model::install::OtlpLog;

/// Sends lines to a collector.
pub struct AccessLog {
    queue: Queue<Line>,
}

/// The line of one exchange.
struct Line {
    json: Vec<u8>,
    at: SystemTime,
    /// Trace, span, and whether it is sampled.
    trace: Option<(TraceId, SpanId, bool)>,
}

impl AccessLog {
    /// Starts sending.
    ///
    /// # Errors
    /// A collector that cannot be made of the configuration.
    pub fn start(config: &OtlpLog, exports: &Exports) -> Result<AccessLog, String> {
        Ok(AccessLog {
            queue: records(config, exports, record)?,
        })
    }
}

impl Sink for AccessLog {
    fn take(&self, record: &Record, line: Vec<u8>) {
        let bytes = line.len() + 100;
        let line = Line {
            json: line,
            at: record.started_at.unwrap_or(SystemTime::UNIX_EPOCH) + record.duration,
            trace: record.trace.as_ref().map(|t| (t.id, t.span, t.sampled)),
        };
        self.queue.push(line, bytes);
    }
}

/// Keys of a line that a log record has places of its own for.
const OWN: [&str; 3] = ["level", "msg", "time"];

fn record(line: Line) -> LogRecord {
    let fields: Map<String, Value> = serde_json::from_slice(&line.json).unwrap_or_default();
    let mut attributes: Vec<_> = fields
        .iter()
        .filter(|(key, _)| !OWN.contains(&key.as_str()))
        .filter_map(|(key, value)| Some(named(key.as_str(), json(value)?)))
        .collect();
    let mut record = LogRecord {
        time_unix_nano: nanos(line.at),
        observed_time_unix_nano: nanos(line.at),
        severity_number: SeverityNumber::Info as i32,
        severity_text: "info".to_owned(),
        body: Some(text("")),
        ..LogRecord::default()
    };
    if let Some((trace, span, sampled)) = line.trace {
        attributes.push(named("trace_id", text(&trace.to_string())));
        attributes.push(named("span_id", text(&span.to_string())));
        record.trace_id = trace.bytes().to_vec();
        record.span_id = span.bytes().to_vec();
        record.flags = u32::from(sampled);
    }
    LogRecord { attributes, ..record }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::int;

    #[test]
    fn a_line_becomes_a_record() {
        let ids = (TraceId::random(), SpanId::random(), true);
        let got = record(Line {
            json: br#"{"DownstreamStatus":200,"RequestPath":"/a","level":"info","msg":"","time":"x"}"#
                .to_vec(),
            at: SystemTime::UNIX_EPOCH,
            trace: Some(ids),
        });
        let keys: Vec<_> = got.attributes.iter().map(|a| a.key.as_str()).collect();
        assert_eq!(keys, ["DownstreamStatus", "RequestPath", "trace_id", "span_id"]);
        assert_eq!(got.attributes[0].value, Some(int(200)));
        assert_eq!(
            (got.trace_id, got.span_id, got.flags),
            (ids.0.bytes().to_vec(), ids.1.bytes().to_vec(), 1)
        );
    }
}
