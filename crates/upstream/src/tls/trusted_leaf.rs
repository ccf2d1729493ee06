//! A server whose certificate is itself one of the `rootCAs`: it is trusted as it is, as in Go.
//!
//! A self-signed certificate that `openssl req -x509` makes calls itself an authority, and webpki takes no authority for a
//! server. The name and the time are verified all the same.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;

/// Verifies chains, and takes a root that stands for itself.
#[derive(Debug)]
pub struct TrustedLeaf {
    pub chain: Arc<dyn ServerCertVerifier>,
    pub roots: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for TrustedLeaf {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chained = self
            .chain
            .verify_server_cert(leaf, intermediates, name, ocsp, now);
        let Err(Error::InvalidCertificate(CertificateError::Other(_))) = &chained else {
            return chained;
        };
        if !self.roots.iter().any(|root| root.as_ref() == leaf.as_ref()) {
            return chained;
        }
        check_time(leaf, now)?;
        verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

fn check_time(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(leaf).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let times = parsed.validity();
    if now < times.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > times.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{TlsSettings, provider, verifier};
    use super::*;
    use std::time::Duration;

    /// A certificate that calls itself an authority, for `a.test`, good from 2020 to 2030.
    fn certificate() -> rcgen::Certificate {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_root_stands_for_itself() {
        let (own, other) = (certificate(), certificate());
        let settings = TlsSettings {
            root_cas: vec![own.pem()],
            ..TlsSettings::default()
        };
        let verifier = verifier(&settings, &provider(&[]).unwrap()).unwrap();
        let check = |leaf: &rcgen::Certificate, name: &'static str, year: u64, good: bool| {
            let now =
                UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600 + 86_400 * 30));
            let name = ServerName::try_from(name).unwrap();
            let got = verifier.verify_server_cert(leaf.der(), &[], &name, &[], now);
            assert_eq!(got.is_ok(), good, "{name:?} {year}: {got:?}");
        };
        check(&own, "a.test", 2026, true);
        check(&own, "b.test", 2026, false);
        check(&own, "a.test", 2019, false);
        check(&own, "a.test", 2031, false);
        check(&other, "a.test", 2026, false);
    }
}
