//! Certificates, TLS options and certificate stores of the routing configuration.

use trilithon_model_derive::Config;

use crate::file_or_content::FileOrContent;
use crate::spanned::{Map, Spanned};

/// The `tls` section.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Tls {
    /// Certificates offered to clients, chosen by the server name the client asks for.
    pub certificates: Vec<Spanned<CertAndStores>>,
    /// Named sets of TLS settings. The set called `default` applies where a router names none.
    pub options: Map<Options>,
    /// Certificate stores. Only the store called `default` is used.
    pub stores: Map<Store>,
}

impl Tls {
    /// True when nothing is configured.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.options.is_empty() && self.stores.is_empty()
    }
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Certificate {
    /// The certificate, followed by the intermediate ones: a path, or PEM text.
    pub cert_file: FileOrContent,
    /// The private key: a path, or PEM text.
    pub key_file: FileOrContent,
}

/// A certificate and the stores that offer it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct CertAndStores {
    /// The certificate, followed by the intermediate ones: a path, or PEM text.
    pub cert_file: FileOrContent,
    /// The private key: a path, or PEM text.
    pub key_file: FileOrContent,
    /// Stores that offer it. Only `default` exists; other names are ignored with a warning.
    pub stores: Vec<String>,
}

/// A named set of TLS settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Options {
    /// Lowest TLS version accepted; TLS 1.2 when empty.
    #[config(one_of("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"))]
    pub min_version: String,
    /// Highest TLS version accepted; the newest when empty.
    #[config(one_of("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"))]
    pub max_version: String,
    /// Cipher suites for TLS 1.2 and below, by their IANA or Go name. Those of TLS 1.3 cannot be chosen.
    pub cipher_suites: Vec<String>,
    /// Key exchange groups in order of preference: `X25519MLKEM768`, `X25519`, `CurveP256`, `CurveP384`, `CurveP521` …
    pub curve_preferences: Vec<String>,
    /// Whether and how clients must show a certificate of their own.
    pub client_auth: ClientAuth,
    /// Refuse handshakes whose server name fits no certificate, instead of offering the default one.
    pub sni_strict: bool,
    /// Application protocols offered, in order of preference.
    #[config(default = alpn_default(), rename = "alpnProtocols")]
    pub alpn_protocols: Vec<String>,
    /// Do not let clients resume a session by ticket.
    pub disable_session_tickets: bool,
    /// Has no effect.
    #[config(deprecated = "remove it: the server's order is always preferred")]
    pub prefer_server_cipher_suites: Option<bool>,
}

fn alpn_default() -> Vec<String> {
    ["h2", "http/1.1", "acme-tls/1"].map(str::to_owned).to_vec()
}

/// What is asked of client certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ClientAuth {
    /// Authorities that client certificates must descend from: paths, or PEM text.
    #[config(rename = "caFiles")]
    pub ca_files: Vec<FileOrContent>,
    /// How strict to be. With `caFiles` alone: `RequireAndVerifyClientCert`.
    #[config(one_of(
        "NoClientCert",
        "RequestClientCert",
        "RequireAnyClientCert",
        "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert"
    ))]
    pub client_auth_type: String,
}

/// A certificate store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Store {
    /// The certificate offered when no other fits.
    #[config(no_labels)]
    pub default_certificate: Option<Certificate>,
    /// Ask a certificate resolver for the default certificate instead.
    pub default_generated_cert: Option<GeneratedCert>,
}

/// A default certificate obtained from a resolver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct GeneratedCert {
    /// The certificate resolver to ask.
    pub resolver: String,
    /// The names the certificate is for.
    pub domain: Option<Domain>,
}

/// The names of one certificate to be obtained.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Domain {
    /// The main name.
    pub main: String,
    /// Further names.
    pub sans: Vec<String>,
}
