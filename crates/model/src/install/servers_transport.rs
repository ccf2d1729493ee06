//! How servers are reached unless a service says otherwise.

use trilithon_model_derive::Config;

use crate::duration::Duration;
use crate::dynamic::http::Spiffe;
use crate::file_or_content::FileOrContent;

/// How HTTP servers are reached unless a service says otherwise.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct ServersTransport {
    /// Accept any certificate. Unsafe outside tests.
    pub insecure_skip_verify: bool,
    /// Authorities that server certificates must descend from: paths, or PEM text; the system's when empty.
    #[config(rename = "rootCAs")]
    pub root_cas: Vec<FileOrContent>,
    /// Idle connections kept per server; negative keeps none.
    #[config(default = 200)]
    pub max_idle_conns_per_host: i64,
    /// How long each step may take.
    #[config(default = Some(ForwardingTimeouts::default()))]
    pub forwarding_timeouts: Option<ForwardingTimeouts>,
    /// Prove and verify identities by SPIFFE.
    #[config(allow_empty)]
    pub spiffe: Option<Spiffe>,
}

/// How long each step towards a server may take.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct ForwardingTimeouts {
    /// Connecting; 0 means no limit.
    #[config(default = Duration::from_secs(30))]
    pub dial_timeout: Duration,
    /// From the end of the request to the first byte of the answer's head; 0 means no limit.
    pub response_header_timeout: Duration,
    /// How long an idle connection is kept; 0 means for ever.
    #[config(default = Duration::from_secs(90))]
    pub idle_conn_timeout: Duration,
}

/// How TCP servers are reached unless a service says otherwise.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct TcpServersTransport {
    /// Time between TCP keep-alive probes; negative turns them off.
    #[config(default = Duration::from_secs(15))]
    pub dial_keep_alive: Duration,
    /// How long connecting may take; 0 means no limit.
    #[config(default = Duration::from_secs(30))]
    pub dial_timeout: Duration,
    /// How long a half-closed connection may still be read. Without effect here, as in Traefik.
    pub termination_delay: Duration,
    /// TLS towards the servers.
    #[config(allow_empty)]
    pub tls: Option<TcpTlsClient>,
}

/// TLS towards TCP servers.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct TcpTlsClient {
    /// Accept any certificate. Unsafe outside tests.
    pub insecure_skip_verify: bool,
    /// Authorities that server certificates must descend from: paths, or PEM text; the system's when empty.
    #[config(rename = "rootCAs")]
    pub root_cas: Vec<FileOrContent>,
    /// Prove and verify identities by SPIFFE.
    #[config(allow_empty)]
    pub spiffe: Option<Spiffe>,
}
