//! Certificates, SNI resolution, TLS options, client authentication.
