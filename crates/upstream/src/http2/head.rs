//! Heads and trailers between our own header lists and the library's maps.

use crate::{Origin, Scheme, hop};
use trilithon_flow::{Fault, FaultKind, Headers, Known, Method, Request};
use trilithon_wire::trailer::may_trail;

/// The request's head. `te: trailers` is the only hop-by-hop field there is in HTTP/2.
pub fn request(origin: &Origin, req: &Request) -> Result<http::Request<()>, Fault> {
    let refused =
        |e: http::Error| Fault::new(FaultKind::Internal, format!("cannot be sent over HTTP/2: {e}")).unsent();
    let scheme = if origin.scheme == Scheme::Https {
        "https"
    } else {
        "http"
    };
    let target = match req.target.as_str() {
        "" => "/",
        target => target,
    };
    let authority = match req.host() {
        b"" => origin.authority.as_bytes(),
        host => host,
    };
    let uri = http::Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(target)
        .build()
        .map_err(refused)?;
    let mut builder = http::Request::builder()
        .method(req.method.as_str())
        .uri(uri)
        .version(http::Version::HTTP_2);
    for (known, name, value) in req.headers.iter_known() {
        if known == Known::Host
            || known == Known::ContentLength
            || known.is_connection_specific() && known != Known::Trailer
        {
            continue;
        }
        builder = builder.header(name, value);
    }
    if hop::allows_trailers(&req.headers) {
        builder = builder.header("te", "trailers");
    }
    match (req.body.length(), &req.method) {
        (Some(0), Method::Post | Method::Put | Method::Patch) => {
            builder = builder.header("content-length", 0)
        }
        (Some(0) | None, _) => {}
        (Some(n), _) => builder = builder.header("content-length", n),
    }
    builder.body(()).map_err(refused)
}

pub fn headers(map: &http::HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in map {
        headers.append(name.as_str(), value.as_bytes());
    }
    headers
}

/// Trailers without what may not come after a body.
pub fn trailers(map: &http::HeaderMap) -> Headers {
    let mut trailers = headers(map);
    trailers.retain(|known, name, _| may_trail(known, name));
    trailers
}

/// Trailers that the library can send; what is no field is left out.
pub fn trailer_map(trailers: &Headers) -> http::HeaderMap {
    let mut map = http::HeaderMap::new();
    for (name, value) in trailers.iter() {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name),
            http::HeaderValue::from_bytes(value),
        ) {
            map.append(name, value);
        }
    }
    map
}
