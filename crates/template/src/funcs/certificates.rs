//! Keys and certificates: the second part of sprig's chapter "Cryptographic and Security Functions".

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SanType,
};

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::funcs::encoding::base64_bytes;
use crate::function::Kind::{Certificate as C, Int, List, Str};
use crate::function::{Function, fixed, int, items, text};
use crate::object::{Certificate, Object};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("genPrivateKey", &[Str], |b, a| b.text(private_key(text(&a[0]))?)),
    fixed("genCA", &[Str, Int], |b, a| authority(b, a, new_key()?)),
    fixed("genCAWithKey", &[Str, Int, Str], |b, a| {
        authority(b, a, key_of(text(&a[2]))?)
    }),
    fixed("genSelfSignedCert", &[Str, List, List, Int], |b, a| {
        self_signed(b, a, new_key()?)
    }),
    fixed(
        "genSelfSignedCertWithKey",
        &[Str, List, List, Int, Str],
        |b, a| self_signed(b, a, key_of(text(&a[4]))?),
    ),
    fixed("genSignedCert", &[Str, List, List, Int, C], |b, a| {
        signed(b, a, new_key()?)
    }),
    fixed("genSignedCertWithKey", &[Str, List, List, Int, C, Str], |b, a| {
        signed(b, a, key_of(text(&a[5]))?)
    }),
    fixed("buildCustomCert", &[Str, Str], |b, a| {
        let decoded = |value: &Value, what: &str| {
            let bytes = base64_bytes(text(value)).ok();
            bytes
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| Fault::new(format!("unable to decode base64 {what}")))
        };
        let (cert, key) = (decoded(&a[0], "certificate")?, decoded(&a[1], "private key")?);
        let pair = key_of(&key)?;
        Issuer::from_ca_cert_pem(&cert, pair).map_err(|_| Fault::new("unable to decode certificate"))?;
        value(b, cert, key)
    }),
];

/// DER in PEM's armour.
fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        out.extend(line.iter().copied().map(char::from));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

fn failed(error: impl std::fmt::Display) -> Fault {
    Fault::new(format!("the certificate could not be made: {error}"))
}

fn private_key(kind: &str) -> Result<String> {
    let rsa = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096);
    Ok(match kind {
        "" | "rsa" => key_pem(&rsa().map_err(failed)?),
        "ecdsa" => {
            let random = SystemRandom::new();
            let failed = |_| Fault::new("failed to generate private key");
            let document =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(failed)?;
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref())
                .map_err(|_| Fault::new("failed to generate private key"))?;
            let der = pair.private_key().as_der().map_err(failed)?;
            pem("EC PRIVATE KEY", der.as_ref())
        }
        "ed25519" => key_pem(&KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?),
        "dsa" => {
            return Err(Fault::new("DSA keys are not made: nothing takes them any more"));
        }
        other => format!("Unknown type {other}"),
    })
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(failed)
}

fn key_of(pem: &str) -> Result<KeyPair> {
    KeyPair::from_pem(pem).map_err(|error| Fault::new(format!("parsing private key: {error}")))
}

/// As Go writes it: PKCS #1 for RSA, PKCS #8 for all else.
fn key_pem(key: &KeyPair) -> String {
    let pkcs8 = key.serialize_der();
    match inner_rsa_key(&pkcs8) {
        Some(pkcs1) if key.is_compatible(&PKCS_RSA_SHA256) => pem("RSA PRIVATE KEY", pkcs1),
        _ => pem("PRIVATE KEY", &pkcs8),
    }
}

/// The key inside PKCS #8 (RFC 5208, section 5): the octet string behind version and algorithm.
fn inner_rsa_key(pkcs8: &[u8]) -> Option<&[u8]> {
    let (outer, _) = element(pkcs8, 0x30)?;
    let (_, rest) = element(outer, 0x02)?;
    let (_, rest) = element(rest, 0x30)?;
    element(rest, 0x04).map(|(key, _)| key)
}

/// The contents of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), rest)
    };
    (first == tag).then(|| rest.split_at_checked(length)).flatten()
}

fn value(budget: &Budget, cert: String, key: String) -> Result<Value> {
    budget.charge(cert.len() + key.len())?;
    let certificate = Certificate {
        cert: cert.into(),
        key: key.into(),
    };
    Ok(Value::Object(Object::Certificate(certificate).into()))
}

/// The name, validity and usages that all of them have.
fn params(common_name: &str, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = SystemTime::now();
    // A hundred years are as good as for ever, and dates end somewhere.
    let span = Duration::from_secs(days.unsigned_abs().min(36_500) * 86_400);
    params.not_before = now.into();
    params.not_after = if days < 0 { now - span } else { now + span }.into();
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

/// Of the arguments name, addresses, host names, days.
fn host_params(args: &[Value]) -> Result<CertificateParams> {
    let mut params = params(text(&args[0]), int(&args[3]));
    for address in items(&args[1]) {
        let ip: IpAddr = text(address)
            .parse()
            .map_err(|_| Fault::new(format!("error parsing ip: {}", text(address))))?;
        params.subject_alt_names.push(SanType::IpAddress(ip));
    }
    for host in items(&args[2]) {
        let name = text(host)
            .try_into()
            .map_err(|_| Fault::new(format!("`{}` is no host name", text(host))))?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    Ok(params)
}

fn authority(budget: &Budget, args: &[Value], key: KeyPair) -> Result<Value> {
    let mut params = params(text(&args[0]), int(&args[1]));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    finish(budget, &params, &key)
}

fn self_signed(budget: &Budget, args: &[Value], key: KeyPair) -> Result<Value> {
    finish(budget, &host_params(args)?, &key)
}

fn finish(budget: &Budget, params: &CertificateParams, key: &KeyPair) -> Result<Value> {
    let certificate = params.self_signed(key).map_err(failed)?;
    value(budget, pem("CERTIFICATE", certificate.der()), key_pem(key))
}

fn signed(budget: &Budget, args: &[Value], key: KeyPair) -> Result<Value> {
    let Value::Object(object) = &args[4] else {
        return Err(Fault::new("the authority is no certificate"));
    };
    let Object::Certificate(authority) = &**object else {
        return Err(Fault::new("the authority is no certificate"));
    };
    let issuer = Issuer::from_ca_cert_pem(&authority.cert, key_of(&authority.key)?)
        .map_err(|_| Fault::new("unable to decode certificate"))?;
    let certificate = host_params(args)?.signed_by(&key, &issuer).map_err(failed)?;
    value(budget, pem("CERTIFICATE", certificate.der()), key_pem(&key))
}
