//! A stream's head as a request: what HTTP/2 spells in its own way, and what has no place in it.

use super::body::StreamBody;
use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use std::cell::Cell;
use std::rc::Rc;
use trilithon_flow::{Body, Headers, Interim, Known, Method, Request, Target, Version, limits};

/// A stream's request, and what its exchange needs to know of the stream.
pub(super) struct Incoming {
    pub req: Request,
    /// The incoming bytes of a stream that is to become a tunnel.
    pub tunnel: Option<RecvStream>,
    pub interim: Rc<Interim>,
    /// Body bytes that were used.
    pub received: Rc<Cell<u64>>,
}

/// Bytes that the fields take once they are lines of a request.
pub(super) fn head_bytes(fields: &http::HeaderMap) -> usize {
    fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

/// A stream's head as a request.
///
/// # Errors
/// The status to answer, and why.
pub(super) fn read(req: http::Request<RecvStream>) -> Result<Incoming, (u16, &'static str)> {
    let (parts, body) = req.into_parts();
    let mut headers = Headers::new();
    headers.append(
        Known::Host.name(),
        host(parts.uri.authority().map(|a| a.as_str()), &parts.headers)?,
    );
    copy_headers(&parts.headers, &mut headers)?;
    let served = parts
        .uri
        .scheme_str()
        .is_none_or(|s| matches!(s, "http" | "https"));
    if !served {
        return Err((400, "bad-scheme"));
    }
    let raw = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let valid = raw.starts_with('/') && !raw.bytes().any(|b| b <= b' ' || b == b'#' || b == 0x7f);
    let asterisk = raw == "*" && parts.method == http::Method::OPTIONS;
    if !valid && !asterisk {
        return Err((400, "bad-target"));
    }
    let mut req = Request {
        method: Method::of(parts.method.as_str().as_bytes()),
        target: Target::new(raw),
        version: Version::Http2,
        headers,
        ..Request::default()
    };
    if let (Method::Connect, Some(protocol)) = (&req.method, parts.extensions.get::<Protocol>()) {
        extended_connect(&mut req, protocol.as_str());
        return Ok(Incoming {
            req,
            tunnel: Some(body),
            interim: Rc::default(),
            received: Rc::default(),
        });
    }
    let (interim, received) = (Rc::<Interim>::default(), Rc::<Cell<u64>>::default());
    if !body.is_end_stream() {
        let length = req
            .headers
            .known(Known::ContentLength)
            .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
        req.body = Body::from_source(StreamBody {
            body,
            chunk: Bytes::new(),
            length,
            trailers: None,
            ended: false,
            awaiting_continue: awaits_continue(&req.headers).then(|| interim.clone()),
            received: received.clone(),
        });
    }
    Ok(Incoming {
        req,
        tunnel: None,
        interim,
        received,
    })
}

fn awaits_continue(headers: &Headers) -> bool {
    headers
        .known(Known::Expect)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"100-continue"))
}

/// The host asked for: `:authority`, else the one `host` field (RFC 9113 §8.3.1).
fn host<'a>(
    authority: Option<&'a str>,
    headers: &'a http::HeaderMap,
) -> Result<&'a [u8], (u16, &'static str)> {
    let host = match authority {
        Some(authority) => authority.as_bytes(),
        // As Traefik: without either a request has an empty host, which only a rule without one can take.
        None => headers
            .get(http::header::HOST)
            .map(http::HeaderValue::as_bytes)
            .unwrap_or_default(),
    };
    if trilithon_wire::authority::is_valid(host) {
        Ok(host)
    } else {
        Err((400, "bad-host"))
    }
}

/// Fields in order; cookie crumbs become one line again (RFC 9113 §8.2.3).
fn copy_headers(from: &http::HeaderMap, to: &mut Headers) -> Result<(), (u16, &'static str)> {
    if from.len() > limits::H2_MAX_HEADER_FIELDS {
        return Err((431, "too-many-headers"));
    }
    let mut cookies: Vec<&[u8]> = Vec::new();
    let mut hosts = 0;
    for (name, value) in from {
        match Known::of(name.as_str().as_bytes()) {
            Known::Host if hosts > 0 => return Err((400, "repeated-host")),
            Known::Host => hosts += 1,
            Known::Cookie => cookies.push(value.as_bytes()),
            Known::Connection
            | Known::TransferEncoding
            | Known::Upgrade
            | Known::KeepAlive
            | Known::ProxyConnection => {
                return Err((400, "connection-header-in-http2"));
            }
            Known::Te if value != "trailers" => return Err((400, "bad-te")),
            Known::ContentLength if to.has(Known::ContentLength) => {
                return Err((400, "bad-content-length"));
            }
            Known::Other => to.append(name.as_str(), value.as_bytes()),
            known => to.append_known(known, value.as_bytes()),
        }
    }
    if !cookies.is_empty() {
        to.append(Known::Cookie.name(), cookies.join(&b"; "[..]));
    }
    Ok(())
}

/// RFC 8441: what asks for a protocol over a stream becomes the upgrade that HTTP/1 servers know.
fn extended_connect(req: &mut Request, protocol: &str) {
    use base64::Engine;
    req.method = Method::Get;
    req.upgrade = Some(protocol.into());
    req.headers.set_known(Known::Upgrade, protocol);
    req.headers.set_known(Known::Connection, "Upgrade");
    let key: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    req.headers.set_known(
        Known::SecWebsocketKey,
        base64::engine::general_purpose::STANDARD.encode(key),
    );
    if !req.headers.has(Known::SecWebsocketVersion) {
        req.headers.append(Known::SecWebsocketVersion.name(), "13");
    }
}
