//! TCP routers, services, middlewares and transports of the routing configuration.

use trilithon_model_derive::Config;

use super::kinds;
use super::tls::{Certificate, Domain};
use crate::duration::Duration;
use crate::file_or_content::FileOrContent;
use crate::spanned::Map;

/// The `tcp` section.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Tcp {
    /// Routers by name.
    pub routers: Map<Router>,
    /// Services by name.
    pub services: Map<Service>,
    /// Middlewares by name.
    pub middlewares: Map<Middleware>,
    /// Ways to reach servers, by name.
    #[config(no_labels)]
    pub servers_transports: Map<ServersTransport>,
}

impl Tcp {
    /// True when it names no object.
    pub fn is_empty(&self) -> bool {
        self.routers.is_empty()
            && self.services.is_empty()
            && self.middlewares.is_empty()
            && self.servers_transports.is_empty()
    }
}

/// Chooses connections by a rule and hands them to a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Router {
    /// Entry points it listens on; the default ones when empty.
    pub entry_points: Vec<String>,
    /// Middlewares, the first outermost.
    pub middlewares: Vec<String>,
    /// The service that takes the connection.
    pub service: String,
    /// Which connections it takes, such as ``HostSNI(`example.com`)``.
    pub rule: String,
    /// The rule language.
    #[config(
        deprecated = "write the rule in the v3 syntax and remove it",
        one_of("default", "v2", "v3")
    )]
    pub rule_syntax: String,
    /// Higher is tried first; 0 means the length of the rule in bytes.
    pub priority: i64,
    /// Takes TLS connections only; ends TLS here unless `passthrough` is set.
    #[config(allow_empty)]
    pub tls: Option<RouterTls>,
}

/// TLS of a TCP router.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct RouterTls {
    /// Hand the encrypted connection on as it is; the certificate is then the server's.
    pub passthrough: bool,
    /// The set of TLS options to use.
    pub options: String,
    /// The certificate resolver to ask.
    pub cert_resolver: String,
    /// Names to obtain certificates for; those of the rule when empty.
    pub domains: Vec<Domain>,
}

/// Where connections go. Holds exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Service {
    /// Spreads connections over servers.
    pub load_balancer: Option<Box<ServersLoadBalancer>>,
    /// Spreads connections over other services by weight.
    #[config(no_labels)]
    pub weighted: Option<Box<WeightedRoundRobin>>,
}

kinds! { "service",
    /// The kinds of TCP service.
    ServiceKind {
        Service {
            ServersLoadBalancer: load_balancer = "loadBalancer",
            WeightedRoundRobin: weighted = "weighted",
        }
    }
}

/// Spreads connections over servers in turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ServersLoadBalancer {
    /// Send the client's address ahead of the data.
    #[config(
        allow_empty,
        deprecated = "set `proxyProtocol` on the servers transport instead"
    )]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// The servers.
    pub servers: Vec<Server>,
    /// How the servers are reached; `default@internal` when empty.
    pub servers_transport: String,
    /// Milliseconds a half-closed connection may still be read.
    #[config(deprecated = "set `terminationDelay` on the servers transport instead")]
    pub termination_delay: Option<i64>,
    /// Ask the servers regularly whether they are well.
    #[config(allow_empty)]
    pub health_check: Option<HealthCheck>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Server {
    /// `host:port`.
    #[config(no_labels)]
    pub address: String,
    /// Speak TLS to it.
    pub tls: bool,
}

/// PROXY protocol towards servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ProxyProtocol {
    /// 1 or 2.
    #[config(default = 2)]
    pub version: i64,
}

/// Active health checks of TCP servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct HealthCheck {
    /// Port to ask on; the server's own when 0.
    pub port: i64,
    /// Bytes to send after connecting.
    pub send: String,
    /// Bytes the answer must start with.
    pub expect: String,
    /// Time between checks of a healthy server.
    #[config(default = Duration::from_secs(30))]
    pub interval: Duration,
    /// Time between checks of an unhealthy server; `interval` when absent.
    pub unhealthy_interval: Option<Duration>,
    /// How long one check may take.
    #[config(default = Duration::from_secs(5))]
    pub timeout: Duration,
}

/// Spreads connections over other services by weight.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct WeightedRoundRobin {
    /// The services and their weights.
    pub services: Vec<WrrService>,
    /// Pass the state of the services' servers upwards.
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

/// A step on the way of a connection. Holds exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Middleware {
    /// Limits simultaneous connections per client address.
    pub in_flight_conn: Option<Box<InFlightConn>>,
    /// Former name of `ipAllowList`.
    #[config(deprecated = "use `ipAllowList`")]
    pub ip_white_list: Option<Box<IpWhiteList>>,
    /// Lets only some client addresses in.
    pub ip_allow_list: Option<Box<IpAllowList>>,
}

kinds! { "middleware",
    /// The kinds of TCP middleware.
    MiddlewareKind {
        Middleware {
            InFlightConn: in_flight_conn = "inFlightConn",
            IpWhiteList: ip_white_list = "ipWhiteList",
            IpAllowList: ip_allow_list = "ipAllowList",
        }
    }
}

/// Limits simultaneous connections per client address; further ones are closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct InFlightConn {
    /// How many connections one address may hold.
    pub amount: i64,
}

/// Lets only some client addresses in; other connections are closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct IpAllowList {
    /// Addresses and ranges in CIDR notation.
    pub source_range: Vec<String>,
}

/// Former name of `ipAllowList`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct IpWhiteList {
    /// Addresses and ranges in CIDR notation.
    pub source_range: Vec<String>,
}

/// A way to reach TCP servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ServersTransport {
    /// Time between TCP keep-alive probes; negative turns them off.
    #[config(default = Duration::from_secs(15))]
    pub dial_keep_alive: Duration,
    /// How long connecting may take; 0 means no limit.
    #[config(default = Duration::from_secs(30))]
    pub dial_timeout: Duration,
    /// Send the client's address ahead of the data.
    #[config(allow_empty)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// How long a half-closed connection may still be read; negative means no limit.
    #[config(default = Duration::from_millis(100))]
    pub termination_delay: Duration,
    /// TLS towards the servers.
    #[config(allow_empty)]
    pub tls: Option<TlsClientConfig>,
}

/// TLS towards TCP servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct TlsClientConfig {
    /// The name to ask for and to verify.
    pub server_name: String,
    /// Accept any certificate. Unsafe outside tests.
    pub insecure_skip_verify: bool,
    /// Authorities that server certificates must descend from: paths, or PEM text; the system's when empty.
    #[config(rename = "rootCAs")]
    pub root_cas: Vec<FileOrContent>,
    /// Certificates shown to servers that ask for one.
    pub certificates: Vec<Certificate>,
    /// URI that the server's certificate must carry as a subject alternative name.
    #[config(rename = "peerCertURI")]
    pub peer_cert_uri: String,
    /// Prove and verify identities by SPIFFE.
    #[config(allow_empty)]
    pub spiffe: Option<super::http::Spiffe>,
}
