//! `passTLSClientCert`

use trilithon_model_derive::Config;

/// Tells servers about the client's certificate, in the headers `X-Forwarded-Tls-Client-Cert` and `-Info`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct PassTlsClientCert {
    /// Send the certificate itself.
    pub pem: bool,
    /// Send some of its fields.
    pub info: Option<TlsClientCertificateInfo>,
}

/// Fields of a client certificate that are sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct TlsClientCertificateInfo {
    /// Add the end of its validity.
    pub not_after: bool,
    /// Add the start of its validity.
    pub not_before: bool,
    /// Add its subject alternative names.
    pub sans: bool,
    /// Add its serial number.
    pub serial_number: bool,
    /// Add parts of its subject.
    pub subject: Option<TlsClientCertificateSubject>,
    /// Add parts of its issuer.
    pub issuer: Option<TlsClientCertificateIssuer>,
}

/// Parts of a certificate's subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct TlsClientCertificateSubject {
    /// Add its country (C).
    pub country: bool,
    /// Add its province (ST).
    pub province: bool,
    /// Add its locality (L).
    pub locality: bool,
    /// Add its organization (O).
    pub organization: bool,
    /// Add its organizational unit (OU).
    pub organizational_unit: bool,
    /// Add its common name (CN).
    pub common_name: bool,
    /// Add its serial number (SN).
    pub serial_number: bool,
    /// Add its domain components (DC).
    pub domain_component: bool,
}

/// Parts of a certificate's issuer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct TlsClientCertificateIssuer {
    /// Add its country (C).
    pub country: bool,
    /// Add its province (ST).
    pub province: bool,
    /// Add its locality (L).
    pub locality: bool,
    /// Add its organization (O).
    pub organization: bool,
    /// Add its common name (CN).
    pub common_name: bool,
    /// Add its serial number (SN).
    pub serial_number: bool,
    /// Add its domain components (DC).
    pub domain_component: bool,
}
