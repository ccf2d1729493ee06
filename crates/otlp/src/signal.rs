//! The three kinds of telemetry, and what each is called on the way.

use std::sync::{Arc, LazyLock};
use trilithon_flow::metrics::{Value, registry};

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// As in the label of a counter, and the end of a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// Where OTLP over HTTP takes it, unless the endpoint has a path of its own.
    pub fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }

    /// The method of OTLP over gRPC.
    pub fn method(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// Counts what was dropped of it: spans' exchanges, log records, or pushes.
    pub fn dropped(self) -> Arc<Value> {
        static COUNTERS: LazyLock<[Arc<Value>; 3]> = LazyLock::new(|| {
            const HELP: &str = "What was meant for an OpenTelemetry collector and was dropped, by signal.";
            [Signal::Traces, Signal::Metrics, Signal::Logs].map(|signal| {
                registry().counter(
                    "trilithon_otlp_dropped_total",
                    HELP,
                    &[("signal", signal.as_str())],
                )
            })
        });
        COUNTERS[self as usize].clone()
    }
}
