//! Where metrics go.

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use super::otlp::{Grpc, HttpExport};
use crate::duration::Duration;
use crate::secret::Secret;

/// Where metrics go.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Metrics {
    /// Count requests to the gateway's own services, too.
    pub add_internals: bool,
    /// A page for Prometheus.
    #[config(allow_empty)]
    pub prometheus: Option<Prometheus>,
    /// Datadog.
    #[config(allow_empty)]
    pub datadog: Option<Datadog>,
    /// StatsD.
    #[config(allow_empty, rename = "statsD")]
    pub stats_d: Option<StatsD>,
    /// InfluxDB 2.
    #[config(allow_empty, rename = "influxDB2")]
    pub influx_db2: Option<InfluxDb2>,
    /// OpenTelemetry.
    #[config(allow_empty)]
    pub otlp: Option<MetricsOtlp>,
}

/// A page for Prometheus: `/metrics`.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Prometheus {
    /// Upper bounds of the duration histogram, in seconds.
    #[config(default = vec![0.1, 0.3, 1.2, 5.0])]
    pub buckets: Vec<f64>,
    /// Count per entry point.
    #[config(default = true)]
    pub add_entry_points_labels: bool,
    /// Count per router.
    pub add_routers_labels: bool,
    /// Count per service.
    #[config(default = true)]
    pub add_services_labels: bool,
    /// Entry point the page is served on.
    #[config(default = "traefik".to_owned())]
    pub entry_point: String,
    /// Do not make a router for it; use `prometheus@internal` in one of your own.
    pub manual_routing: bool,
    /// Further labels of the request counters: label to request header.
    pub header_labels: BTreeMap<String, String>,
}

/// Metrics for Datadog.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Datadog {
    /// Address of the agent: `host:port`, `unix://`, `unixgram://` or `unixstream://`. `DD_AGENT_HOST` and
    /// `DD_DOGSTATSD_PORT` are the default where set.
    #[config(default = "localhost:8125".to_owned())]
    pub address: String,
    /// Time between sends.
    #[config(default = Duration::from_secs(10))]
    pub push_interval: Duration,
    /// Count per entry point.
    #[config(default = true)]
    pub add_entry_points_labels: bool,
    /// Count per router.
    pub add_routers_labels: bool,
    /// Count per service.
    #[config(default = true)]
    pub add_services_labels: bool,
    /// What names start with.
    #[config(default = "traefik".to_owned())]
    pub prefix: String,
}

/// Metrics for StatsD.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct StatsD {
    /// `host:port` of the server.
    #[config(default = "localhost:8125".to_owned())]
    pub address: String,
    /// Time between sends.
    #[config(default = Duration::from_secs(10))]
    pub push_interval: Duration,
    /// Count per entry point.
    #[config(default = true)]
    pub add_entry_points_labels: bool,
    /// Count per router.
    pub add_routers_labels: bool,
    /// Count per service.
    #[config(default = true)]
    pub add_services_labels: bool,
    /// What names start with.
    #[config(default = "traefik".to_owned())]
    pub prefix: String,
}

/// Metrics for InfluxDB 2.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct InfluxDb2 {
    /// URL of the server.
    #[config(default = "http://localhost:8086".to_owned())]
    pub address: String,
    /// Access token, or the path of a file that holds it.
    pub token: Secret,
    /// Time between sends.
    #[config(default = Duration::from_secs(10))]
    pub push_interval: Duration,
    /// Organization.
    pub org: String,
    /// Bucket.
    pub bucket: String,
    /// Count per entry point.
    #[config(default = true)]
    pub add_entry_points_labels: bool,
    /// Count per router.
    pub add_routers_labels: bool,
    /// Count per service.
    #[config(default = true)]
    pub add_services_labels: bool,
    /// Further labels.
    pub additional_labels: BTreeMap<String, String>,
}

/// Metrics in the OpenTelemetry protocol.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct MetricsOtlp {
    /// Export over gRPC.
    #[config(allow_empty)]
    pub grpc: Option<Grpc>,
    /// Export over HTTP; the default.
    #[config(allow_empty)]
    pub http: Option<HttpExport>,
    /// Count per entry point.
    #[config(default = true)]
    pub add_entry_points_labels: bool,
    /// Count per router.
    pub add_routers_labels: bool,
    /// Count per service.
    #[config(default = true)]
    pub add_services_labels: bool,
    /// Upper bounds of the duration histogram, in seconds.
    #[config(default = vec![0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0])]
    pub explicit_boundaries: Vec<f64>,
    /// Time between sends.
    #[config(default = Duration::from_secs(10))]
    pub push_interval: Duration,
    /// Service name sent along.
    #[config(default = "traefik".to_owned())]
    pub service_name: String,
    /// Further attributes sent along.
    pub resource_attributes: BTreeMap<String, String>,
}
