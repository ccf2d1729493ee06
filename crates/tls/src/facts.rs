//! What a certificate says of itself, as the API, the metrics and the dashboard show it.

use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

/// Seconds left at which a certificate is worth a warning: 30 days.
const WARN_BEFORE: i64 = 30 * 24 * 3600;

/// Whether a certificate is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// For more than 30 days.
    Enabled,
    /// For less than 30 days.
    Warning,
    /// No more.
    Expired,
}

/// The readable parts of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// SHA-256 of the certificate in hexadecimal; also its name in the API.
    pub fingerprint: String,
    /// SHA-256 of the public key in hexadecimal.
    pub public_key_fingerprint: String,
    /// DNS names and IP addresses, sorted.
    pub sans: Vec<String>,
    /// DNS names alone, sorted: the `sans` label of `traefik_tls_certs_not_after`.
    pub dns_names: Vec<String>,
    /// Unix time in seconds.
    pub not_before: i64,
    /// Unix time in seconds.
    pub not_after: i64,
    /// In decimal.
    pub serial_number: String,
    /// Of the subject; empty if there is none, as with all that follow.
    pub common_name: String,
    pub organization: String,
    pub country: String,
    pub issuer_common_name: String,
    pub issuer_organization: String,
    pub issuer_country: String,
    /// `v3`
    pub version: String,
    /// `RSA`, `ECDSA` or `Unknown`.
    pub key_type: &'static str,
    /// In bits; 0 when unknown.
    pub key_size: usize,
    /// In Go's words: `ECDSA-SHA256`, `SHA256-RSA`.
    pub signature_algorithm: &'static str,
}

impl CertificateFacts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// It is no X.509 certificate.
    pub fn of(der: &[u8]) -> Result<CertificateFacts, String> {
        let (_, cert) = X509Certificate::from_der(der).map_err(|e| format!("no X.509 certificate: {e}"))?;
        let (mut dns_names, addresses) = alternative_names(&cert);
        dns_names.sort();
        let mut sans = [&dns_names[..], &addresses].concat();
        sans.sort();
        let (key_type, key_size) = key(&cert);
        Ok(CertificateFacts {
            fingerprint: hex(digest(&SHA256, der).as_ref()),
            public_key_fingerprint: hex(digest(&SHA256, cert.public_key().raw).as_ref()),
            sans,
            dns_names,
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
            serial_number: cert.tbs_certificate.serial.to_string(),
            common_name: text(cert.subject().iter_common_name()),
            organization: text(cert.subject().iter_organization()),
            country: text(cert.subject().iter_country()),
            issuer_common_name: text(cert.issuer().iter_common_name()),
            issuer_organization: text(cert.issuer().iter_organization()),
            issuer_country: text(cert.issuer().iter_country()),
            version: format!("v{}", cert.version().0 + 1),
            key_type,
            key_size,
            signature_algorithm: signature(&cert),
        })
    }

    /// How it stands at `now`, in Unix seconds.
    pub fn status(&self, now: i64) -> CertificateStatus {
        match self.not_after.saturating_sub(now) {
            left if left < 0 => CertificateStatus::Expired,
            left if left < WARN_BEFORE => CertificateStatus::Warning,
            _ => CertificateStatus::Enabled,
        }
    }
}

/// DNS names and IP addresses.
fn alternative_names(cert: &X509Certificate<'_>) -> (Vec<String>, Vec<String>) {
    let (mut dns, mut addresses) = (Vec::new(), Vec::new());
    let names = cert
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|e| &e.value.general_names[..]);
    for name in names.unwrap_or_default() {
        match name {
            // A name with a NUL or a space in it would be one thing to us and another to a reader.
            GeneralName::DNSName(n) if n.bytes().all(|b| b.is_ascii_graphic()) => dns.push((*n).to_owned()),
            GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
            _ => {}
        }
    }
    (dns, addresses)
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
    four.or_else(|_| sixteen()).ok().map(|ip| ip.to_string())
}

/// The first of the values; empty if it is no text.
fn text<'a>(mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>) -> String {
    values
        .next()
        .and_then(|v| v.as_str().ok())
        .unwrap_or_default()
        .to_owned()
}

fn key(cert: &X509Certificate<'_>) -> (&'static str, usize) {
    match cert.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => ("RSA", key.key_size()),
        Ok(PublicKey::EC(_)) => ("ECDSA", curve_size(cert)),
        _ => ("Unknown", 0),
    }
}

fn curve_size(cert: &X509Certificate<'_>) -> usize {
    let curve = cert
        .public_key()
        .algorithm
        .parameters
        .as_ref()
        .and_then(|p| p.as_oid().ok());
    match curve.map(|c| c.to_id_string()).as_deref() {
        Some("1.3.132.0.33") => 224,
        Some("1.2.840.10045.3.1.7") => 256,
        Some("1.3.132.0.34") => 384,
        Some("1.3.132.0.35") => 521,
        _ => 0,
    }
}

/// Go's name of the signature algorithm; `0` for one that it does not know.
fn signature(cert: &X509Certificate<'_>) -> &'static str {
    match cert.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.4" => "MD5-RSA",
        "1.2.840.113549.1.1.5" => "SHA1-RSA",
        "1.2.840.113549.1.1.11" => "SHA256-RSA",
        "1.2.840.113549.1.1.12" => "SHA384-RSA",
        "1.2.840.113549.1.1.13" => "SHA512-RSA",
        "1.2.840.113549.1.1.10" => "SHA256-RSAPSS",
        "1.2.840.10045.4.1" => "ECDSA-SHA1",
        "1.2.840.10045.4.3.2" => "ECDSA-SHA256",
        "1.2.840.10045.4.3.3" => "ECDSA-SHA384",
        "1.2.840.10045.4.3.4" => "ECDSA-SHA512",
        "1.3.101.112" => "Ed25519",
        _ => "0",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
            // Writing to memory cannot fail.
            let _ = write!(text, "{b:02x}");
            text
        })
}
