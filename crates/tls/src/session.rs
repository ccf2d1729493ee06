//! What was agreed on in a handshake, in the words of the access log and the metrics.

use rustls::{ProtocolVersion, ServerConnection};

/// The version (`1.2`, `1.3`) and Go's name of the cipher suite of a finished handshake; empty before.
pub fn facts(session: &ServerConnection) -> (&'static str, &'static str) {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2",
        Some(ProtocolVersion::TLSv1_3) => "1.3",
        _ => "",
    };
    (
        version,
        session.negotiated_cipher_suite().map_or("", crate::suites::name),
    )
}
