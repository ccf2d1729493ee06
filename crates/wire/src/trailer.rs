//! Trailers: read with limits of their own, and without the fields that may only stand in a head (RFC 9110 §6.5.1).

use crate::field::parse_fields;
use crate::headers::Headers;
use crate::known::Known;
use crate::reject::Reject;

/// Bytes of a trailer section.
const MAX_BYTES: usize = 16 * 1024;
/// Fields of a trailer section.
const MAX_FIELDS: usize = 100;

/// Reads the trailer section at the start of `buf`, filtered; gives its length, the empty line included.
pub fn parse(buf: &[u8], into: &mut Headers) -> Result<Option<usize>, Reject> {
    into.clear();
    let end = parse_fields(buf, 0, into, MAX_FIELDS)?;
    if end.unwrap_or(buf.len()) > MAX_BYTES {
        return Err(Reject::HeadBytes);
    }
    into.retain(|known, name, _| may_trail(known, name));
    Ok(end)
}

/// Whether a field may come after the body. What frames, routes, authenticates, says who the client is or describes the
/// content was decided with the head; it must not come in by the back door.
pub fn may_trail(known: Known, name: &[u8]) -> bool {
    match known {
        Known::Other => {
            !FORBIDDEN.iter().any(|f| name.eq_ignore_ascii_case(f)) && !starts(name, b"x-forwarded-")
        }
        Known::GrpcStatus
        | Known::GrpcMessage
        | Known::ETag
        | Known::Date
        | Known::Server
        | Known::Traceparent => true,
        _ => false,
    }
}

/// Names outside of [`Known`] that the same holds for.
const FORBIDDEN: &[&[u8]] = &[
    b"age",
    b"cache-control",
    b"content-language",
    b"content-location",
    b"early-data",
    b"expires",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"max-forwards",
    b"pragma",
    b"proxy-authentication-info",
    b"authentication-info",
    b"retry-after",
    b"warning",
    b"via",
];

fn starts(name: &[u8], with: &[u8]) -> bool {
    name.get(..with.len())
        .is_some_and(|n| n.eq_ignore_ascii_case(with))
}
