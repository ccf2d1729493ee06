//! Traces, metrics and logs over OTLP.
#![forbid(unsafe_code)]
