//! HTTP services.

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use crate::duration::Duration;
use crate::dynamic::kinds;

use super::mcp_servers::McpServers;
use super::models::Models;
use super::open_api::OpenApi;

/// Where requests go. Holds exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Service {
    /// Spreads requests over servers.
    pub load_balancer: Option<Box<ServersLoadBalancer>>,
    /// Spreads requests over other services, always the same one for the same client address.
    #[config(no_labels)]
    pub highest_random_weight: Option<Box<HighestRandomWeight>>,
    /// Spreads requests over other services by weight.
    #[config(no_labels)]
    pub weighted: Option<Box<WeightedRoundRobin>>,
    /// Sends copies of requests to further services.
    #[config(no_labels)]
    pub mirroring: Option<Box<Mirroring>>,
    /// Uses a second service while the first is down.
    #[config(no_labels)]
    pub failover: Option<Box<Failover>>,
    /// Spreads calls of language models over services, and asks another one when one fails.
    #[config(no_labels)]
    pub models: Option<Box<Models>>,
    /// Several servers of tools (Model Context Protocol) as one.
    #[config(no_labels)]
    pub mcp_servers: Option<Box<McpServers>>,
    /// Offers an API that an OpenAPI document describes as a server of tools.
    #[config(no_labels)]
    pub open_api: Option<Box<OpenApi>>,
    /// Middlewares that run for every router using the service, after the router's own.
    pub middlewares: Vec<String>,
}

kinds! { "service",
    /// The kinds of HTTP service.
    ServiceKind {
        Service {
            ServersLoadBalancer: load_balancer = "loadBalancer",
            HighestRandomWeight: highest_random_weight = "highestRandomWeight",
            WeightedRoundRobin: weighted = "weighted",
            Mirroring: mirroring = "mirroring",
            Failover: failover = "failover",
            Models: models = "models",
            McpServers: mcp_servers = "mcpServers",
            OpenApi: open_api = "openApi",
        }
    }
}

/// Spreads requests over servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ServersLoadBalancer {
    /// Keep a client on the server that answered it first.
    #[config(allow_empty)]
    pub sticky: Option<Sticky>,
    /// The servers.
    pub servers: Vec<Server>,
    /// How a server is chosen: by weight in turn (`wrr`), the better of two drawn (`p2c`), by client address (`hrw`),
    /// the fastest (`leasttime`).
    #[config(default = "wrr".to_owned(), one_of("wrr", "p2c", "hrw", "leasttime"))]
    pub strategy: String,
    /// Ask the servers regularly whether they are well.
    pub health_check: Option<HealthCheck>,
    /// Take servers out that fail requests.
    pub passive_health_check: Option<PassiveHealthCheck>,
    /// Send the client's `Host` to the server instead of the server's own name.
    #[config(default = Some(true))]
    pub pass_host_header: Option<bool>,
    /// How answers are passed on.
    #[config(default = Some(ResponseForwarding::default()))]
    pub response_forwarding: Option<ResponseForwarding>,
    /// How the servers are reached; `default@internal` when empty.
    pub servers_transport: String,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Server {
    /// Its address: `http://`, `https://` or `h2c://` with host and port.
    pub url: String,
    /// Its share; 1 when absent, and it is never chosen at 0 or below.
    pub weight: Option<i64>,
    /// Put the path of `url` before the path of the request.
    pub preserve_path: bool,
}

/// Keeps a client on one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Sticky {
    /// The cookie that names the server.
    #[config(allow_empty)]
    pub cookie: Option<Cookie>,
}

/// A cookie that names a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Cookie {
    /// Its name; made from the service's name when empty.
    pub name: String,
    /// Send it over TLS only.
    pub secure: bool,
    /// Hide it from scripts.
    pub http_only: bool,
    /// Whether other sites may cause it to be sent.
    #[config(one_of("none", "lax", "strict"))]
    pub same_site: String,
    /// Seconds it lives; 0 until the browser closes, negative deletes it.
    pub max_age: i64,
    /// Paths it is sent for.
    #[config(default = Some("/".to_owned()))]
    pub path: Option<String>,
    /// Domain it is sent to; the answering host alone when empty.
    pub domain: String,
}

/// Active health checks of HTTP servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct HealthCheck {
    /// Scheme to ask with; the server's own when empty.
    pub scheme: String,
    /// Ask by a request (`http`) or by the gRPC health protocol (`grpc`).
    #[config(default = "http".to_owned(), one_of("http", "grpc"))]
    pub mode: String,
    /// Path to ask for. Needed in mode `http`, and relative.
    pub path: String,
    /// Method to ask with; `GET` when empty.
    pub method: String,
    /// The status that means healthy; any 2xx or 3xx when 0.
    pub status: i64,
    /// Port to ask on; the server's own when 0.
    pub port: i64,
    /// Time between checks of a healthy server.
    #[config(default = Duration::from_secs(30))]
    pub interval: Duration,
    /// Time between checks of an unhealthy server; `interval` when absent.
    pub unhealthy_interval: Option<Duration>,
    /// How long one check may take.
    #[config(default = Duration::from_secs(5))]
    pub timeout: Duration,
    /// `Host` to send; the server's own when empty.
    pub hostname: String,
    /// Follow redirections.
    #[config(default = Some(true))]
    pub follow_redirects: Option<bool>,
    /// Headers to send.
    pub headers: BTreeMap<String, String>,
}

/// Takes servers out that fail requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct PassiveHealthCheck {
    /// The window failures are counted in, and how long a server then stays out.
    #[config(default = Duration::from_secs(10))]
    pub failure_window: Duration,
    /// Failures within the window that take a server out.
    #[config(default = 1)]
    pub max_failed_attempts: i64,
}

/// How answers are passed on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ResponseForwarding {
    /// Longest time bytes wait before they are sent on; negative sends every piece at once. Streams never wait.
    #[config(default = Duration::from_millis(100))]
    pub flush_interval: Duration,
}

/// Spreads requests over other services by weight.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct WeightedRoundRobin {
    /// The services and their weights.
    pub services: Vec<WrrService>,
    /// Keep a client on the service that answered it first.
    pub sticky: Option<Sticky>,
    /// Pass the state of the services upwards, and leave out those that are down.
    #[config(allow_empty)]
    pub health_check: Option<ChildHealth>,
}

/// A service with its share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct WrrService {
    /// Name of the service.
    pub name: String,
    /// Its share; 0 takes it out.
    #[config(default = Some(1))]
    pub weight: Option<i64>,
}

/// Present: the state of the services below is passed upwards. It has no options.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ChildHealth {}

/// Spreads requests over other services, always the same one for the same client address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct HighestRandomWeight {
    /// The services and their weights.
    pub services: Vec<HrwService>,
    /// Pass the state of the services upwards, and leave out those that are down.
    #[config(allow_empty)]
    pub health_check: Option<ChildHealth>,
}

/// A service with its share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct HrwService {
    /// Name of the service.
    pub name: String,
    /// Its share; 0 takes it out.
    #[config(default = Some(1))]
    pub weight: Option<i64>,
}

/// Sends copies of requests to further services, whose answers are thrown away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Mirroring {
    /// The service that answers.
    pub service: String,
    /// Send the body with the copies.
    #[config(default = Some(true))]
    pub mirror_body: Option<bool>,
    /// Largest body, in bytes, that is copied; requests with larger ones are not mirrored. -1 means no limit.
    #[config(default = Some(-1))]
    pub max_body_size: Option<i64>,
    /// Who receives copies.
    pub mirrors: Vec<MirrorService>,
    /// Pass the state of the answering service upwards.
    #[config(allow_empty)]
    pub health_check: Option<ChildHealth>,
}

/// A service that receives copies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct MirrorService {
    /// Name of the service.
    pub name: String,
    /// How many of a hundred requests are copied, 0 to 100.
    pub percent: i64,
}

/// Uses a second service while the first is down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Failover {
    /// The service used as long as it is up.
    pub service: String,
    /// The service used otherwise.
    pub fallback: String,
    /// Pass the state of the services upwards.
    #[config(allow_empty)]
    pub health_check: Option<ChildHealth>,
    /// Also use the second service for answers with certain statuses.
    pub errors: Option<FailoverErrors>,
}

/// Answers that make the second service be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct FailoverErrors {
    /// Largest body, in bytes, that is kept for asking again; -1 means no limit.
    #[config(default = Some(-1))]
    pub max_request_body_bytes: Option<i64>,
    /// Statuses and ranges, such as `500-504`.
    pub status: Vec<String>,
}
