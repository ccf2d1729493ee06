//! The subject of a certificate in one line, most specific part first (RFC 2253 §2, in Go's spelling).

use std::fmt::Write;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// The subject of a DER certificate: `CN=client.test,O=Contract,C=FR`. `None` when it cannot be read.
pub fn subject(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(distinguished(certificate.subject()))
}

/// The issuer of a DER certificate, written in the same way.
pub fn issuer(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(distinguished(certificate.issuer()))
}

/// A distinguished name (RFC 2253).
fn distinguished(name_of: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    for set in name_of.iter() {
        let attributes = set.iter().map(|a| {
            format!(
                "{}={}",
                name(&a.attr_type().to_id_string()),
                escaped(a.as_str().unwrap_or_default())
            )
        });
        parts.push(attributes.collect::<Vec<_>>().join("+"));
    }
    parts.reverse();
    parts.join(",")
}

fn name(oid: &str) -> &str {
    match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.17" => "POSTALCODE",
        other => other,
    }
}

/// Special characters behind a backslash (RFC 2253 §2.4).
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        let edge = c == ' ' && (i == 0 || i == last) || c == '#' && i == 0;
        if edge || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            out.push('\\');
        }
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\{:02x}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escaped(" a,b#c "), "\\ a\\,b#c\\ ");
        assert_eq!(escaped("#x"), "\\#x");
        assert_eq!(escaped("plain name"), "plain name");
    }

    #[test]
    fn the_order_is_turned_round() {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CountryName, "FR");
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "Stones, Ltd");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "client.test");
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let shown = subject(certificate.der());
        assert!(
            shown.is_some_and(|s| s.ends_with("CN=client.test,O=Stones\\, Ltd,C=FR")),
            "last part first"
        );
    }
}
