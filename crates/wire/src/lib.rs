//! HTTP/1.1 as data: header lists, heads, body framing, PROXY protocol, ClientHello; and what bodies are often made of:
//! JSON, server-sent events.
//!
//! Everything here is sans-io: bytes in, facts out. Nothing awaits, nothing opens a socket.
#![forbid(unsafe_code)]

pub mod authority;
pub mod body;
pub mod buffer;
mod chunk;
pub mod client_hello;
mod connection;
mod contains;
pub mod date;
pub mod encode;
mod field;
pub mod framing;
pub mod head;
pub mod headers;
pub mod json;
pub mod known;
pub mod proxy_protocol;
pub mod reject;
mod request;
mod response;
mod scan;
pub mod sse;
pub mod trailer;
mod unseen;

pub use body::{BodyDecoder, Step};
pub use buffer::Buffer;
pub use client_hello::Peek;
pub use contains::contains;
pub use encode::{RequestOptions, ResponseFraming};
pub use framing::Framing;
pub use head::{
    HeadLimits, RequestHead, ResponseHead, is_h2_preface, may_complete, parse_request, parse_response,
};
pub use headers::Headers;
pub use known::Known;
pub use proxy_protocol::ProxyHeader;
pub use reject::Reject;
pub use trailer::may_trail;
pub use unseen::is_unseen;
