//! Ways to reach HTTP servers.

use trilithon_model_derive::Config;

use crate::duration::Duration;
use crate::dynamic::tls::Certificate;
use crate::file_or_content::FileOrContent;

/// A way to reach HTTP servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ServersTransport {
    /// The name to ask for and to verify in TLS; the server's own when empty.
    pub server_name: String,
    /// Accept any certificate. Unsafe outside tests.
    pub insecure_skip_verify: bool,
    /// Authorities that server certificates must descend from: paths, or PEM text; the system's when empty.
    #[config(rename = "rootCAs")]
    pub root_cas: Vec<FileOrContent>,
    /// Certificates shown to servers that ask for one.
    pub certificates: Vec<Certificate>,
    /// Cipher suites for TLS 1.2 and below.
    pub cipher_suites: Vec<String>,
    /// Lowest TLS version; TLS 1.2 when empty.
    #[config(one_of("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"))]
    pub min_version: String,
    /// Highest TLS version; the newest when empty.
    #[config(one_of("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"))]
    pub max_version: String,
    /// Idle connections kept per server; 0 means 2, negative none.
    pub max_idle_conns_per_host: i64,
    /// How long each step may take.
    pub forwarding_timeouts: Option<ForwardingTimeouts>,
    /// Speak HTTP/1.1 only.
    #[config(rename = "disableHTTP2")]
    pub disable_http2: bool,
    /// URI that the server's certificate must carry as a subject alternative name.
    #[config(rename = "peerCertURI")]
    pub peer_cert_uri: String,
    /// Prove and verify identities by SPIFFE.
    #[config(allow_empty)]
    pub spiffe: Option<Spiffe>,
}

/// How long each step towards a server may take.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ForwardingTimeouts {
    /// Connecting; 0 means no limit.
    #[config(default = Duration::from_secs(30))]
    pub dial_timeout: Duration,
    /// From the end of the request to the first byte of the answer's head; 0 means no limit.
    pub response_header_timeout: Duration,
    /// How long an idle connection is kept; 0 means for ever.
    #[config(default = Duration::from_secs(90))]
    pub idle_conn_timeout: Duration,
    /// HTTP/2: silence after which a ping is sent; 0 sends none.
    pub read_idle_timeout: Duration,
    /// HTTP/2: how long the answer to a ping may take.
    #[config(default = Duration::from_secs(15))]
    pub ping_timeout: Duration,
}

/// Which SPIFFE identities a server may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Spiffe {
    /// The accepted identities.
    pub ids: Vec<String>,
    /// The accepted trust domain, when `ids` is empty.
    pub trust_domain: String,
}
