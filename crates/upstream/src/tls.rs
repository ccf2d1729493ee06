//! TLS towards servers: what a transport asks for, compiled once.

mod trusted_leaf;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use std::sync::{Arc, LazyLock};
use trilithon_flow::BuildError;
use trilithon_model::FileOrContent;

/// The TLS half of a transport's settings, files already read.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Name to ask for and to verify; the server's own when empty.
    pub server_name: String,
    pub insecure_skip_verify: bool,
    /// PEM of the accepted authorities; the system's when empty.
    pub root_cas: Vec<String>,
    /// PEM of certificate chains with their keys.
    pub certificates: Vec<(String, String)>,
    /// Names of TLS 1.2 suites; all when empty.
    pub cipher_suites: Vec<String>,
    pub min_version: String,
    pub max_version: String,
    /// URI that the certificate must carry.
    pub peer_cert_uri: String,
    /// Speak HTTP/1.1 only.
    pub http1_only: bool,
}

impl TlsSettings {
    /// Whether nothing differs from the defaults but the protocols offered.
    pub fn is_plain(&self) -> bool {
        !self.insecure_skip_verify
            && self.server_name.is_empty()
            && self.root_cas.is_empty()
            && self.certificates.is_empty()
            && self.cipher_suites.is_empty()
            && self.min_version.is_empty()
            && self.max_version.is_empty()
            && self.peer_cert_uri.is_empty()
    }
}

/// The text of an option that is a path or PEM.
///
/// # Errors
/// The file is named and cannot be read.
pub fn read(option: &FileOrContent) -> Result<String, BuildError> {
    if option.is_content() {
        return Ok(option.as_str().to_owned());
    }
    std::fs::read_to_string(option.as_str())
        .map_err(|e| BuildError::new(format!("cannot read `{}`: {e}", option.as_str())))
}

/// Compiled client configurations.
#[derive(Clone)]
pub struct ClientTls {
    /// Offers HTTP/2 and HTTP/1.1, or HTTP/1.1 alone.
    pub any: Arc<ClientConfig>,
    /// Offers HTTP/1.1 alone: for upgrades.
    pub http1: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// Compiles settings.
    ///
    /// # Errors
    /// What cannot be used: unknown versions or suites, certificates that cannot be read, a bad server name.
    pub fn build(settings: &TlsSettings) -> Result<ClientTls, BuildError> {
        let provider = provider(&settings.cipher_suites)?;
        let versions = versions(&settings.min_version, &settings.max_version)?;
        let verifier = verifier(settings, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(refused)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let keys = keys(&settings.certificates, &provider);
        let mut config = if keys.is_empty() {
            builder.with_no_client_auth()
        } else {
            builder.with_client_cert_resolver(Arc::new(Keys(keys)))
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(config.clone());
        if !settings.http1_only {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        let name = match settings.server_name.as_str() {
            "" => None,
            name => Some(
                server_name(name)
                    .ok_or_else(|| BuildError::new(format!("`serverName` `{name}` is no name")))?,
            ),
        };
        let any = if settings.http1_only {
            http1.clone()
        } else {
            Arc::new(config)
        };
        Ok(ClientTls { any, http1, name })
    }

    /// The name to ask for at `host`.
    pub fn name(&self, host: &str) -> Option<ServerName<'static>> {
        self.name.clone().or_else(|| server_name(host))
    }
}

fn server_name(name: &str) -> Option<ServerName<'static>> {
    let name = name.split_once('%').map_or(name, |(address, _zone)| address);
    ServerName::try_from(name.trim_end_matches('.').to_owned()).ok()
}

fn refused(error: impl std::fmt::Display) -> BuildError {
    BuildError::new(error.to_string())
}

// ── versions and suites ─────────────────────────────────────────────────────────────────────────────────────────────

fn version(name: &str, empty: u8) -> Result<u8, BuildError> {
    match name {
        "" => Ok(empty),
        "VersionTLS10" => Ok(10),
        "VersionTLS11" => Ok(11),
        "VersionTLS12" => Ok(12),
        "VersionTLS13" => Ok(13),
        other => Err(BuildError::new(format!("unknown TLS version `{other}`"))),
    }
}

/// TLS 1.0 and 1.1 are not spoken: as a lower bound they mean 1.2, as an upper bound they leave nothing.
fn versions(min: &str, max: &str) -> Result<Vec<&'static SupportedProtocolVersion>, BuildError> {
    if !min.is_empty() && max.is_empty() {
        // Traefik compares with the missing bound, fails, and takes its defaults: measured, and kept.
        return Err(BuildError::new("`minVersion` is set and `maxVersion` is not"));
    }
    let (low, high) = (version(min, 12)?, version(max, 13)?);
    let all: [(u8, &'static SupportedProtocolVersion); 2] =
        [(13, &rustls::version::TLS13), (12, &rustls::version::TLS12)];
    let kept: Vec<_> = all
        .into_iter()
        .filter(|(v, _)| (low..=high).contains(v))
        .map(|(_, v)| v)
        .collect();
    if kept.is_empty() {
        return Err(BuildError::new(format!(
            "no TLS version lies between `{min}` and `{max}`"
        )));
    }
    Ok(kept)
}

/// TLS 1.2 suites of Go that rustls does not have: known names, never chosen.
const LEGACY: [&str; 14] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

/// The cryptography with the TLS 1.2 suites that are named; those of TLS 1.3 cannot be chosen.
fn provider(suites: &[String]) -> Result<Arc<CryptoProvider>, BuildError> {
    static DEFAULT: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    if suites.is_empty() {
        return Ok(DEFAULT.clone());
    }
    let mut provider = CryptoProvider::clone(&DEFAULT);
    let all = std::mem::take(&mut provider.cipher_suites);
    let name_of = |s: &rustls::SupportedCipherSuite| format!("{:?}", s.suite()).replacen("TLS13_", "TLS_", 1);
    for name in suites {
        let full = if name.ends_with("POLY1305") {
            format!("{name}_SHA256")
        } else {
            name.clone()
        };
        if !LEGACY.contains(&full.as_str()) && !all.iter().any(|s| name_of(s) == full) {
            return Err(BuildError::new(format!("unknown cipher suite `{name}`")));
        }
    }
    let named = |s: &rustls::SupportedCipherSuite| {
        let name = name_of(s);
        suites.iter().any(|n| *n == name || format!("{n}_SHA256") == name)
    };
    provider.cipher_suites = all
        .into_iter()
        .filter(|s| s.tls13().is_some() || named(s))
        .collect();
    Ok(Arc::new(provider))
}

// ── our certificates ────────────────────────────────────────────────────────────────────────────────────────────────

/// Pairs that cannot be used are left out, as Traefik does, and said.
fn keys(pairs: &[(String, String)], provider: &CryptoProvider) -> Vec<Arc<CertifiedKey>> {
    let key = |(chain, key): &(String, String)| -> Result<CertifiedKey, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let chain = chain.map_err(|e| e.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| e.to_string())?;
        CertifiedKey::from_der(chain, key, provider).map_err(|e| e.to_string())
    };
    let mut keys = Vec::new();
    for pair in pairs {
        match key(pair) {
            Ok(key) => keys.push(Arc::new(key)),
            Err(error) => tracing::error!(error, "cannot use a client certificate"),
        }
    }
    keys
}

/// Chooses the first certificate whose signature the server understands and whose issuer it accepts.
#[derive(Debug)]
struct Keys(Vec<Arc<CertifiedKey>>);

impl rustls::client::ResolvesClientCert for Keys {
    fn resolve(&self, accepted: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| {
            key.key.choose_scheme(schemes).is_some()
                && (accepted.is_empty() || key.cert.iter().any(|c| issuer_in(c, accepted)))
        };
        self.0.iter().find(fits).cloned()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn issuer_in(certificate: &CertificateDer<'_>, accepted: &[&[u8]]) -> bool {
    match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, parsed)) => accepted.contains(&parsed.issuer().as_raw()),
        Err(_) => false,
    }
}

// ── their certificates ──────────────────────────────────────────────────────────────────────────────────────────────

fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, BuildError> {
    if settings.insecure_skip_verify && settings.peer_cert_uri.is_empty() {
        return Ok(Arc::new(AcceptAny(provider.clone())));
    }
    let roots = if settings.root_cas.is_empty() {
        system_roots()
    } else {
        Arc::new(roots(&settings.root_cas))
    };
    if roots.is_empty() {
        return Ok(Arc::new(AcceptNone(provider.clone())));
    }
    let chain = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(refused)?;
    let chain: Arc<dyn ServerCertVerifier> = if settings.root_cas.is_empty() {
        chain
    } else {
        let roots = certificates(&settings.root_cas).collect();
        Arc::new(trusted_leaf::TrustedLeaf { chain, roots })
    };
    if settings.peer_cert_uri.is_empty() {
        return Ok(chain);
    }
    let any_name = settings.insecure_skip_verify;
    Ok(Arc::new(WithUri {
        chain,
        any_name,
        uri: settings.peer_cert_uri.clone(),
    }))
}

/// The certificates that can be read.
fn certificates(pem: &[String]) -> impl Iterator<Item = CertificateDer<'static>> {
    pem.iter()
        .flat_map(|text| CertificateDer::pem_slice_iter(text.as_bytes()).flatten())
}

/// Certificates that cannot be read are left out, as Go does.
fn roots(pem: &[String]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates(pem));
    if store.is_empty() {
        tracing::error!("`rootCAs` holds no certificate: no server will be trusted");
    }
    store
}

/// The system's authorities, read when they are first needed.
pub fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "cannot read a system certificate");
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        Arc::new(store)
    });
    ROOTS.clone()
}

macro_rules! signatures {
    ($provider:ident) => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(
                message,
                cert,
                dss,
                &self.$provider().signature_verification_algorithms,
            )
        }
        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(
                message,
                cert,
                dss,
                &self.$provider().signature_verification_algorithms,
            )
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.$provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}

/// `insecureSkipVerify`: any certificate, as long as the server holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl AcceptAny {
    fn provider(&self) -> &CryptoProvider {
        &self.0
    }
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }
    signatures!(provider);
}

/// No authority is known, so no certificate is good.
#[derive(Debug)]
struct AcceptNone(Arc<CryptoProvider>);

impl AcceptNone {
    fn provider(&self) -> &CryptoProvider {
        &self.0
    }
}

impl ServerCertVerifier for AcceptNone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
    signatures!(provider);
}

/// `peerCertURI`: a chain that is good, with that URI among the subject's alternative names.
#[derive(Debug)]
struct WithUri {
    chain: Arc<dyn ServerCertVerifier>,
    /// With `insecureSkipVerify` the chain still counts, the name does not.
    any_name: bool,
    uri: String,
}

impl ServerCertVerifier for WithUri {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        match self
            .chain
            .verify_server_cert(leaf, intermediates, name, ocsp, now)
        {
            // The name is looked at last: what else could be wrong is not.
            Err(Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
                if self.any_name => {}
            Err(other) => return Err(other),
            Ok(_) => {}
        }
        if has_uri(leaf, &self.uri) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

fn has_uri(leaf: &CertificateDer<'_>, uri: &str) -> bool {
    use x509_parser::extensions::GeneralName;
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else {
        return false;
    };
    let Ok(Some(names)) = parsed.subject_alternative_name() else {
        return false;
    };
    names
        .value
        .general_names
        .iter()
        .any(|n| matches!(n, GeneralName::URI(u) if *u == uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edit: impl FnOnce(&mut TlsSettings), want: Result<&str, &str>) {
        let mut settings = TlsSettings {
            insecure_skip_verify: true,
            ..TlsSettings::default()
        };
        edit(&mut settings);
        let got = ClientTls::build(&settings).map(|tls| {
            let alpn: Vec<_> = tls
                .any
                .alpn_protocols
                .iter()
                .map(|p| String::from_utf8_lossy(p).into_owned())
                .collect();
            let suites = tls.any.crypto_provider().cipher_suites.len();
            format!("{} {suites}", alpn.join(","))
        });
        assert_eq!(got.as_deref().map_err(|e| e.message.as_str()), want);
    }

    #[test]
    fn settings() {
        let all = rustls::crypto::aws_lc_rs::default_provider().cipher_suites.len();
        check(|_| (), Ok(&format!("h2,http/1.1 {all}")));
        check(|s| s.http1_only = true, Ok(&format!("http/1.1 {all}")));
        check(
            |s| s.max_version = "VersionTLS12".into(),
            Ok(&format!("h2,http/1.1 {all}")),
        );
        check(
            |s| s.min_version = "VersionTLS12".into(),
            Err("`minVersion` is set and `maxVersion` is not"),
        );
        check(
            |s| (s.min_version, s.max_version) = ("VersionTLS13".into(), "VersionTLS12".into()),
            Err("no TLS version lies between `VersionTLS13` and `VersionTLS12`"),
        );
        check(|s| s.max_version = "1.2".into(), Err("unknown TLS version `1.2`"));
        check(
            |s| s.cipher_suites = vec!["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305".into()],
            Ok("h2,http/1.1 4"),
        );
        check(
            |s| s.cipher_suites = vec!["TLS_RSA_WITH_AES_128_CBC_SHA".into()],
            Ok("h2,http/1.1 3"),
        );
        check(
            |s| s.cipher_suites = vec!["NONSENSE".into()],
            Err("unknown cipher suite `NONSENSE`"),
        );
        check(
            |s| s.server_name = "a b".into(),
            Err("`serverName` `a b` is no name"),
        );
        check(
            |s| (s.peer_cert_uri, s.root_cas) = ("x".into(), vec!["none".into()]),
            Ok(&format!("h2,http/1.1 {all}")),
        );
    }
}
