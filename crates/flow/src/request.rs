//! A request as middlewares and services see it, whichever HTTP version carried it.

use crate::{Body, Headers, Known, Method, Target};

/// The protocol a message came in, or goes out, with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Version {
    Http10,
    #[default]
    Http11,
    Http2,
    Http3,
}

impl Version {
    /// As in an access log: `HTTP/1.1`, `HTTP/2.0`.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2.0",
            Version::Http3 => "HTTP/3.0",
        }
    }
}

/// One request.
///
/// `Host` is a field of `headers` in every version. The list holds no framing or hop-by-hop headers that the gateway has
/// already acted on: `Connection`, `Transfer-Encoding`, `Keep-Alive`; `Content-Length` is kept for those who read it, but
/// [`Body::length`] is what counts and what is sent. `Upgrade` is kept when the client asked for one, and says so.
#[derive(Default)]
pub struct Request {
    pub method: Method,
    pub target: Target,
    pub version: Version,
    pub headers: Headers,
    pub body: Body,
    /// The client asked to leave HTTP (RFC 9110 §7.8, or extended CONNECT of RFC 8441): the protocol it named.
    pub upgrade: Option<Box<str>>,
}

impl Request {
    /// The host asked for, with its port, as the client sent it.
    pub fn host(&self) -> &[u8] {
        self.headers.known(Known::Host).unwrap_or_default()
    }

    /// A copy of everything but the body.
    pub fn clone_head(&self) -> Request {
        Request {
            method: self.method.clone(),
            target: self.target.clone(),
            version: self.version,
            headers: self.headers.clone(),
            body: Body::empty(),
            upgrade: self.upgrade.clone(),
        }
    }

    /// Whether this is a gRPC call by its content type.
    pub fn is_grpc(&self) -> bool {
        self.headers
            .known(Known::ContentType)
            .is_some_and(|t| t.starts_with(b"application/grpc"))
    }

    /// Whether the client asked for a WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.upgrade
            .as_deref()
            .is_some_and(|p| p.eq_ignore_ascii_case("websocket"))
    }
}
