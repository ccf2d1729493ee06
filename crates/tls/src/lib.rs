//! Certificates, SNI resolution, TLS options, client authentication: the server's side of TLS.
//!
//! [`Builder`] turns the `tls` section of the routing configuration into a [`Tls`], which answers one question on the
//! request path: which `ServerConfig` does this connection get. Reading the ClientHello, and choosing the name of the
//! options by it, is the engine's part; TLS towards servers is the upstream crate's.
#![forbid(unsafe_code)]

mod alpn;
mod build;
mod certificate;
mod client_auth;
mod curves;
mod facts;
mod generated;
mod last_good;
mod options;
mod p521;
mod reader;
mod server;
mod session;
mod store;
mod subject;
mod suites;

pub use build::{Builder, Tls};
pub use facts::{CertificateFacts, CertificateStatus};
pub use reader::Reader;
pub use session::facts;
pub use subject::{issuer, subject};

/// Makes the random number generator ready, which takes a while when first asked: call it before the first connection.
pub fn warm_up() {
    let mut byte = [0u8];
    // If there is no randomness now, the first handshake will say so.
    let _ = aws_lc_rs::rand::fill(&mut byte);
}
