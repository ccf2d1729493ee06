//! Where certificates are obtained.

use trilithon_model_derive::Config;

use crate::duration::Duration;
use crate::file_or_content::FileOrContent;
use crate::secret::Secret;

/// Where certificates are obtained. Holds one kind.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct CertificateResolver {
    /// By ACME (RFC 8555), such as Let's Encrypt.
    pub acme: Option<Box<Acme>>,
    /// From the local Tailscale service.
    #[config(allow_empty)]
    pub tailscale: Option<Tailscale>,
}

/// Present: certificates come from Tailscale. It has no options.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Tailscale {}

/// Certificates by ACME.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Acme {
    /// Address of the account's owner.
    pub email: String,
    /// Directory URL of the authority.
    #[config(default = "https://acme-v02.api.letsencrypt.org/directory".to_owned())]
    pub ca_server: String,
    /// Chain preferred among those offered: common name of its topmost issuer.
    pub preferred_chain: String,
    /// Certificate profile asked for.
    pub profile: String,
    /// E-mail addresses put into the certificate.
    pub email_addresses: Vec<String>,
    /// Leave the common name out of certificates.
    pub disable_common_name: bool,
    /// File that keeps account and certificates. Needed; readable by the owner only.
    #[config(default = "acme.json".to_owned())]
    pub storage: String,
    /// Kind of the private keys.
    #[config(default = "RSA4096".to_owned(), one_of("EC256", "EC384", "RSA2048", "RSA4096", "RSA8192"))]
    pub key_type: String,
    /// Binding to an account at the authority.
    pub eab: Option<Eab>,
    /// How long certificates are valid, in hours; decides when they are renewed.
    #[config(default = 2160)]
    pub certificates_duration: i64,
    /// How long a request to the authority may take.
    #[config(default = Duration::from_secs(120))]
    pub client_timeout: Duration,
    /// How long the head of its answer may take.
    #[config(default = Duration::from_secs(30))]
    pub client_response_header_timeout: Duration,
    /// How long issuing a certificate may take.
    #[config(default = Duration::from_secs(30))]
    pub certificate_timeout: Duration,
    /// Authorities its own certificate must descend from: paths, or PEM text.
    #[config(rename = "caCertificates")]
    pub ca_certificates: Vec<FileOrContent>,
    /// Accept the system's authorities beside `caCertificates`.
    pub ca_system_cert_pool: bool,
    /// Name to verify in its certificate.
    pub ca_server_name: String,
    /// Prove control by DNS records.
    #[config(allow_empty)]
    pub dns_challenge: Option<DnsChallenge>,
    /// Prove control by HTTP requests.
    #[config(allow_empty)]
    pub http_challenge: Option<HttpChallenge>,
    /// Prove control by TLS handshakes.
    #[config(allow_empty)]
    pub tls_challenge: Option<TlsChallenge>,
}

/// Binding to an account at the authority.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Eab {
    /// Key identifier.
    pub kid: String,
    /// Key, base64url.
    pub hmac_encoded: Secret,
}

/// Prove control by DNS records.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct DnsChallenge {
    /// Who serves the zone, by lego's name. Its credentials come from the environment.
    pub provider: String,
    /// DNS servers asked whether the record is there: `host:port`.
    pub resolvers: Vec<String>,
    /// How it is made sure that the record is there.
    #[config(allow_empty)]
    pub propagation: Option<Propagation>,
    /// Former `propagation.delayBeforeChecks`.
    #[config(deprecated = "use `propagation.delayBeforeChecks`")]
    pub delay_before_check: Duration,
    /// Former `propagation.disableChecks`.
    #[config(deprecated = "use `propagation.disableChecks`")]
    pub disable_propagation_check: bool,
}

/// How it is made sure that a DNS record is there.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Propagation {
    /// Do not ask at all.
    pub disable_checks: bool,
    /// Do not ask the zone's own servers.
    #[config(rename = "disableANSChecks")]
    pub disable_ans_checks: bool,
    /// Ask all of `resolvers`.
    #[config(rename = "requireAllRNS")]
    pub require_all_rns: bool,
    /// Wait before asking.
    pub delay_before_checks: Duration,
}

/// Prove control by HTTP requests.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct HttpChallenge {
    /// Entry point that answers them. It must exist, and be reachable on port 80.
    pub entry_point: String,
    /// Wait before the authority is told.
    pub delay: Duration,
}

/// Prove control by TLS handshakes.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct TlsChallenge {
    /// Wait before the authority is told.
    pub delay: Duration,
}
