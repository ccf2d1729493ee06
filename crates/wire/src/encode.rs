//! Heads and chunks as bytes. What frames the message is written here and taken from nowhere else.

use crate::framing::Framing;
use crate::headers::Headers;
use crate::known::Known;

/// The end of a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What a request head says besides its fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestOptions<'a> {
    /// Asks to switch to this protocol: `Connection: Upgrade` and `Upgrade` are written.
    pub upgrade: Option<&'a [u8]>,
    /// `Te: trailers` is written.
    pub te_trailers: bool,
    /// `Connection: close` is written.
    pub close: bool,
}

/// How the body of a response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// No word about a body: 1xx, 204, 304, an answer to HEAD of unknown length.
    None,
    /// `Content-Length`; also where no body follows, as in an answer to HEAD.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Up to the end of the connection; the caller says `close` too.
    Close,
    /// 101: `Connection: Upgrade` is written and the `Upgrade` field kept.
    Upgrade,
}

/// Appends a request head. `Host` comes first; hop-by-hop and framing fields among `headers` are left out.
///
/// `Content-Length: 0` is written for POST, PUT and PATCH only, as Go does. `Trailer` stays when the body is chunked.
pub fn request_head(
    out: &mut Vec<u8>,
    method: &str,
    target: &str,
    headers: &Headers,
    framing: Framing,
    options: RequestOptions<'_>,
) {
    out.reserve(method.len() + target.len() + headers.text_len() + 192);
    put(
        out,
        &[method.as_bytes(), b" ", target.as_bytes(), b" HTTP/1.1\r\n"],
    );
    let host_first = headers
        .iter_known()
        .next()
        .is_some_and(|(k, ..)| k == Known::Host);
    if let (false, Some(host)) = (host_first, headers.known(Known::Host)) {
        put(out, &[b"Host: ", host, b"\r\n"]);
    }
    let chunked = framing == Framing::Chunked;
    if options.upgrade.is_some() {
        upgrade_fields(out, headers, host_first);
    } else {
        headers.write_lines(out, |known, _| {
            (host_first || known != Known::Host) && passes(known, chunked)
        });
    }
    match framing {
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Length(n) if n > 0 => content_length(out, n),
        _ if matches!(method, "POST" | "PUT" | "PATCH") => out.extend_from_slice(b"Content-Length: 0\r\n"),
        _ => {}
    }
    if options.te_trailers {
        out.extend_from_slice(b"Te: trailers\r\n");
    }
    match options.upgrade {
        Some(protocol) => put(out, &[b"Connection: Upgrade\r\nUpgrade: ", protocol, b"\r\n"]),
        None if options.close => out.extend_from_slice(b"Connection: close\r\n"),
        None => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a response head.
///
/// `date` is used when there is no `Date` field. To HTTP/1.0, nothing is said about chunks and `Connection: keep-alive`
/// is written unless `close`.
#[allow(clippy::too_many_arguments)]
pub fn response_head(
    out: &mut Vec<u8>,
    http10: bool,
    status: u16,
    reason: &str,
    headers: &Headers,
    framing: ResponseFraming,
    close: bool,
    date: Option<&[u8]>,
) {
    out.reserve(reason.len() + headers.text_len() + 192);
    status_line(out, http10, status, reason);
    let (chunked, upgrade) = (
        framing == ResponseFraming::Chunked,
        framing == ResponseFraming::Upgrade,
    );
    headers.write_lines(out, |known, _| {
        passes(known, chunked) || (upgrade && known == Known::Upgrade)
    });
    if let (false, Some(date)) = (headers.has(Known::Date), date) {
        put(out, &[b"Date: ", date, b"\r\n"]);
    }
    match framing {
        ResponseFraming::Length(n) => content_length(out, n),
        ResponseFraming::Chunked if !http10 => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        ResponseFraming::Upgrade => out.extend_from_slice(b"Connection: Upgrade\r\n"),
        _ => {}
    }
    match (close, http10) {
        _ if upgrade || status < 200 => {}
        (true, false) => out.extend_from_slice(b"Connection: close\r\n"),
        (false, true) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        _ => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the size line of a chunk of `len` bytes; nothing for an empty one, which would end the body.
pub fn chunk_header(out: &mut Vec<u8>, len: usize) {
    if len == 0 {
        return;
    }
    let mut text = [0u8; 18];
    let mut at = 16;
    text[16..].copy_from_slice(b"\r\n");
    let mut rest = len;
    while rest > 0 {
        at -= 1;
        text[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    out.extend_from_slice(&text[at..]);
}

/// Appends the last chunk and the trailers.
pub fn last_chunk(out: &mut Vec<u8>, trailers: Option<&Headers>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        trailers.write_lines(out, |_, _| true);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a field goes out as it is.
#[inline(always)]
fn passes(known: Known, chunked: bool) -> bool {
    match known {
        Known::Other => true,
        Known::ContentLength => false,
        Known::Trailer => chunked,
        known => !known.is_hop_by_hop(),
    }
}

/// Servers of WebSocket that compare names byte by byte know them as RFC 6455 spells them.
#[cold]
fn upgrade_fields(out: &mut Vec<u8>, headers: &Headers, host_first: bool) {
    for (known, name, value) in headers.iter_known() {
        if !passes(known, false) || (known == Known::Host && !host_first) {
            continue;
        }
        match name.strip_prefix(b"Sec-Websocket-") {
            Some(rest) => put(out, &[b"Sec-WebSocket-", rest, b": ", value, b"\r\n"]),
            None => put(out, &[name, b": ", value, b"\r\n"]),
        }
    }
}

fn status_line(out: &mut Vec<u8>, http10: bool, status: u16, reason: &str) {
    if status == 200 && !http10 && reason == "OK" {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    let version: &[u8] = if http10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
    put(
        out,
        &[
            version,
            itoa::Buffer::new().format(status).as_bytes(),
            b" ",
            reason.as_bytes(),
            b"\r\n",
        ],
    );
}

fn content_length(out: &mut Vec<u8>, n: u64) {
    put(
        out,
        &[
            b"Content-Length: ",
            itoa::Buffer::new().format(n).as_bytes(),
            b"\r\n",
        ],
    );
}

#[inline]
fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}
