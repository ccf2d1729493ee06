//! Cipher suites: Go's names, and in whose order.

use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite as all;

/// What is offered when nothing is configured, in Go's order: AES with 128 bits first.
pub const DEFAULT: [SupportedCipherSuite; 9] = [
    all::TLS13_AES_128_GCM_SHA256,
    all::TLS13_AES_256_GCM_SHA384,
    all::TLS13_CHACHA20_POLY1305_SHA256,
    all::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    all::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    all::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    all::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    all::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    all::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Names that Traefik accepts and rustls has no suite for: without forward secrecy or without authenticated encryption.
const ABSENT: [&str; 17] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_FALLBACK_SCSV",
];

/// The suites that a list of names leaves.
#[derive(Debug)]
pub struct Chosen {
    pub suites: Vec<SupportedCipherSuite>,
    /// Names that are right and cannot be served.
    pub absent: Vec<String>,
}

/// Go's name of a suite.
pub fn name(suite: SupportedCipherSuite) -> &'static str {
    match suite.suite() {
        rustls::CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        rustls::CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or_default(),
    }
}

/// Chooses suites by name. Those of TLS 1.3 cannot be left out, so they always stay.
///
/// # Errors
/// A name that Traefik does not know either.
pub fn choose(names: &[String]) -> Result<Chosen, String> {
    if names.is_empty() {
        return Ok(Chosen {
            suites: DEFAULT.to_vec(),
            absent: Vec::new(),
        });
    }
    let mut absent = Vec::new();
    for wanted in names {
        if ABSENT.contains(&wanted.as_str()) {
            absent.push(wanted.clone());
        } else if !DEFAULT.iter().any(|s| is(*s, wanted)) {
            return Err(format!("invalid CipherSuite: {wanted}"));
        }
    }
    let wanted = |s: &SupportedCipherSuite| s.tls13().is_some() || names.iter().any(|n| is(*s, n));
    Ok(Chosen {
        suites: DEFAULT.into_iter().filter(wanted).collect(),
        absent,
    })
}

/// Older names of the ChaCha suites leave the hash out.
fn is(suite: SupportedCipherSuite, wanted: &str) -> bool {
    let name = name(suite);
    name == wanted || (wanted.ends_with("_POLY1305") && name.strip_suffix("_SHA256") == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let check = |names: &[&str], want: Result<(&[&str], &[&str]), &str>| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            let got = choose(&names);
            let got = got.as_ref().map(|c| {
                let old = c.suites.iter().filter(|s| s.tls13().is_none()).map(|s| name(*s));
                (
                    old.collect::<Vec<_>>(),
                    c.absent.iter().map(String::as_str).collect::<Vec<_>>(),
                )
            });
            assert_eq!(
                got.map_err(String::as_str),
                want.map(|(s, a)| (s.to_vec(), a.to_vec()))
            );
        };
        const GCM: &str = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
        check(&[GCM], Ok((&[GCM], &[])));
        check(
            &[GCM, "TLS_RSA_WITH_AES_128_GCM_SHA256"],
            Ok((&[GCM], &["TLS_RSA_WITH_AES_128_GCM_SHA256"])),
        );
        check(
            &["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"],
            Ok((&["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"], &[])),
        );
        check(&["TLS_AES_128_GCM_SHA256"], Ok((&[], &[])));
        check(&["TLS_NO_SUCH"], Err("invalid CipherSuite: TLS_NO_SUCH"));
    }
}
