//! Where traces go.

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use super::otlp::{Grpc, HttpExport};

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("spanNameLimit", "remove it: names are not cut any more"))]
#[config(removed("jaeger", "send traces by `tracing.otlp`"))]
#[config(removed("zipkin", "send traces by `tracing.otlp`"))]
#[config(removed("datadog", "send traces by `tracing.otlp`"))]
#[config(removed("instana", "send traces by `tracing.otlp`"))]
#[config(removed("haystack", "send traces by `tracing.otlp`"))]
#[config(removed("elastic", "send traces by `tracing.otlp`"))]
pub struct Tracing {
    /// Service name sent along.
    #[config(default = "traefik".to_owned())]
    pub service_name: String,
    /// Further attributes sent along.
    pub resource_attributes: BTreeMap<String, String>,
    /// Request headers recorded.
    pub captured_request_headers: Vec<String>,
    /// Answer headers recorded.
    pub captured_response_headers: Vec<String>,
    /// Query parameters recorded as they are; others are redacted.
    pub safe_query_params: Vec<String>,
    /// Share of traces recorded, 0 to 1.
    #[config(default = 1.0)]
    pub sample_rate: f64,
    /// Record requests to the gateway's own services, too.
    pub add_internals: bool,
    /// Send traces in the OpenTelemetry protocol.
    #[config(allow_empty)]
    pub otlp: Option<TracingOtlp>,
    /// Former name of `resourceAttributes`.
    #[config(deprecated = "use `resourceAttributes`")]
    pub global_attributes: BTreeMap<String, String>,
}

/// Traces in the OpenTelemetry protocol.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct TracingOtlp {
    /// Export over gRPC.
    #[config(allow_empty)]
    pub grpc: Option<Grpc>,
    /// Export over HTTP; the default.
    #[config(allow_empty)]
    pub http: Option<HttpExport>,
}
