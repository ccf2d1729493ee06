//! Heads and chunks as bytes. What frames the message is written here and taken from nowhere else.

use crate::connection::protocols;
use crate::framing::Framing;
use crate::headers::Headers;
use crate::known::Known;

/// The end of a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What a request head says besides its fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestOptions<'a> {
    /// Asks to switch to these protocols, as the `Upgrade` field lists them: `Connection: Upgrade` and `Upgrade` are
    /// written. HTTP/2 in clear text is never asked for.
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
        Some(upgrade) => upgrade_to(out, upgrade),
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
        known => !known.is_connection_specific(),
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

fn upgrade_to(out: &mut Vec<u8>, upgrade: &[u8]) {
    let mut separator: &[u8] = b"Connection: Upgrade\r\nUpgrade: ";
    for protocol in protocols(upgrade) {
        put(out, &[separator, protocol]);
        separator = b", ";
    }
    if separator == b", " {
        out.extend_from_slice(b"\r\n");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn list(fields: &str) -> Headers {
        fields
            .split_terminator('|')
            .filter_map(|f| f.split_once('='))
            .collect()
    }

    fn check_request(method: &str, fields: &str, framing: Framing, options: RequestOptions<'_>, want: &str) {
        let mut out = Vec::new();
        request_head(&mut out, method, "/x", &list(fields), framing, options);
        let want = format!("{method} /x HTTP/1.1|{want}||").replace('|', "\r\n");
        assert_eq!(String::from_utf8_lossy(&out), want);
    }

    #[test]
    fn requests() {
        let plain = RequestOptions::default();
        let check = |fields, framing, want| check_request("GET", fields, framing, plain, want);
        check("Host=a|X=1", Framing::None, "Host: a|X: 1");
        check("X=1|Host=a|Y=2", Framing::None, "Host: a|X: 1|Y: 2");
        check("Host=a|X=1", Framing::Length(0), "Host: a|X: 1");
        check(
            "Host=a|Trailer=T|X=1",
            Framing::Chunked,
            "Host: a|Trailer: T|X: 1|Transfer-Encoding: chunked",
        );
        // A19: what the list says of framing does not go out.
        let hop = "Host=a|Connection=close|Te=trailers|Transfer-Encoding=gzip|Content-Length=9|Keep-Alive=1|Trailer=T|Upgrade=h2c|\
                   Http2-Settings=x|Proxy-Connection=x|X=1";
        check(hop, Framing::Length(12), "Host: a|X: 1|Content-Length: 12");
        for method in ["POST", "PUT", "PATCH"] {
            check_request(
                method,
                "Host=a",
                Framing::None,
                plain,
                "Host: a|Content-Length: 0",
            );
        }
        let options = RequestOptions {
            te_trailers: true,
            close: true,
            ..plain
        };
        check_request(
            "GET",
            "Host=a",
            Framing::None,
            options,
            "Host: a|Te: trailers|Connection: close",
        );
    }

    #[test]
    fn upgrades() {
        let check = |upgrade: &str, want: &str| {
            let options = RequestOptions {
                upgrade: Some(upgrade.as_bytes()),
                ..Default::default()
            };
            let fields = "X=1|Host=a|sec-websocket-key=k|Connection=x|Upgrade=x";
            let want = format!("Host: a|X: 1|Sec-WebSocket-Key: k{want}");
            check_request("GET", fields, Framing::None, options, &want);
        };
        check("websocket", "|Connection: Upgrade|Upgrade: websocket");
        // A11
        check("h2c", "");
        check(
            "H2C, websocket,h2c, x/1",
            "|Connection: Upgrade|Upgrade: websocket, x/1",
        );
    }

    #[test]
    fn responses() {
        let check = |http10, framing, close, fields: &str, want: &str| {
            let mut out = Vec::new();
            response_head(
                &mut out,
                http10,
                200,
                "OK",
                &list(fields),
                framing,
                close,
                Some(b"now"),
            );
            let version = if http10 { "1.0" } else { "1.1" };
            let want = format!("HTTP/{version} 200 OK|{want}||").replace('|', "\r\n");
            assert_eq!(String::from_utf8_lossy(&out), want);
        };
        check(
            false,
            ResponseFraming::Length(3),
            false,
            "X=1",
            "X: 1|Date: now|Content-Length: 3",
        );
        check(
            false,
            ResponseFraming::Chunked,
            true,
            "Date=then",
            "Date: then|Transfer-Encoding: chunked|Connection: close",
        );
        check(
            false,
            ResponseFraming::None,
            false,
            "Content-Length=9|Connection=x|X=1",
            "X: 1|Date: now",
        );
        check(
            true,
            ResponseFraming::Length(3),
            false,
            "",
            "Date: now|Content-Length: 3|Connection: keep-alive",
        );
        check(true, ResponseFraming::Chunked, true, "X=1", "X: 1|Date: now");
        check(
            false,
            ResponseFraming::Upgrade,
            false,
            "Upgrade=ws|X=1",
            "Upgrade: ws|X: 1|Date: now|Connection: Upgrade",
        );
        let mut out = Vec::new();
        response_head(
            &mut out,
            false,
            103,
            "Early Hints",
            &list("Link=x"),
            ResponseFraming::None,
            true,
            None,
        );
        assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    }

    #[test]
    fn chunks() {
        for len in [1, 9, 15, 16, 255, 256, 0x1234_5678, usize::MAX] {
            let mut out = Vec::new();
            chunk_header(&mut out, len);
            assert_eq!(out, format!("{len:x}\r\n").as_bytes());
        }
        let mut out = Vec::new();
        chunk_header(&mut out, 0);
        last_chunk(&mut out, None);
        last_chunk(&mut out, Some(&list("T=1")));
        assert_eq!(out, b"0\r\n\r\n0\r\nT: 1\r\n\r\n");
    }
}
