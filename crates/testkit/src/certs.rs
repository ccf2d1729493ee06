//! Certificates made for one test: an authority, some hosts, a backend and a client, as files and as rustls settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

use crate::Folder;

/// A folder with `ca.crt`, `other-ca.crt` and, each as `.crt` and `.key`, `a.test`, `b.test`, `wild.test`
/// (`*.wild.test`), `backend` (`backend.test`, `localhost`, `127.0.0.1`), `client` and `other-client` (of the other
/// authority). In a gateway's configuration the folder is `@CERTS@`.
#[derive(Debug)]
pub struct Certs {
    folder: Folder,
    authority: Issuer<'static, KeyPair>,
}

impl Certs {
    pub fn generate() -> Certs {
        let folder = Folder::new("certs");
        let other = authority(&folder, "other-ca");
        issue(
            &folder,
            &other,
            "other-client",
            &["other-client.test"],
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        let certs = Certs {
            authority: authority(&folder, "ca"),
            folder,
        };
        certs
            .host("a.test", &["a.test"])
            .host("b.test", &["b.test"])
            .host("wild.test", &["*.wild.test"]);
        certs
            .host("backend", &["backend.test", "localhost", "127.0.0.1"])
            .client("client");
        certs
    }

    /// Adds `name.crt` and `name.key` for a server with these names or addresses.
    pub fn host(&self, name: &str, names: &[&str]) -> &Certs {
        issue(
            &self.folder,
            &self.authority,
            name,
            names,
            ExtendedKeyUsagePurpose::ServerAuth,
        );
        self
    }

    /// Adds `name.crt` and `name.key` for a client.
    pub fn client(&self, name: &str) -> &Certs {
        let names = [&*format!("{name}.test")];
        issue(
            &self.folder,
            &self.authority,
            name,
            &names,
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file of the folder, such as `a.test.crt`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server that shows the certificate `name`; with `client_authority` (such as `ca`) it demands a client's.
    pub fn server_config(&self, name: &str, client_authority: Option<&str>) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.expect("the provider has the default versions");
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let roots = Arc::new(self.roots(authority));
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
                builder.with_client_cert_verifier(verifier.expect("the authority is a root"))
            }
        };
        let (chain, key) = self.identity(name);
        builder
            .with_single_cert(chain, key)
            .expect("certificate and key belong together")
    }

    /// A client that shows the certificate `name`, if any. It trusts `ca`, or with `verify` false anybody.
    pub fn client_config(&self, name: Option<&str>, verify: bool) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.expect("the provider has the default versions");
        let builder = if verify {
            builder.with_root_certificates(self.roots("ca"))
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Credulous(provider())))
        };
        match name.map(|name| self.identity(name)) {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("a pair"),
        }
    }

    fn roots(&self, authority: &str) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for certificate in self.chain(authority) {
            roots.add(certificate).expect("an authority is a root");
        }
        roots
    }

    fn identity(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).expect("a key file");
        (self.chain(name), key)
    }

    fn chain(&self, name: &str) -> Vec<CertificateDer<'static>> {
        let file = self.file(&format!("{name}.crt"));
        let certificates = CertificateDer::pem_file_iter(file).expect("a certificate file");
        certificates.map(|c| c.expect("a certificate")).collect()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn authority(folder: &Folder, name: &str) -> Issuer<'static, KeyPair> {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    folder.write(&format!("{name}.crt"), certificate.pem());
    folder.write(&format!("{name}.key"), key.serialize_pem());
    Issuer::new(params, key)
}

fn issue(
    folder: &Folder,
    authority: &Issuer<'static, KeyPair>,
    name: &str,
    names: &[&str],
    usage: ExtendedKeyUsagePurpose,
) {
    let mut params = params(name, names);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    folder.write(&format!("{name}.crt"), certificate.pem());
    folder.write(&format!("{name}.key"), key.serialize_pem());
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Trilithon tests");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.subject_alt_names = names.iter().map(|name| alternative_name(name)).collect();
    params
}

fn alternative_name(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().expect("a name is ASCII")),
    }
}

/// Believes any certificate, so that a test can look at what it was shown.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
