//! The install ("static") configuration: read once at start; listeners, providers and what is recorded.

pub mod address;
mod ai;
mod api;
mod audit;
mod check;
mod entry_point;
mod finish;
mod hub;
mod log;
mod metrics;
mod otlp;
mod providers;
mod resolver;
mod servers_transport;
mod store;
mod tracing;

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

pub use address::{Address, Protocol};
pub use ai::Ai;
pub use api::{Api, Ping};
pub use audit::Audit;
pub use check::{PROVIDERS, is_ip_or_range};
pub use entry_point::*;
pub use finish::INTERNAL_ENTRY_POINT;
pub use hub::{AdditionalTraceHeaders, AiGateway, Hub, HubTracing, McpGateway, TraceContextHeaders};
pub use log::*;
pub use metrics::*;
pub use otlp::{Grpc, HttpExport, OtlpLog, TlsClient};
pub use providers::*;
pub use resolver::*;
pub use servers_transport::*;
pub use store::Store;
pub use tracing::{Tracing, TracingOtlp};

use crate::spanned::Map;

/// Everything the gateway must know to start.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("pilot", "Traefik Pilot has ended; remove the section"))]
pub struct Static {
    /// What concerns the gateway as a whole.
    pub global: Option<Global>,
    /// How HTTP servers are reached unless a service says otherwise.
    pub servers_transport: Option<ServersTransport>,
    /// How TCP servers are reached unless a service says otherwise.
    #[config(rename = "tcpServersTransport")]
    pub tcp_servers_transport: Option<TcpServersTransport>,
    /// Where the gateway listens, by name. `http` on `:80` when there is none.
    pub entry_points: Map<EntryPoint>,
    /// Where routing configuration comes from.
    pub providers: Option<Providers>,
    /// The API and the dashboard.
    #[config(allow_empty)]
    pub api: Option<Api>,
    /// Where metrics go.
    pub metrics: Option<Metrics>,
    /// A page that says the gateway is alive.
    #[config(allow_empty)]
    pub ping: Option<Ping>,
    /// The gateway's own log.
    #[config(allow_empty)]
    pub log: Option<Log>,
    /// One line per request.
    #[config(allow_empty)]
    pub access_log: Option<AccessLog>,
    /// Where traces go.
    #[config(allow_empty)]
    pub tracing: Option<Tracing>,
    /// What Traefik Hub's users set for the whole gateway.
    pub hub: Option<Hub>,
    /// Resolve CNAME chains when matching hosts.
    #[config(allow_empty)]
    pub host_resolver: Option<HostResolver>,
    /// Where certificates are obtained, by name.
    pub certificates_resolvers: Map<CertificateResolver>,
    /// What is not settled yet.
    pub experimental: Option<Experimental>,
    /// The rule language.
    pub core: Option<Core>,
    /// Identities by SPIFFE.
    pub spiffe: Option<SpiffeClient>,
    /// OCSP stapling.
    #[config(allow_empty)]
    pub ocsp: Option<Ocsp>,
    /// Where the gateway keeps what must outlive it. Trilithon's own.
    #[config(allow_empty)]
    pub store: Option<Store>,
    /// What the audit log holds and how it is kept. Trilithon's own.
    #[config(allow_empty)]
    pub audit: Option<Audit>,
    /// What the gateway knows of language models. Trilithon's own.
    pub ai: Option<Ai>,
}

/// What concerns the gateway as a whole.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Global {
    /// Ask for newer versions. Trilithon never does.
    #[config(default = true)]
    pub check_new_version: bool,
    /// Send anonymous usage data. Trilithon never does.
    pub send_anonymous_usage: bool,
    /// Do not add the client to `X-Forwarded-For`. Without effect in Traefik; use the option of the entry point.
    pub not_append_x_forwarded_for: bool,
}

/// The rule language.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Core {
    /// Syntax of rules that do not name one.
    #[config(
        default = "v3".to_owned(),
        deprecated = "write all rules in the v3 syntax and remove it"
    )]
    pub default_rule_syntax: String,
}

/// Resolve CNAME chains when matching hosts.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct HostResolver {
    /// Match a host also by the names its CNAME records lead to.
    pub cname_flattening: bool,
    /// File that lists the DNS servers.
    #[config(default = "/etc/resolv.conf".to_owned())]
    pub resolv_config: String,
    /// Longest chain followed.
    #[config(default = 5)]
    pub resolv_depth: i64,
}

/// What is not settled yet.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("http3", "HTTP/3 needs no switch any more: set `entryPoints.<name>.http3`"))]
pub struct Experimental {
    /// Plugins fetched by name and version.
    pub plugins: BTreeMap<String, PluginDescriptor>,
    /// Plugins from the folder `plugins-local`.
    pub local_plugins: BTreeMap<String, LocalPlugin>,
    /// Stop the start when a plugin fails to load, instead of disabling it.
    pub abort_on_plugin_failure: bool,
    /// Traefik's alternative HTTP/1 client. Accepted; Trilithon has one client.
    #[config(allow_empty)]
    pub fast_proxy: Option<FastProxy>,
    /// Allow `log.otlp` and `accessLog.otlp`.
    pub otlplogs: bool,
    /// Allow `providers.knative`.
    pub knative: bool,
    /// Has no effect.
    #[config(
        rename = "kubernetesIngressNGINX",
        deprecated = "remove it: the provider needs no switch"
    )]
    pub kubernetes_ingress_nginx: bool,
    /// Has no effect.
    #[config(deprecated = "remove it: the provider needs no switch")]
    pub kubernetes_gateway: bool,
}

/// A plugin fetched by name and version.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct PluginDescriptor {
    /// Its Go module.
    pub module_name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its archive; not checked when empty.
    pub hash: String,
    /// What it may use.
    pub settings: PluginSettings,
}

/// A plugin from the folder `plugins-local`.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct LocalPlugin {
    /// Its Go module.
    pub module_name: String,
    /// What it may use.
    pub settings: PluginSettings,
}

/// What a plugin may use.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct PluginSettings {
    /// Environment variables it sees.
    pub envs: Vec<String>,
    /// Folders it sees.
    pub mounts: Vec<String>,
    /// Let it use Go's `unsafe` and `syscall`.
    pub use_unsafe: bool,
}

/// Traefik's alternative HTTP/1 client.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct FastProxy {
    /// Log what it does.
    pub debug: bool,
}

/// Identities by SPIFFE.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct SpiffeClient {
    /// Address of the Workload API, `unix:///path` or `tcp://host:port`.
    #[config(rename = "workloadAPIAddr")]
    pub workload_api_addr: String,
}

/// OCSP stapling.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Ocsp {
    /// Responder URLs and the URLs asked instead.
    pub responder_overrides: BTreeMap<String, String>,
}
