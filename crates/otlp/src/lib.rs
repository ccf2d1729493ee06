//! Traces, metrics and logs to a collector, in the OpenTelemetry protocol (OTLP 1.x, over HTTP or gRPC).
//!
//! Workers put what they saw into queues of bounded size and go on; one thread makes messages of it and sends them. A
//! collector that is away, slow or hostile costs what was meant for it, which is counted, and nothing else.
#![forbid(unsafe_code)]

mod access_log;
mod attribute;
mod collector;
mod content;
mod exports;
mod log;
mod mcp_call;
mod metrics;
mod model_call;
mod protobuf;
mod queue;
mod resource;
mod signal;
mod span;
mod traces;
mod words;

pub use exports::Exports;
pub use traces::tracer;
