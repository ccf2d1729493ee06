//! Public keys in PEM (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// The DER of the first public key or certificate's key: `SubjectPublicKeyInfo`, or `RSAPublicKey`.
///
/// # Errors
/// There is none, or it cannot be read. A private key is refused: it has no business in a gateway.
pub fn public_key(text: &str) -> Result<Vec<u8>, String> {
    if text.contains("PRIVATE KEY-----") {
        return Err("a private key: give the public one".to_owned());
    }
    if let Some(der) = section(text, "PUBLIC KEY").or_else(|| section(text, "RSA PUBLIC KEY")) {
        return der;
    }
    let Some(der) = section(text, "CERTIFICATE") else {
        return Err("no PEM of a public key or certificate".to_owned());
    };
    let der = der?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| "no X.509 certificate".to_owned())?;
    Ok(certificate.public_key().raw.to_vec())
}

/// The content of the first section with this label.
fn section(text: &str, label: &str) -> Option<Result<Vec<u8>, String>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    Some(
        STANDARD
            .decode(body)
            .map_err(|_| format!("the PEM of `{label}` is no Base64")),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Key;

    #[test]
    fn kinds_of_keys() {
        let check = |text: &str, want: Result<(), &str>| {
            assert_eq!(
                Key::from_pem(text).map(drop),
                want.map_err(str::to_owned),
                "{text}"
            );
        };
        let pair = rcgen::KeyPair::generate().expect("a key pair");
        let certificate = rcgen::CertificateParams::new(["a.test".to_owned()])
            .and_then(|p| p.self_signed(&pair))
            .expect("a certificate");
        check(&pair.public_key_pem(), Ok(()));
        check(&certificate.pem(), Ok(()));
        check(&format!("# a comment\n{}", pair.public_key_pem()), Ok(()));
        check(&pair.serialize_pem(), Err("a private key: give the public one"));
        check("", Err("no PEM of a public key or certificate"));
        check(
            "-----BEGIN PUBLIC KEY-----\n",
            Err("no PEM of a public key or certificate"),
        );
        check(
            "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
            Err("the PEM of `PUBLIC KEY` is no Base64"),
        );
        check(
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            Err("no RSA, EC or Ed25519 key"),
        );
        check(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            Err("no X.509 certificate"),
        );
    }
}
