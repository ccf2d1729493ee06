//! The certificate shown when nobody gave one: self-signed, made once per process.

use crate::certificate::Certificate;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// How long it is good for: a year.
const VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);
const COMMON_NAME: &str = "TRAEFIK DEFAULT CERT";

static GENERATED: OnceLock<Option<Certificate>> = OnceLock::new();

/// The generated certificate; `None` if it could not be made, which is logged.
pub fn generated(provider: &CryptoProvider) -> Option<Certificate> {
    GENERATED
        .get_or_init(|| match generate(provider) {
            Ok(certificate) => Some(certificate),
            Err(error) => {
                tracing::error!(%error, "the default certificate could not be generated");
                None
            }
        })
        .clone()
}

fn generate(provider: &CryptoProvider) -> Result<Certificate, String> {
    // RSA, because every client can verify it.
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(|e| e.to_string())?;
    let mut params = CertificateParams::new([random_name()?]).map_err(|e| e.to_string())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    let now = SystemTime::now();
    params.not_before = now.into();
    params.not_after = (now + VALIDITY).into();
    let certificate = params.self_signed(&key).map_err(|e| e.to_string())?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    Certificate::of(chain, key, provider)
}

/// `<32 hex>.<32 hex>.traefik.default`
fn random_name() -> Result<String, String> {
    let mut random = [0u8; 32];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| "no randomness")?;
    let hex = |half: &[u8]| half.iter().map(|b| format!("{b:02x}")).collect::<String>();
    Ok(format!(
        "{}.{}.traefik.default",
        hex(&random[..16]),
        hex(&random[16..])
    ))
}
