//! Who a client is by its certificate. Made once a connection; the certificate was verified before.

use serde_json::json;
use std::sync::Arc;
use trilithon_flow::{Credential, Identity};
use trilithon_tls::{CertificateFacts, issuer, subject};

/// The identity that a verified certificate gives: its subject, and what else it says as claims. Nothing if it cannot be
/// read.
pub fn identity(der: &[u8]) -> Option<Arc<Identity>> {
    let facts = CertificateFacts::of(der).ok()?;
    let (subject, issuer) = (subject(der)?, issuer(der)?);
    let claims = json!({
        "subject": subject,
        "commonName": facts.common_name,
        "organization": facts.organization,
        "issuer": issuer,
        "sans": facts.sans,
        "serialNumber": facts.serial_number,
        "fingerprint": facts.fingerprint,
        "notAfter": facts.not_after,
    });
    Some(Arc::new(Identity {
        issuer: issuer.into(),
        credential_id: facts.fingerprint[..16].into(),
        claims: claims.as_object().cloned().unwrap_or_default(),
        ..Identity::new(Credential::ClientCertificate, subject)
    }))
}
