//! Exporters in the OpenTelemetry protocol, the same for metrics, logs and traces.

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use crate::file_or_content::FileOrContent;
use crate::secret::Secret;

/// Export over gRPC.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Grpc {
    /// `host:port` of the collector.
    #[config(default = "localhost:4317".to_owned())]
    pub endpoint: String,
    /// Do not use TLS.
    pub insecure: bool,
    /// TLS towards the collector.
    pub tls: Option<TlsClient>,
    /// Headers sent to it.
    pub headers: BTreeMap<String, Secret>,
}

/// Export over HTTP.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct HttpExport {
    /// URL of the collector.
    #[config(default = "https://localhost:4318".to_owned())]
    pub endpoint: String,
    /// TLS towards the collector.
    pub tls: Option<TlsClient>,
    /// Headers sent to it.
    pub headers: BTreeMap<String, Secret>,
}

/// Logs in the OpenTelemetry protocol. Needs `experimental.otlplogs`.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct OtlpLog {
    /// Service name sent along.
    #[config(default = "traefik".to_owned())]
    pub service_name: String,
    /// Further attributes sent along.
    pub resource_attributes: BTreeMap<String, String>,
    /// Export over gRPC.
    #[config(allow_empty)]
    pub grpc: Option<Grpc>,
    /// Export over HTTP; the default.
    #[config(allow_empty)]
    pub http: Option<HttpExport>,
}

/// TLS towards a server that the gateway itself uses.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("caOptional", "remove it: it has had no effect since v3"))]
pub struct TlsClient {
    /// Authorities its certificate must descend from: a path, or PEM text; the system's when empty.
    pub ca: FileOrContent,
    /// Certificate shown to it: a path, or PEM text.
    pub cert: FileOrContent,
    /// Its private key: a path, or PEM text.
    pub key: FileOrContent,
    /// Accept any certificate. Unsafe outside tests.
    pub insecure_skip_verify: bool,
}
