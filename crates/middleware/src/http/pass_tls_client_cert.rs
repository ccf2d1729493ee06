//! `passTLSClientCert`: tells servers about the client's certificate. What the client itself wrote into these headers never
//! passes, certificate or not. Whether a certificate can be trusted was decided in the handshake.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Known, Request, Response, Step};
use trilithon_model::dynamic::http::{
    PassTlsClientCert as Config, TlsClientCertificateInfo, TlsClientCertificateIssuer,
    TlsClientCertificateSubject,
};
use x509_parser::der_parser::asn1_rs::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// Builds the step; there is no configuration that it refuses.
///
/// # Errors
/// None.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let info = config.info.as_ref().map(Fields::of);
    Ok(Step::edit(PassTlsClientCert {
        pem: config.pem,
        info,
    }))
}

struct PassTlsClientCert {
    /// Send the certificates themselves.
    pem: bool,
    /// Send some of their fields.
    info: Option<Fields>,
}

impl Edit for PassTlsClientCert {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let certificates = cx
            .connection
            .tls
            .as_ref()
            .map_or(&[][..], |tls| &tls.client_certificates);
        if self.pem {
            put(req, Known::XForwardedTlsClientCert, certificates, |chain| {
                join(chain, |der| STANDARD.encode(der))
            });
        }
        if let Some(fields) = &self.info {
            let info = |chain: &[Vec<u8>]| query_escape(&join(chain, |der| fields.show(der)));
            put(req, Known::XForwardedTlsClientCertInfo, certificates, info);
        }
        Ok(())
    }
}

/// Sets a header to what the certificates say; without one, removes it.
fn put(req: &mut Request, header: Known, chain: &[Vec<u8>], value: impl Fn(&[Vec<u8>]) -> String) {
    req.headers.remove_known(header);
    if !chain.is_empty() {
        req.headers.set_known(header, value(chain));
    }
}

fn join(chain: &[Vec<u8>], show: impl Fn(&[u8]) -> String) -> String {
    chain.iter().map(|der| show(der)).collect::<Vec<_>>().join(",")
}

/// The fields that are sent.
struct Fields {
    subject: Option<Vec<Attribute>>,
    issuer: Option<Vec<Attribute>>,
    serial_number: bool,
    not_before: bool,
    not_after: bool,
    sans: bool,
}

/// A part of a distinguished name: what it is called in the header, its identifier, and whether all of its values are sent or
/// only the last.
struct Attribute {
    label: &'static str,
    oid: &'static [u64],
    all: bool,
}

const fn attribute(label: &'static str, oid: &'static [u64], all: bool) -> Attribute {
    Attribute { label, oid, all }
}

const DOMAIN_COMPONENT: Attribute = attribute("DC", &[0, 9, 2342, 19200300, 100, 1, 25], true);
const COUNTRY: Attribute = attribute("C", &[2, 5, 4, 6], true);
const PROVINCE: Attribute = attribute("ST", &[2, 5, 4, 8], true);
const LOCALITY: Attribute = attribute("L", &[2, 5, 4, 7], true);
const ORGANIZATION: Attribute = attribute("O", &[2, 5, 4, 10], true);
const ORGANIZATIONAL_UNIT: Attribute = attribute("OU", &[2, 5, 4, 11], true);
const SERIAL_NUMBER: Attribute = attribute("SN", &[2, 5, 4, 5], false);
const COMMON_NAME: Attribute = attribute("CN", &[2, 5, 4, 3], false);

/// The chosen ones.
fn chosen<const N: usize>(all: [(bool, Attribute); N]) -> Vec<Attribute> {
    all.into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, attribute)| attribute)
        .collect()
}

fn subject(c: &TlsClientCertificateSubject) -> Vec<Attribute> {
    chosen([
        (c.domain_component, DOMAIN_COMPONENT),
        (c.country, COUNTRY),
        (c.province, PROVINCE),
        (c.locality, LOCALITY),
        (c.organization, ORGANIZATION),
        (c.organizational_unit, ORGANIZATIONAL_UNIT),
        (c.serial_number, SERIAL_NUMBER),
        (c.common_name, COMMON_NAME),
    ])
}

fn issuer(c: &TlsClientCertificateIssuer) -> Vec<Attribute> {
    chosen([
        (c.domain_component, DOMAIN_COMPONENT),
        (c.country, COUNTRY),
        (c.province, PROVINCE),
        (c.locality, LOCALITY),
        (c.organization, ORGANIZATION),
        (c.serial_number, SERIAL_NUMBER),
        (c.common_name, COMMON_NAME),
    ])
}

impl Fields {
    fn of(c: &TlsClientCertificateInfo) -> Fields {
        Fields {
            subject: c.subject.as_ref().map(subject),
            issuer: c.issuer.as_ref().map(issuer),
            serial_number: c.serial_number,
            not_before: c.not_before,
            not_after: c.not_after,
            sans: c.sans,
        }
    }

    /// The fields of one certificate; empty for one that cannot be read.
    fn show(&self, der: &[u8]) -> String {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return String::new();
        };
        let names = |wanted: &Option<Vec<Attribute>>, name| {
            wanted.as_deref().map(|w| show_name(w, name)).unwrap_or_default()
        };
        let validity = certificate.validity();
        let parts = [
            ("Subject", names(&self.subject, certificate.subject())),
            ("Issuer", names(&self.issuer, certificate.issuer())),
            (
                "SerialNumber",
                shown_if(self.serial_number, || {
                    certificate.tbs_certificate.serial.to_string()
                }),
            ),
            (
                "NB",
                shown_if(self.not_before, || validity.not_before.timestamp().to_string()),
            ),
            (
                "NA",
                shown_if(self.not_after, || validity.not_after.timestamp().to_string()),
            ),
            ("SAN", shown_if(self.sans, || alternative_names(&certificate))),
        ];
        let said = parts.iter().filter(|(_, value)| !value.is_empty());
        said.map(|(label, value)| format!("{label}=\"{value}\""))
            .collect::<Vec<_>>()
            .join(";")
    }
}

fn shown_if(wanted: bool, show: impl FnOnce() -> String) -> String {
    if wanted { show() } else { String::new() }
}

/// `C=FR,O=Acme,CN=name`: the wanted attributes in the order of the header, not of the certificate.
fn show_name(wanted: &[Attribute], name: &X509Name<'_>) -> String {
    let mut parts = Vec::new();
    for attribute in wanted {
        let Ok(oid) = Oid::from(attribute.oid) else {
            continue;
        };
        let values = name
            .iter_attributes()
            .filter(|a| *a.attr_type() == oid)
            .filter_map(|a| a.as_str().ok());
        let values: Vec<_> = values
            .filter(|v| !v.is_empty() || attribute.label == "DC")
            .collect();
        let from = if attribute.all {
            0
        } else {
            values.len().saturating_sub(1)
        };
        parts.extend(values[from..].iter().map(|v| format!("{}={v}", attribute.label)));
    }
    parts.join(",")
}

/// Names, addresses and URIs, kind by kind.
fn alternative_names(certificate: &X509Certificate<'_>) -> String {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return String::new();
    };
    let names = &extension.value.general_names;
    let kind = |n: usize| {
        names
            .iter()
            .filter_map(move |name| alternative_name(name).filter(|(k, _)| *k == n).map(|(_, v)| v))
    };
    (0..4).flat_map(kind).collect::<Vec<_>>().join(",")
}

/// One of them, with the place of its kind.
fn alternative_name(name: &GeneralName<'_>) -> Option<(usize, String)> {
    match name {
        GeneralName::DNSName(name) => Some((0, name.to_string())),
        GeneralName::RFC822Name(name) => Some((1, name.to_string())),
        GeneralName::IPAddress(bytes) => Some((2, ip(bytes)?)),
        GeneralName::URI(uri) => Some((3, uri.to_string())),
        _ => None,
    }
}

fn ip(bytes: &[u8]) -> Option<String> {
    let ip: std::net::IpAddr = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        16 => <[u8; 16]>::try_from(bytes).ok()?.into(),
        _ => return None,
    };
    Some(ip.to_canonical().to_string())
}

/// Escapes text for a query as Go's `url.QueryEscape` does: a space becomes `+`.
fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 / 2);
    for b in text.bytes() {
        match b {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => out.push(b as char),
            // Writing to a string cannot fail.
            b => _ = write!(out, "%{b:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, connection, get, step};
    use rcgen::{CertificateParams, DnType, DnValue, IsCa, Issuer, KeyPair, SanType, SerialNumber};
    use trilithon_flow::TlsInfo;

    const FORGED: [(&str, &str); 2] = [
        ("X-Forwarded-Tls-Client-Cert", "forged"),
        ("X-Forwarded-Tls-Client-Cert-Info", "forged"),
    ];

    /// A certificate of `Leaf` by `Root`.
    fn certificate() -> Vec<u8> {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        root.distinguished_name = rcgen::DistinguishedName::new();
        root.distinguished_name.push(DnType::CommonName, "Root");
        root.distinguished_name.push(
            DnType::CountryName,
            DnValue::PrintableString("FR".try_into().unwrap()),
        );
        let root = Issuer::new(root, KeyPair::generate().unwrap());
        let mut leaf = CertificateParams::default();
        leaf.serial_number = Some(SerialNumber::from(258_u64));
        leaf.not_before = rcgen::date_time_ymd(2020, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(2030, 1, 1);
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in [
            (DnType::CommonName, "Leaf & Sons"),
            (DnType::OrganizationName, "Acmé"),
            (DnType::OrganizationalUnitName, "R"),
            (DnType::LocalityName, "Lyon"),
            (DnType::StateOrProvinceName, "Rhône"),
            (
                DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 25]),
                "org",
            ),
        ] {
            leaf.distinguished_name.push(kind, value);
        }
        leaf.subject_alt_names = vec![
            SanType::URI("spiffe://a/b".try_into().unwrap()),
            SanType::IpAddress("10.0.0.1".parse().unwrap()),
            SanType::IpAddress("fe80::1".parse().unwrap()),
            SanType::Rfc822Name("a@b.test".try_into().unwrap()),
            SanType::DnsName("a.test".try_into().unwrap()),
            SanType::DnsName("b.test".try_into().unwrap()),
        ];
        leaf.signed_by(&KeyPair::generate().unwrap(), &root)
            .unwrap()
            .der()
            .to_vec()
    }

    fn check(config: &Config, chain: Vec<Vec<u8>>, pem: Option<&str>, info: Option<&str>) {
        let bench = Bench::new(vec![step(|cx| build(config, cx))]);
        let tls = TlsInfo {
            client_certificates: chain,
            ..TlsInfo::default()
        };
        bench.run_as(get("/", &FORGED), connection("1.1.1.1:1", Some(tls)));
        let headers = bench.last().unwrap().headers;
        assert_eq!(
            (headers.get_str(FORGED[0].0), headers.get_str(FORGED[1].0)),
            (pem, info),
            "{config:?}"
        );
    }

    fn info(change: impl Fn(&mut TlsClientCertificateInfo)) -> Config {
        let mut info = TlsClientCertificateInfo::default();
        change(&mut info);
        Config {
            pem: false,
            info: Some(info),
        }
    }

    #[test]
    fn pem() {
        let config = Config {
            pem: true,
            info: None,
        };
        check(
            &config,
            vec![b"abc".to_vec(), b"\xFF\xFE".to_vec()],
            Some("YWJj,//4="),
            Some("forged"),
        );
        check(&config, vec![], None, Some("forged"));
    }

    #[test]
    fn fields() {
        let leaf = certificate();
        let check = |config: Config, want: &str| {
            let want = query_escape(want);
            check(&config, vec![leaf.clone()], Some("forged"), Some(&want));
        };
        check(info(|_| ()), "");
        check(info(|i| i.serial_number = true), "SerialNumber=\"258\"");
        check(
            info(|i| (i.not_before, i.not_after) = (true, true)),
            "NB=\"1577836800\";NA=\"1893456000\"",
        );
        check(
            info(|i| i.sans = true),
            "SAN=\"a.test,b.test,a@b.test,10.0.0.1,fe80::1,spiffe://a/b\"",
        );
        let all = TlsClientCertificateSubject {
            country: true,
            province: true,
            locality: true,
            organization: true,
            organizational_unit: true,
            common_name: true,
            serial_number: true,
            domain_component: true,
        };
        let subject = "Subject=\"DC=org,ST=Rhône,L=Lyon,O=Acmé,OU=R,CN=Leaf & Sons\"";
        check(info(|i| i.subject = Some(all.clone())), subject);
        let both = |i: &mut TlsClientCertificateInfo| {
            i.subject = Some(TlsClientCertificateSubject {
                organization: true,
                ..TlsClientCertificateSubject::default()
            });
            i.issuer = Some(TlsClientCertificateIssuer {
                country: true,
                common_name: true,
                ..TlsClientCertificateIssuer::default()
            });
        };
        check(info(both), "Subject=\"O=Acmé\";Issuer=\"C=FR,CN=Root\"");
    }

    #[test]
    fn chains() {
        let leaf = certificate();
        let config = info(|i| i.serial_number = true);
        let want = query_escape("SerialNumber=\"258\",SerialNumber=\"258\"");
        check(&config, vec![leaf.clone(), leaf], Some("forged"), Some(&want));
        check(
            &config,
            vec![b"no certificate".to_vec()],
            Some("forged"),
            Some(""),
        );
        check(&config, vec![], Some("forged"), None);
    }

    #[test]
    fn escapes() {
        assert_eq!(
            query_escape("Subject=\"CN=a b,é\";~"),
            "Subject%3D%22CN%3Da+b%2C%C3%A9%22%3B~"
        );
    }
}
