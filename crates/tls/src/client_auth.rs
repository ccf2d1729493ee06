//! What is asked of client certificates.

use crate::reader::Watching;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;
use trilithon_model::FileOrContent;
use trilithon_model::dynamic::tls::ClientAuth;

/// The verifier, and the authorities that it stands on.
#[derive(Debug)]
pub struct Verification {
    pub verifier: Arc<dyn ClientCertVerifier>,
    pub authorities: Vec<CertificateDer<'static>>,
    /// A certificate that is shown was verified; otherwise it says nothing about the client.
    pub verifies: bool,
}

/// Builds the verifier of a set of options. Whatever cannot be read or understood is an error: a gate that is meant to
/// ask for certificates must not stand open.
pub fn verification(
    config: &ClientAuth,
    reader: &Watching<'_>,
    provider: &Arc<CryptoProvider>,
) -> Result<Verification, String> {
    let authorities = authorities(&config.ca_files, reader)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().cloned());
    if roots.is_empty() && !config.ca_files.is_empty() {
        return Err("invalid certificate(s) content".to_owned());
    }
    let kind = kind(config, &roots);
    let verifier = verifier(kind, roots, provider)?;
    Ok(Verification {
        verifier,
        authorities,
        verifies: matches!(kind, "VerifyClientCertIfGiven" | "RequireAndVerifyClientCert"),
    })
}

/// `clientAuthType`, or what is meant where it is not written.
fn kind<'a>(config: &'a ClientAuth, roots: &RootCertStore) -> &'a str {
    match config.client_auth_type.as_str() {
        "" if roots.is_empty() => "NoClientCert",
        "" => "RequireAndVerifyClientCert",
        kind => kind,
    }
}

fn verifier(
    kind: &str,
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let unverified = |mandatory: bool| -> Arc<dyn ClientCertVerifier> {
        Arc::new(Unverified {
            mandatory,
            hints: roots.subjects(),
            provider: provider.clone(),
        })
    };
    match kind {
        "NoClientCert" => Ok(WebPkiClientVerifier::no_client_auth()),
        "RequestClientCert" => Ok(unverified(false)),
        "RequireAnyClientCert" => Ok(unverified(true)),
        "VerifyClientCertIfGiven" | "RequireAndVerifyClientCert" if roots.is_empty() => {
            Err(format!("invalid clientAuthType: {kind}, CAFiles is required"))
        }
        "VerifyClientCertIfGiven" => build(roots, provider, true),
        "RequireAndVerifyClientCert" => build(roots, provider, false),
        other => Err(format!("unknown client auth type \"{other}\"")),
    }
}

fn build(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
    optional: bool,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = if optional {
        builder.allow_unauthenticated()
    } else {
        builder
    };
    builder.build().map_err(|e| e.to_string())
}

/// Every certificate of every file; a file without any is an error.
fn authorities(
    files: &[FileOrContent],
    reader: &Watching<'_>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut all = Vec::new();
    for file in files {
        let content = reader
            .read(file)
            .map_err(|e| format!("`caFiles` `{}` cannot be read: {e}", file.as_str()))?;
        let before = all.len();
        all.extend(CertificateDer::pem_slice_iter(&content.bytes).filter_map(Result::ok));
        if all.len() == before {
            return Err(match content.is_file {
                true => format!("invalid certificate(s) in {}", file.as_str()),
                false => "invalid certificate(s) content".to_owned(),
            });
        }
    }
    Ok(all)
}

/// Takes any certificate, but only from who has its key: `RequestClientCert` and `RequireAnyClientCert`.
#[derive(Debug)]
struct Unverified {
    mandatory: bool,
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Unverified {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
