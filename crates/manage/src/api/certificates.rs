//! Certificates: what they say of themselves.

use super::list::{Certificate, Item};
use super::object::{Object, Tally};
use jiff::Timestamp;
use std::time::SystemTime;
use trilithon_engine::report::Report;
use trilithon_tls::{CertificateFacts, CertificateStatus};

/// All certificates.
pub fn items(report: &Report) -> Vec<Item<'_>> {
    let now = now();
    report.certificates.iter().map(|facts| item(facts, now)).collect()
}

fn item(facts: &CertificateFacts, now: i64) -> Item<'_> {
    let status = status(facts, now);
    let mut item = Item::new(&facts.fingerprint, status, move || json(facts, status));
    let mut texts = vec![
        &*facts.common_name,
        &*facts.issuer_common_name,
        &*facts.issuer_organization,
    ];
    texts.extend(facts.sans.iter().map(String::as_str));
    item.certificate = Some(Certificate {
        texts,
        common_name: &facts.common_name,
        issuer: if facts.issuer_organization.is_empty() {
            &facts.issuer_common_name
        } else {
            &facts.issuer_organization
        },
        not_after: facts.not_after,
    });
    item
}

fn json(facts: &CertificateFacts, status: &str) -> Object {
    let mut object = Object::new();
    object.insert("name".into(), facts.fingerprint.as_str().into());
    object.insert("sans".into(), facts.sans.as_slice().into());
    object.insert("commonName".into(), facts.common_name.as_str().into());
    let mut text = |key: &str, value: &str| {
        if !value.is_empty() {
            object.insert(key.into(), value.into());
        }
    };
    text("notAfter", &time(facts.not_after));
    text("notBefore", &time(facts.not_before));
    text("serialNumber", &facts.serial_number);
    text("issuerOrg", &facts.issuer_organization);
    text("issuerCN", &facts.issuer_common_name);
    text("issuerCountry", &facts.issuer_country);
    text("organization", &facts.organization);
    text("country", &facts.country);
    text("version", &facts.version);
    text("keyType", facts.key_type);
    text("signatureAlgorithm", facts.signature_algorithm);
    text("certFingerprint", &facts.fingerprint);
    text("publicKeyFingerprint", &facts.public_key_fingerprint);
    text("status", status);
    if facts.key_size > 0 {
        object.insert("keySize".into(), facts.key_size.into());
    }
    object
}

/// Certificates by status, for the overview.
pub fn tally(report: &Report) -> Tally {
    let now = now();
    let mut tally = Tally {
        total: report.certificates.len(),
        ..Tally::default()
    };
    for facts in &report.certificates {
        match facts.status(now) {
            CertificateStatus::Enabled => {}
            CertificateStatus::Warning => tally.warnings += 1,
            CertificateStatus::Expired => tally.errors += 1,
        }
    }
    tally
}

fn status(facts: &CertificateFacts, now: i64) -> &'static str {
    match facts.status(now) {
        CertificateStatus::Enabled => "enabled",
        CertificateStatus::Warning => "warning",
        CertificateStatus::Expired => "expired",
    }
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// RFC 3339.
fn time(unix: i64) -> String {
    Timestamp::from_second(unix).unwrap_or_default().to_string()
}
