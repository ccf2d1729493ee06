//! Certificates in memory, a client to choose, and handshakes between the two.

// Each test binary uses a part of it.
#![allow(dead_code)]

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, ServerConfig, ServerConnection,
    SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use trilithon_model::dynamic::tls::{CertAndStores, Certificate, Options, Store};
use trilithon_model::{Map, Spanned};
use trilithon_tls::{Builder, Reader, Tls};

pub const OPTIONS: &str = "o@file";
pub const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// All files by path.
pub static FILES: LazyLock<BTreeMap<String, String>> = LazyLock::new(files);

type Authority = Issuer<'static, KeyPair>;

fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([("empty".to_owned(), String::new())]);
    let ca = authority(&mut files, "ca");
    let ca2 = authority(&mut files, "ca2");
    let server = |files: &mut _, name: &str, names: &[&str]| {
        leaf(files, &ca, name, name, names, ExtendedKeyUsagePurpose::ServerAuth);
    };
    server(&mut files, "a.test", &["a.test"]);
    server(&mut files, "b.test", &["b.test"]);
    server(&mut files, "wild", &["*.wild.test"]);
    server(&mut files, "exact", &["x.wild.test"]);
    server(&mut files, "cn.test", &["other.test"]);
    server(&mut files, "ip", &["127.0.0.2"]);
    server(&mut files, "ip6", &["::1"]);
    server(&mut files, "many", &["a.test", "many.test"]);
    server(&mut files, "cross", &["*.cross.test", "deep.wild.test"]);
    leaf(
        &mut files,
        &ca,
        "a-again",
        "a.test",
        &["A.test"],
        ExtendedKeyUsagePurpose::ServerAuth,
    );
    leaf(
        &mut files,
        &ca,
        "client",
        "client",
        &[],
        ExtendedKeyUsagePurpose::ClientAuth,
    );
    leaf(
        &mut files,
        &ca2,
        "client2",
        "client2",
        &[],
        ExtendedKeyUsagePurpose::ClientAuth,
    );
    files
}

fn authority(files: &mut BTreeMap<String, String>, name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Authorities");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    files.insert(format!("{name}.crt"), params.self_signed(&key).unwrap().pem());
    Issuer::new(params, key)
}

fn leaf(
    files: &mut BTreeMap<String, String>,
    authority: &Authority,
    file: &str,
    common_name: &str,
    names: &[&str],
    usage: ExtendedKeyUsagePurpose,
) {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.subject_alt_names = names
        .iter()
        .map(|n| match n.parse() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName((*n).try_into().unwrap()),
        })
        .collect();
    params.extended_key_usages = vec![usage];
    params.serial_number = Some(4711.into());
    let key = KeyPair::generate().unwrap();
    files.insert(
        format!("{file}.crt"),
        params.signed_by(&key, authority).unwrap().pem(),
    );
    files.insert(format!("{file}.key"), key.serialize_pem());
}

/// A builder over [`FILES`].
pub fn builder() -> Builder {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    Builder::new(Reader::new(move |path: &Path| {
        FILES
            .get(&*path.to_string_lossy())
            .map(|t| t.clone().into_bytes())
            .ok_or_else(missing)
    }))
}

pub fn certificate(name: &str) -> Spanned<CertAndStores> {
    let (cert_file, key_file) = (
        format!("{name}.crt").as_str().into(),
        format!("{name}.key").as_str().into(),
    );
    Spanned::unplaced(CertAndStores {
        cert_file,
        key_file,
        stores: Vec::new(),
    })
}

pub fn default_store(name: &str) -> Map<Store> {
    let (cert_file, key_file) = (
        format!("{name}.crt").as_str().into(),
        format!("{name}.key").as_str().into(),
    );
    let default_certificate = Some(Certificate { cert_file, key_file });
    Map::from([(
        "default".to_owned(),
        Spanned::unplaced(Store {
            default_certificate,
            default_generated_cert: None,
        }),
    )])
}

/// A compiled section, with handshakes.
pub struct Gate(pub Tls);

/// `a.test`, `*.wild.test`, `b.test` by default, and the options [`OPTIONS`] as edited.
pub fn with_options(edit: impl FnOnce(&mut Options)) -> Gate {
    build(&builder(), edit)
}

pub fn build(builder: &Builder, edit: impl FnOnce(&mut Options)) -> Gate {
    let mut options = Options::default();
    edit(&mut options);
    let options = Map::from([(OPTIONS.to_owned(), Spanned::unplaced(options))]);
    Gate(builder.build(
        &[certificate("a.test"), certificate("wild")],
        &options,
        &default_store("b.test"),
    ))
}

/// `certificates` in that order, the one of the default store, and no options.
pub fn with_certificates(certificates: &[&str], stores: &Map<Store>) -> Gate {
    let certificates: Vec<_> = certificates.iter().map(|n| certificate(n)).collect();
    Gate(builder().build(&certificates, &Map::new(), stores))
}

impl Gate {
    /// One handshake with the options [`OPTIONS`].
    pub fn meet(&self, client: Client) -> Result<Met, String> {
        let (sni, offer) = (client.sni.as_deref(), &client.alpn);
        let config = self
            .0
            .config_for_offer(sni, OPTIONS, LOCAL, offer)
            .ok_or("no configuration")?;
        meet(config, &client)
    }

    /// The common name of the certificate shown for a name with the default options.
    pub fn shown(&self, sni: Option<&str>, local: IpAddr) -> String {
        let Some(config) = self.0.config_for(sni, "default", local) else {
            return "closed".to_owned();
        };
        meet(config, &Client::default().sni(sni)).map_or("refused".to_owned(), |m| m.certificate)
    }

    /// One more handshake of a client that remembers sessions.
    pub fn meet_again(&self, client: &Arc<ClientConfig>, options: &str) -> Result<Met, String> {
        let config = self
            .0
            .config_for(Some("a.test"), options, LOCAL)
            .ok_or("no configuration")?;
        handshake(config, client.clone(), "a.test")
    }
}

/// What came of a handshake.
#[derive(Debug, PartialEq, Eq)]
pub struct Met {
    pub version: &'static str,
    pub cipher: &'static str,
    pub alpn: String,
    /// Its common name.
    pub certificate: String,
    pub client_certificates: usize,
    pub resumed: bool,
}

/// A client to be.
#[derive(Clone)]
pub struct Client {
    provider: CryptoProvider,
    versions: Vec<&'static SupportedProtocolVersion>,
    pub alpn: Vec<Vec<u8>>,
    pub sni: Option<String>,
    certificate: Option<Arc<CertifiedKey>>,
}

impl Default for Client {
    fn default() -> Client {
        Client {
            provider: aws_lc_rs::default_provider(),
            versions: rustls::ALL_VERSIONS.to_vec(),
            alpn: Vec::new(),
            sni: Some("a.test".to_owned()),
            certificate: None,
        }
    }
}

impl Client {
    pub fn versions(mut self, versions: &[&'static SupportedProtocolVersion]) -> Client {
        self.versions = versions.to_vec();
        self
    }

    pub fn suite(mut self, suite: SupportedCipherSuite) -> Client {
        self.provider.cipher_suites = vec![suite];
        let version = if suite.tls13().is_none() {
            &rustls::version::TLS12
        } else {
            &rustls::version::TLS13
        };
        self.versions(&[version])
    }

    pub fn group(mut self, group: &'static dyn SupportedKxGroup) -> Client {
        self.provider.kx_groups = vec![group];
        self
    }

    pub fn alpn(mut self, names: &[&str]) -> Client {
        self.alpn = names.iter().map(|n| n.as_bytes().to_vec()).collect();
        self
    }

    pub fn sni(mut self, name: Option<&str>) -> Client {
        self.sni = name.map(str::to_owned);
        self
    }

    pub fn shows(mut self, name: Option<&str>) -> Client {
        self.certificate = name.map(|n| key(n, n));
        self
    }

    /// Shows a certificate and signs with the key of another.
    pub fn shows_stolen(mut self, name: &str) -> Client {
        self.certificate = Some(key(name, "a.test"));
        self
    }

    pub fn build(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider.clone()));
        let builder = builder.with_protocol_versions(&self.versions).unwrap();
        let verifier = Arc::new(Credulous(self.provider.clone()));
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(Shows(self.certificate.clone())));
        config.alpn_protocols = self.alpn.clone();
        Arc::new(config)
    }
}

fn key(certificate: &str, key: &str) -> Arc<CertifiedKey> {
    let chain = CertificateDer::pem_slice_iter(FILES[&format!("{certificate}.crt")].as_bytes());
    let key = PrivateKeyDer::from_pem_slice(FILES[&format!("{key}.key")].as_bytes()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    Arc::new(CertifiedKey::new(chain.map(Result::unwrap).collect(), key))
}

/// Without SNI the client asks for an address.
pub fn meet(server: Arc<ServerConfig>, client: &Client) -> Result<Met, String> {
    handshake(
        server,
        client.build(),
        client.sni.as_deref().unwrap_or("127.0.0.1"),
    )
}

fn handshake(server: Arc<ServerConfig>, client: Arc<ClientConfig>, name: &str) -> Result<Met, String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client, name).map_err(|e| e.to_string())?;
    let mut server = ServerConnection::new(server).map_err(|e| e.to_string())?;
    let mut wire = Vec::new();
    while client.wants_write() || server.wants_write() {
        pass(&mut wire, |w| client.write_tls(w), |r| server.read_tls(r))?;
        server.process_new_packets().map_err(|e| e.to_string())?;
        pass(&mut wire, |w| server.write_tls(w), |r| client.read_tls(r))?;
        client.process_new_packets().map_err(|e| e.to_string())?;
    }
    let shown = client
        .peer_certificates()
        .and_then(|c| c.first())
        .ok_or("no certificate")?;
    let (version, cipher) = trilithon_tls::facts(&server);
    Ok(Met {
        version,
        cipher,
        alpn: String::from_utf8_lossy(server.alpn_protocol().unwrap_or_default()).into_owned(),
        certificate: common_name(shown),
        client_certificates: server.peer_certificates().map_or(0, <[_]>::len),
        resumed: server.handshake_kind() == Some(HandshakeKind::Resumed),
    })
}

fn pass(
    wire: &mut Vec<u8>,
    mut write: impl FnMut(&mut dyn io::Write) -> io::Result<usize>,
    mut read: impl FnMut(&mut dyn io::Read) -> io::Result<usize>,
) -> Result<(), String> {
    wire.clear();
    write(wire).map_err(|e| e.to_string())?;
    let mut rest = &wire[..];
    while !rest.is_empty() {
        read(&mut rest).map_err(|e| e.to_string())?;
    }
    Ok(())
}

pub fn common_name(der: &[u8]) -> String {
    use x509_parser::prelude::FromDer;
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).unwrap();
    certificate
        .subject()
        .iter_common_name()
        .next()
        .map_or(String::new(), |n| n.as_str().unwrap().to_owned())
}

#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// Believes any certificate.
#[derive(Debug)]
struct Credulous(CryptoProvider);

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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
