//! A response as middlewares see it, and what becomes of a connection that leaves HTTP.

use crate::{Body, Fault, Headers, Known, status};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// The upstream side of a connection that left HTTP, with bytes that had already arrived behind the head.
pub struct Upgraded {
    pub io: Box<dyn Io>,
    pub early: Bytes,
}

/// One response.
///
/// `headers` holds no hop-by-hop headers. `Content-Length` there is only information (a `HEAD` answer keeps it): what is
/// sent follows [`Body::length`].
#[derive(Default)]
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    pub body: Body,
    /// With status 101 (or the 200 of an extended CONNECT): the stream to join with the client's.
    pub upgraded: Option<Box<Upgraded>>,
    /// The failure that this response tells of, if it is the gateway's own answer to one.
    pub fault: Option<Box<Fault>>,
    /// Its body is a plain word of the gateway's own, which says nothing that its status does not: who knows how the client expects
    /// errors may say it so.
    pub is_plain: bool,
}

impl Response {
    /// A response with no headers and no body.
    pub fn new(status: u16) -> Response {
        Response {
            status,
            headers: Headers::new(),
            ..Response::default()
        }
    }

    /// A status with `body` as it is, and no content type.
    pub fn bare(status: u16, body: impl Into<Bytes>) -> Response {
        Response {
            body: Body::from(body.into()),
            ..Response::new(status)
        }
    }

    /// A status with its own text as body and no content type: what Traefik says when a backend fails.
    pub fn status_text(status: u16) -> Response {
        Response {
            is_plain: true,
            ..Response::bare(status, status::text(status))
        }
    }

    /// A plain-text error as Go's `http.Error` writes it: content type, `nosniff`, and a line end after the text.
    pub fn error(status: u16, text: &str) -> Response {
        let mut res = Response {
            is_plain: true,
            ..Response::bare(status, format!("{text}\n"))
        };
        res.headers
            .set_known(Known::ContentType, "text/plain; charset=utf-8");
        res.headers.append("X-Content-Type-Options", "nosniff");
        res
    }
}

impl From<Fault> for Response {
    /// The gateway's answer to a failed exchange.
    fn from(fault: Fault) -> Response {
        let mut res = Response::status_text(fault.status());
        res.fault = Some(Box::new(fault));
        res
    }
}
