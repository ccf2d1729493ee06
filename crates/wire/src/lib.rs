//! HTTP/1.1 as data: header lists, heads, body framing, PROXY protocol, ClientHello.
//!
//! Everything here is sans-io: bytes in, facts out. Nothing awaits, nothing opens a socket.
#![forbid(unsafe_code)]

pub mod headers;
pub mod known;

pub use headers::Headers;
pub use known::Known;
